import { HASH_SIZE, MAX_LINKS, PIECE_SIZE } from './constants.ts'
import { hashSync } from './hash.ts'
import { cidAt, encodeNode, isPieceCid } from './node.ts'
import { InvalidParametersError } from '../errors.ts'
import type { Child } from './node.ts'
import type { CID } from 'multiformats/cid'

/** What {@link ManifestBuilder} and {@link ManifestReader} know about a content when they are done. */
export interface ManifestInit {
  root: CID
  size: number

  /** Digests of the pieces, joined, `MAX_LINKS` of them in each but the last. */
  hashes: Uint8Array[]
  nodes: ReadonlyMap<string, Uint8Array>
}

/** The pieces of a content, their hashes, and the nodes that prove them. */
export class Manifest {
  /** The name of the content. */
  readonly root: CID

  /** Bytes in the content. */
  readonly size: number

  /** Pieces in the content. An empty content has one, which is empty. */
  readonly pieceCount: number

  /** Interior nodes by CID, the root among them; none if there is one piece. */
  readonly nodes: ReadonlyMap<string, Uint8Array>

  readonly #hashes: Uint8Array[]

  /** Trusts `init`. Made by a {@link ManifestBuilder} or {@link ManifestReader}, or by {@link Manifest.single}. */
  constructor (init: ManifestInit) {
    this.root = init.root
    this.size = init.size
    this.pieceCount = Math.max(1, Math.ceil(init.size / PIECE_SIZE))
    this.nodes = init.nodes
    this.#hashes = init.hashes
  }

  /**
   * The manifest of a content of one piece, whose CID says all but the size.
   *
   * @throws {InvalidParametersError} this CID or size cannot be that of one piece
   */
  static single (cid: CID, size: number): Manifest {
    if (!isPieceCid(cid)) {
      throw new InvalidParametersError(`${cid} is not a CIDv1 of raw bytes with SHA-256`)
    }

    if (!Number.isSafeInteger(size) || size < 0 || size > PIECE_SIZE) {
      throw new InvalidParametersError(`One piece has 0 to ${PIECE_SIZE} bytes, not ${size}`)
    }

    return new Manifest({ root: cid, size, hashes: [cid.multihash.digest], nodes: new Map() })
  }

  /**
   * SHA-256 of a piece; not a copy, so do not change it.
   *
   * @throws {InvalidParametersError} there is no such piece
   */
  hash (piece: number): Uint8Array {
    this.#assertPiece(piece)
    const start = (piece % MAX_LINKS) * HASH_SIZE

    return this.#hashes[Math.floor(piece / MAX_LINKS)].subarray(start, start + HASH_SIZE)
  }

  /**
   * Bytes in a piece: `PIECE_SIZE`, but for the last.
   *
   * @throws {InvalidParametersError} there is no such piece
   */
  pieceSize (piece: number): number {
    this.#assertPiece(piece)

    return Math.min(PIECE_SIZE, this.size - piece * PIECE_SIZE)
  }

  #assertPiece (piece: number): void {
    if (!Number.isInteger(piece) || piece < 0 || piece >= this.pieceCount) {
      throw new InvalidParametersError(`There is no piece ${piece} among ${this.pieceCount}`)
    }
  }
}

/**
 * Makes the manifest of a content from the hashes of its pieces, in order.
 *
 * A node is made as soon as it has all its links, so memory is that of the
 * manifest (some 80 bytes a piece), and no call takes longer than a few ms.
 *
 * @example
 *
 * ```ts
 * const builder = new ManifestBuilder()
 * builder.add(await hashPiece(bytes), bytes.byteLength)
 *
 * const { root } = builder.finish()
 * ```
 */
export class ManifestBuilder {
  /** Children of each level that have no parent yet; level 0 are the pieces. */
  readonly #levels: Child[][] = [[]]
  readonly #hashes: Uint8Array[] = []
  readonly #nodes = new Map<string, Uint8Array>()
  #size = 0
  #ended = false

  /**
   * Adds the next piece.
   *
   * @param size - `PIECE_SIZE`, or less for the last piece, or 0 if it is the only one
   * @throws {InvalidParametersError} no piece of this size can come here, or `hash` is not 32 bytes; nothing was added
   */
  add (hash: Uint8Array, size: number): void {
    if (hash.byteLength !== HASH_SIZE) {
      throw new InvalidParametersError(`A hash has ${HASH_SIZE} bytes, not ${hash.byteLength}`)
    }

    if (this.#ended) {
      throw new InvalidParametersError('Only the last piece may be short')
    }

    if (!Number.isInteger(size) || size > PIECE_SIZE || size < (this.#size === 0 ? 0 : 1)) {
      throw new InvalidParametersError(`A piece cannot have ${size} bytes`)
    }

    this.#size += size
    this.#ended = size < PIECE_SIZE
    this.#push(0, { hash: Uint8Array.from(hash), size, tsize: size })
  }

  /**
   * The manifest of all pieces added; without any, that of the empty content.
   * The builder takes no more after this.
   *
   * @throws {InvalidParametersError} it was called before
   */
  finish (): Manifest {
    if (this.#levels[0] == null) {
      throw new InvalidParametersError('The manifest is finished')
    }

    if (this.#size === 0 && !this.#ended) {
      this.add(hashSync(new Uint8Array()), 0)
    }

    for (let level = 0; level < this.#levels.length - 1 || this.#levels[level].length > 1; level++) {
      this.#fold(level)
    }

    const level = this.#levels.length - 1
    const root = cidAt(level, this.#levels[level][0].hash)

    if (level === 0) {
      this.#hashes.push(root.multihash.digest)
    }

    this.#levels.length = 0
    this.#ended = true

    return new Manifest({ root, size: this.#size, hashes: this.#hashes, nodes: this.#nodes })
  }

  #push (level: number, child: Child): void {
    const children = this.#levels[level] ??= []
    children.push(child)

    if (children.length === MAX_LINKS) {
      this.#fold(level)
    }
  }

  /** Gives the children of a level a parent. */
  #fold (level: number): void {
    const children = this.#levels[level]

    if (children.length === 0) {
      return
    }

    this.#levels[level] = []
    const bytes = encodeNode(level + 1, children)
    const hash = hashSync(bytes)
    this.#nodes.set(cidAt(level + 1, hash).toString(), bytes)

    if (level === 0) {
      this.#hashes.push(joinHashes(children.map(child => child.hash)))
    }

    this.#push(level + 1, {
      hash,
      size: children.reduce((sum, child) => sum + child.size, 0),
      tsize: children.reduce((sum, child) => sum + child.tsize, bytes.byteLength)
    })
  }
}

/** Digests one after another. */
export function joinHashes (hashes: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(hashes.length * HASH_SIZE)
  hashes.forEach((hash, i) => { joined.set(hash, i * HASH_SIZE) })

  return joined
}
