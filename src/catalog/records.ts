/**
 * What the catalog remembers, in the datastore.
 *
 * | key | value, as MessagePack |
 * | --- | --- |
 * | `<records>/entries/<hash of where it is>` | an {@link Item} |
 * | `<records>/nodes/<root CID>` | list of all interior nodes, if the content has more than one piece |
 * | `<records>/roots/<hash of the path>` | a watched {@link Root} |
 *
 * `<records>` is `/formicary/catalog`, unless the catalog was told otherwise.
 *
 * A record that cannot be read is dropped: all of it can be made again from
 * the files.
 *
 * @module
 */

import { Decoder, encode } from '@msgpack/msgpack'
import { Key } from 'interface-datastore'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { hashSync, Manifest, ManifestReader, MAX_CONTENT_SIZE, MAX_NODE_SIZE, PIECE_SIZE } from '../content/index.ts'
import { MAX_NAME_SIZE, nameFault } from '../content/names.ts'
import { parseBytes, parseFields, parseInteger, parseList, parseOptional, parseString } from '../wire/parse.ts'
import type { Entry } from '../content/index.ts'
import type { Parse } from '../wire/parse.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'

/** An entry, and where its bytes are. */
export interface Item {
  entry: Entry

  /** Whose the bytes are: the user's, the store's, or those of a blob, which is not on record. */
  where: 'file' | 'store' | 'blob'

  /** What to open them by: a path, or a location of the store or among the blobs. */
  location: string

  /** The version that was hashed. */
  version: string
}

/** A path that is watched. */
export interface Root {
  path: string
  hidden: boolean

  /** Paths below that were unshared again. */
  except: string[]
}

/** Where the records of a node's own catalog are. */
export const DEFAULT_RECORDS = '/formicary/catalog'

/** UTF-16 code units in a path; Linux takes 4,096 bytes, Windows 32,767 of these. */
const MAX_PATH_LENGTH = 32_767

/** Nodes of the largest content: one for each 1,024 MiB, and those above. */
const MAX_NODES = 1100

/** Paths unshared below one root. */
const MAX_EXCEPT = 100_000

const decoder = new Decoder({ maxArrayLength: MAX_EXCEPT, maxMapLength: 32, maxExtLength: 0 })

/** What tells one item from all others: the path of a file; what the store has may have several names. */
export function idOf ({ where, location, entry }: Item): string {
  return where === 'file' ? location : `\0${where === 'blob' ? '\0' : ''}${location}\0${entry.name}`
}

/** Reads and writes the records. */
export class Records {
  readonly #datastore: Datastore
  readonly #log: Logger
  readonly #entries: string
  readonly #nodes: string
  readonly #roots: string

  /** @param at - the key that all of them are below */
  constructor (datastore: Datastore, log: Logger, at = DEFAULT_RECORDS) {
    this.#datastore = datastore
    this.#log = log
    this.#entries = `${at}/entries/`
    this.#nodes = `${at}/nodes/`
    this.#roots = `${at}/roots/`
  }

  /** All items there are. */
  items (options?: AbortOptions): AsyncGenerator<Item> {
    return this.#all(this.#entries, parseItem, options)
  }

  async putItem (item: Item, options?: AbortOptions): Promise<void> {
    await this.#datastore.put(hashedKey(this.#entries, idOf(item)), encodeItem(item), options)
  }

  async deleteItem (item: Item): Promise<void> {
    await this.#datastore.delete(hashedKey(this.#entries, idOf(item)))
  }

  /** All watched roots. */
  roots (options?: AbortOptions): AsyncGenerator<Root> {
    return this.#all(this.#roots, parseRoot, options)
  }

  async putRoot (root: Root, options?: AbortOptions): Promise<void> {
    await this.#datastore.put(hashedKey(this.#roots, root.path), encode(root), options)
  }

  async deleteRoot (path: string): Promise<void> {
    await this.#datastore.delete(hashedKey(this.#roots, path))
  }

  /** Keeps what of a manifest cannot be told from its CID. */
  async putManifest (manifest: Manifest, options?: AbortOptions): Promise<void> {
    if (manifest.nodes.size > 0) {
      await this.#datastore.put(this.#nodesKey(manifest.root), encode([...manifest.nodes.values()]), options)
    }
  }

