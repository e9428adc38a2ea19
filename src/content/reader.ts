import { HASH_SIZE, MAX_CONTENT_SIZE, MAX_LINKS, MAX_NODE_SIZE, PIECE_SIZE } from './constants.ts'
import { hashSync } from './hash.ts'
import { joinHashes, Manifest } from './manifest.ts'
import { childrenOf, cidAt, decodeFileSize, decodeNode, encodeNode, fullSize, isNodeCid, rootLevel } from './node.ts'
import { InvalidManifestError, InvalidParametersError } from '../errors.ts'
import type { CID } from 'multiformats/cid'

/** Settings of a {@link ManifestReader}. */
export interface ManifestReaderInit {
  /**
   * Largest content to accept, in bytes.
   *
   * @default 1_099_511_627_776
   */
  maxSize?: number
}

/** Where a node stands: the `index`-th of its level, counted from the left. */
interface Place {
  level: number
  index: number
}

/** A node that somebody has to give us, and all places that name it. */
interface Missing {
  cid: CID
  places: Place[]
}

/** How many nodes to name at once, unless told: 64 of at most 64 KiB. */
const WANTED = 64

/**
 * Rebuilds a manifest from nodes that strangers give.
 *
 * Only the very nodes that {@link ManifestBuilder} makes for a content of this
 * size are accepted: the root says the size, the size says everything but the
 * hashes, and each node is checked against the hash that named it. So what a
 * hostile root can cost is bounded before it is spent, and what is complete is
 * true.
 *
 * A content of one piece has no interior nodes and needs no reader, but
 * {@link Manifest.single}.
 *
 * @example
 *
 * ```ts
 * const reader = new ManifestReader(root)
 *
 * while (reader.manifest == null) {
 *   for (const cid of reader.wanted()) {
 *     reader.accept(cid, await ask(cid))
 *   }
 * }
 * ```
 */
export class ManifestReader {
  readonly #root: CID
  readonly #maxSize: number
  readonly #missing = new Map<string, Missing>()
  readonly #nodes = new Map<string, Uint8Array>()

  /** Of each node of level 1, the digests of its pieces. */
  #hashes: Uint8Array[] = []
  #unread = 0
  #size = 0
  #manifest?: Manifest
  #invalid?: InvalidManifestError

  /**
   * @throws {InvalidManifestError} `root` is not a CIDv1 of dag-pb with SHA-256
   * @throws {InvalidParametersError} `maxSize` is negative or not a number
   */
  constructor (root: CID, init: ManifestReaderInit = {}) {
    if (!isNodeCid(root)) {
      throw new InvalidManifestError(`${root} is not a CIDv1 of dag-pb with SHA-256`)
    }

    const maxSize = init.maxSize ?? MAX_CONTENT_SIZE

    if (!(maxSize >= 0)) {
      throw new InvalidParametersError(`maxSize cannot be ${maxSize}`)
    }

    this.#root = root
    this.#maxSize = Math.min(maxSize, Number.MAX_SAFE_INTEGER)
    this.#missing.set(root.toString(), { cid: root, places: [] })
  }

  /** The manifest, once all nodes were accepted. */
  get manifest (): Manifest | undefined {
    return this.#manifest
  }

  /**
   * Set once a node with the right hash is not what the profile allows: the
   * content itself is at fault, not who gave the node, and nobody can give a
   * better one.
   */
  get invalid (): InvalidManifestError | undefined {
    return this.#invalid
  }

