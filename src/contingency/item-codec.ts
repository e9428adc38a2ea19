/**
 * Items as bytes, and which items there can be.
 *
 * | item | as MessagePack |
 * | --- | --- |
 * | entry | `[0, version, cid, size, path, name, mediaType or nil, modified or nil]` |
 * | vault | `[1, version, key, cid, size, name]` |
 * | gone | `[2, version, key]` |
 *
 * The key of an entry is not written: it follows from the rest.
 *
 * @module
 */

import { Encoder } from '@msgpack/msgpack'
import { base16 } from 'multiformats/bases/base16'
import { CID } from 'multiformats/cid'
import { hashSync, isNodeCid, isPieceCid, MAX_CONTENT_SIZE, PIECE_SIZE } from '../content/index.ts'
import { MAX_NAME_SIZE, nameFault } from '../content/names.ts'
import { parseBytes, parseInteger, parseList, parseOptional, parseString } from '../wire/parse.ts'
import type { EntryItem, Item, ItemKey, Tombstone, VaultItem } from './items.ts'
import type { Entry } from '../content/index.ts'

/** Bytes of a key. */
export const KEY_SIZE = 16

/** Bytes of a CIDv1 with SHA-256. */
export const CID_SIZE = 36

/** UTF-16 code units in a path, at most: what Linux takes in bytes. */
const MAX_PATH_LENGTH = 4096

/** Characters in a media type: twice 127, and the slash, by RFC 6838. */
const MAX_MEDIA_TYPE_LENGTH = 255

/** The encrypted name of a value: the longest, which is padded, with all that is around it. */
const MAX_SEALED_NAME_SIZE = 512

const KEY = /^[\da-f]{32}$/

const ENTRY = 0
const VAULT = 1
const GONE = 2

/** One for all: to make an encoder takes longer than to encode an item. */
const encoder = new Encoder()

/** Names an entry among the items of its node: the first 16 bytes of SHA-256 over its CID, path and name, as MessagePack. */
export function entryKey ({ cid, path, name }: Pick<Entry, 'cid' | 'path' | 'name'>): ItemKey {
  return keyOfBytes(hashSync(encoder.encode([cid.bytes, pathToKeep(path), name])).subarray(0, KEY_SIZE))
}

/**
 * The item of an entry. What a stranger would not take is left out: a path
 * that is too long, and a media type that is none.
 *
 * @throws {TypeError} its name, CID or size is none that an entry can have
 */
export function entryItem ({ cid, size, name, path, mediaType, modified }: Entry, version: number): EntryItem {
  const item: EntryItem = {
    type: 'entry',
    key: entryKey({ cid, path, name }),
    version,
    cid,
    size,
    name,
    path: pathToKeep(path),
    ...(mediaType != null && mediaTypeFault(mediaType) == null && { mediaType }),
    ...(Number.isSafeInteger(modified) && { modified })
  }
  checkItem(item)

  return item
}

/** The key of 16 bytes. */
export function keyOfBytes (bytes: Uint8Array): ItemKey {
  return base16.baseEncode(bytes)
}

/** The bytes of a key. */
export function bytesOfKey (key: ItemKey): Uint8Array {
  return base16.baseDecode(key)
}

/** What is encoded of an item. */
export function toWire (item: Item): unknown[] {
  switch (item.type) {
    case 'entry': return [ENTRY, item.version, item.cid.bytes, item.size, item.path, item.name, item.mediaType ?? null, item.modified ?? null]
    case 'vault': return [VAULT, item.version, bytesOfKey(item.key), item.cid.bytes, item.size, item.name]
    case 'gone': return [GONE, item.version, bytesOfKey(item.key)]
  }
}

/** An item as bytes, always the same ones. */
export function encodeItem (item: Item): Uint8Array {
  return encoder.encode(toWire(item))
}

/** A list of items as bytes. */
export function encodeItems (items: Item[]): Uint8Array {
  return encoder.encode(items.map(toWire))
}