  async deleteManifest (root: CID): Promise<void> {
    await this.#datastore.delete(this.#nodesKey(root))
  }

  /** The manifest of a content; `undefined` if its nodes are lost. */
  async manifest (root: CID, size: number, options?: AbortOptions): Promise<Manifest | undefined> {
    try {
      if (size <= PIECE_SIZE) {
        return Manifest.single(root, size)
      }

      const nodes = decodeNodes(await this.#datastore.get(this.#nodesKey(root), options))
      const manifest = readManifest(root, nodes)

      return manifest?.size === size ? manifest : undefined
    } catch (err) {
      options?.signal?.throwIfAborted()
      this.#log('nodes of %c cannot be read - %e', root, err)
    }
  }

  #nodesKey (root: CID): Key {
    return new Key(`${this.#nodes}${root}`, false)
  }

  async * #all<T> (prefix: string, parse: Parse<T>, options?: AbortOptions): AsyncGenerator<T> {
    const broken: Key[] = []

    for await (const { key, value } of this.#datastore.query({ prefix }, options)) {
      try {
        yield parse(decoder.decode(value))
      } catch (err) {
        this.#log('dropping record %k - %e', key, err)
        broken.push(key)
      }
    }

    for (const key of broken) {
      await this.#datastore.delete(key)
    }
  }
}

function encodeItem ({ entry, where, location, version }: Item): Uint8Array {
  return encode({ ...entry, cid: entry.cid.bytes, where, location, version }, { ignoreUndefined: true })
}

function parseItem (value: unknown): Item {
  const fields = parseFields(value, 'item')
  const mediaType = parseOptional(fields.mediaType, type => parseString(type, 'item.mediaType', 255))
  const modified = parseOptional(fields.modified, time => parseInteger(time, 'item.modified', Number.MIN_SAFE_INTEGER))

  return {
    entry: {
      // copied, since a view would keep the whole record in memory
      cid: CID.decode(Uint8Array.from(parseBytes(fields.cid, 'item.cid', 36, 36))),
      name: parseName(fields.name),
      path: parseString(fields.path, 'item.path', MAX_PATH_LENGTH),
      size: parseInteger(fields.size, 'item.size', 0, MAX_CONTENT_SIZE),
      ...(mediaType != null && { mediaType }),
      ...(modified != null && { modified })
    },
    where: parseWhere(fields.where),
    location: parseString(fields.location, 'item.location', MAX_PATH_LENGTH),
    version: parseString(fields.version, 'item.version', 1024)
  }
}

function parseName (value: unknown): string {
  const name = parseString(value, 'item.name', MAX_NAME_SIZE)
  const fault = nameFault(name)

  if (fault != null) {
    throw new TypeError(`item.name cannot be used: ${fault}`)
  }

  return name
}

function parseWhere (value: unknown): Item['where'] {
  if (value !== 'file' && value !== 'store') {
    throw new TypeError('item.where should be file or store')
  }

  return value
}

function parseRoot (value: unknown): Root {
  const fields = parseFields(value, 'root')

  return {
    path: parseString(fields.path, 'root.path', MAX_PATH_LENGTH),
    hidden: fields.hidden === true,
    except: parseList(fields.except, 'root.except', MAX_EXCEPT, path => parseString(path, 'root.except', MAX_PATH_LENGTH))
  }
}

function decodeNodes (bytes: Uint8Array): Uint8Array[] {
  return parseList(decoder.decode(bytes), 'nodes', MAX_NODES, node => parseBytes(node, 'node', 1, MAX_NODE_SIZE))
}

function readManifest (root: CID, nodes: Uint8Array[]): Manifest | undefined {
  const byHash = new Map(nodes.map(bytes => [base32.baseEncode(hashSync(bytes)), bytes]))
  const reader = new ManifestReader(root)

  while (reader.manifest == null) {
    for (const cid of reader.wanted()) {
      const bytes = byHash.get(base32.baseEncode(cid.multihash.digest))

      if (bytes == null) {
        return undefined
      }

      reader.accept(cid, bytes)
    }
  }

  return reader.manifest
}

/** Paths are too long, and have too much in them, for keys of some datastores. */
function hashedKey (prefix: string, id: string): Key {
  return new Key(prefix + base32.baseEncode(hashSync(new TextEncoder().encode(id))), false)
}