  /** Nodes that are missing, up to `limit` of them; accept these to learn of others. */
  wanted (limit = WANTED): CID[] {
    return Array.from(this.#missing.values()).slice(0, limit).map(({ cid }) => cid)
  }

  /**
   * Takes a node that was wanted. The bytes are not kept, so they may be
   * reused after.
   *
   * @throws {InvalidManifestError} this node was not wanted, or the bytes are
   * not it: nothing changed, and another may give it. Or the content is
   * {@link ManifestReader.invalid}.
   */
  accept (cid: CID, bytes: Uint8Array): void {
    if (this.#invalid != null) {
      throw this.#invalid
    }

    const key = cid.toString()
    const missing = this.#missing.get(key)

    if (missing == null) {
      throw new InvalidManifestError(`Node ${key} is not wanted`)
    }

    if (bytes.byteLength > MAX_NODE_SIZE) {
      throw new InvalidManifestError(`Node of ${bytes.byteLength} bytes is over the limit of ${MAX_NODE_SIZE}`)
    }

    if (!equals(hashSync(bytes), cid.multihash.digest)) {
      throw new InvalidManifestError(`Node ${key} does not match its hash`)
    }

    try {
      this.#read(key, missing, bytes)
    } catch (err) {
      throw this.#giveUp(new InvalidManifestError(`Node ${key} is not of the profile`, { cause: err }))
    }
  }

  #read (key: string, { places }: Missing, bytes: Uint8Array): void {
    const { data, hashes } = decodeNode(bytes)

    if (!hashes.every(hash => hash.byteLength === HASH_SIZE)) {
      throw new InvalidManifestError('A link is not to a SHA-256 hash')
    }

    if (this.#size === 0) {
      places.push(this.#measure(data))
    }

    this.#missing.delete(key)
    this.#fill(key, places, hashes, bytes)

    if (this.#unread === 0) {
      this.#manifest = new Manifest({ root: this.#root, size: this.#size, hashes: this.#hashes, nodes: this.#nodes })
      this.#hashes = []
    }
  }

  /** Believes the root's size for now, if it is bearable; `#fill` checks it. */
  #measure (data?: Uint8Array): Place {
    const size = data == null ? 0 : decodeFileSize(data)

    if (size <= PIECE_SIZE || size > this.#maxSize) {
      throw new InvalidManifestError(`Content of ${size} bytes is not between ${PIECE_SIZE} and ${this.#maxSize}`)
    }

    this.#size = size
    this.#unread = Math.ceil(size / fullSize(1))

    return { level: rootLevel(size), index: 0 }
  }

  /** Puts a node where it stands, after checking that no other node with these hashes may stand there. */
  #fill (key: string, places: Place[], hashes: Uint8Array[], bytes: Uint8Array): void {
    const digests = joinHashes(hashes)
    let checked = ''

    for (const { level, index } of places) {
      const full = fullSize(level)
      const size = Math.min(full, this.#size - index * full)

      // a file of zeros has the same node in a thousand places
      if (checked !== `${level} ${size}`) {
        assertNode(level, size, hashes, bytes)
        checked = `${level} ${size}`
      }

      if (level === 1) {
        this.#hashes[index] = digests
        this.#unread--
      } else {
        hashes.forEach((hash, i) => { this.#want(cidAt(level - 1, hash), { level: level - 1, index: index * MAX_LINKS + i }) })
      }
    }

    // a copy: theirs may be a view of something larger
    this.#nodes.set(key, Uint8Array.from(bytes))
  }

  /** Equal bytes have equal nodes, so one may stand in many places. */
  #want (cid: CID, place: Place): void {
    const key = cid.toString()
    const known = this.#nodes.get(key)

    if (known != null) {
      this.#fill(key, [place], decodeNode(known).hashes, known)

      return
    }

    const missing = this.#missing.get(key) ?? { cid, places: [] }
    missing.places.push(place)
    this.#missing.set(key, missing)
  }

  #giveUp (err: InvalidManifestError): InvalidManifestError {
    this.#invalid = err
    this.#missing.clear()
    this.#nodes.clear()
    this.#hashes = []

    return err
  }
}

/** Throws unless `bytes` are the one node with these hashes that may stand at `level` above `size` bytes. */
function assertNode (level: number, size: number, hashes: Uint8Array[], bytes: Uint8Array): void {
  const children = childrenOf(level, size)

  if (hashes.length !== children.length) {
    throw new InvalidManifestError(`There are ${hashes.length} links instead of ${children.length}`)
  }

  if (!equals(encodeNode(level, children.map((child, i) => ({ ...child, hash: hashes[i] }))), bytes)) {
    throw new InvalidManifestError(`Sizes, links or encoding are not those of ${size} bytes`)
  }
}

function equals (a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i])
}