/**
 * Reads an item of a value that was decoded.
 *
 * @throws {TypeError} it is none
 */
export function parseItem (value: unknown): Item {
  const [type, version, ...rest] = parseList<unknown>(value, 'item', 8, field => field)
  const item = readItem(type, version as number, rest)
  checkItem(item)

  return item
}

function readItem (type: unknown, version: number, rest: unknown[]): Item {
  switch (type) {
    case ENTRY: return readEntry(version, rest)
    case VAULT: return readVault(version, rest)
    case GONE: return { type: 'gone', key: parseKey(rest[0]), version } satisfies Tombstone
    default: throw new TypeError('item should be of a known type')
  }
}

function readEntry (version: number, [cidBytes, size, path, name, type, time]: unknown[]): EntryItem {
  const cid = parseCid(cidBytes)
  const named = { cid, path: parseString(path, 'item.path', MAX_PATH_LENGTH), name: parseString(name, 'item.name', MAX_NAME_SIZE) }
  const mediaType = parseOptional(type, text => parseString(text, 'item.mediaType', MAX_MEDIA_TYPE_LENGTH))
  const modified = parseOptional(time, ms => parseInteger(ms, 'item.modified', Number.MIN_SAFE_INTEGER))

  return {
    type: 'entry',
    key: entryKey(named),
    version,
    size: size as number,
    ...named,
    ...(mediaType != null && { mediaType }),
    ...(modified != null && { modified })
  }
}

function readVault (version: number, [key, cid, size, name]: unknown[]): VaultItem {
  return {
    type: 'vault',
    key: parseKey(key),
    version,
    cid: parseCid(cid),
    size: size as number,
    // copied, since a view would keep the whole page in memory
    name: parseBytes(name, 'item.name', 1, MAX_SEALED_NAME_SIZE).slice()
  }
}

function parseKey (value: unknown): ItemKey {
  return keyOfBytes(parseBytes(value, 'item.key', KEY_SIZE, KEY_SIZE))
}

function parseCid (value: unknown): CID {
  return CID.decode(parseBytes(value, 'item.cid', CID_SIZE, CID_SIZE).slice())
}

/**
 * Looks at everything about an item but whether its key is that of its entry.
 *
 * @throws {TypeError} there is no such item
 */
export function checkItem (item: Item): void {
  parseInteger(item.version, 'item.version')

  if (!KEY.test(item.key)) {
    throw new TypeError('item.key should be 32 hex digits in lower case')
  }

  if (item.type === 'gone') {
    return
  }

  parseInteger(item.size, 'item.size', 0, MAX_CONTENT_SIZE)

  // a content of one piece is named by its only piece
  if (!(item.size <= PIECE_SIZE ? isPieceCid(item.cid) : isNodeCid(item.cid))) {
    throw new TypeError(`item.cid should be that of ${item.size} bytes`)
  }

  if (item.type === 'vault') {
    parseBytes(item.name, 'item.name', 1, MAX_SEALED_NAME_SIZE)
  } else {
    checkEntry(item)
  }
}

function checkEntry ({ name, path, mediaType, modified }: EntryItem): void {
  const fault = nameFault(name) ?? pathFault(path) ?? (mediaType == null ? undefined : mediaTypeFault(mediaType))

  if (fault != null) {
    throw new TypeError(`item cannot be used: ${fault}`)
  }

  parseOptional(modified, time => parseInteger(time, 'item.modified', Number.MIN_SAFE_INTEGER))
}

function pathFault (path: string): string | undefined {
  if (path.length > MAX_PATH_LENGTH) {
    return `its path is longer than ${MAX_PATH_LENGTH} characters`
  }

  return path !== '' && path.split('/').some(folder => nameFault(folder) != null) ? 'a folder has a name that none has' : undefined
}

function mediaTypeFault (type: string): string | undefined {
  return type.length <= MAX_MEDIA_TYPE_LENGTH && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type) ? undefined : 'its media type is none'
}

function pathToKeep (path: string): string {
  return pathFault(path) == null ? path : ''
}
