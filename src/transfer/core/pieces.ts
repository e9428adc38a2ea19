/**
 * A piece on its way: which of its blocks are missing, asked for, or here.
 *
 * @module
 */

import { BLOCK_SIZE } from '../constants.ts'
import { blockCount } from './messages.ts'
import type { Range } from './messages.ts'
import type { PeerKey } from '../../core.ts'

const MISSING = 0
const ASKED = 1
const HERE = 2

/** Blocks in a full piece; a block's id is `piece * BLOCKS + index`. */
export const BLOCKS = 16

/** A block of any piece, as one number. */
export type BlockId = number

export function blockId (piece: number, begin: number): BlockId {
  return piece * BLOCKS + begin / BLOCK_SIZE
}

export function pieceOf (id: BlockId): number {
  return Math.floor(id / BLOCKS)
}

/** Where a block begins in its piece, in bytes. */
export function beginOf (id: BlockId): number {
  return id % BLOCKS * BLOCK_SIZE
}

/** Some blocks. */
export type Blocks = Pick<ReadonlySet<BlockId>, 'has' | 'size'>

/** A piece that was begun and is not yet verified. */
export class OpenPiece {
  readonly piece: number

  /** Bytes in the piece. */
  readonly size: number

  /** Who began it, and goes on with it as long as there is nothing better. */
  owner: PeerKey | undefined

  /** All of it must come from the owner, so that it is known who sent what. */
  solo: boolean

  /** Who sent blocks of it. */
  readonly contributors = new Set<PeerKey>()

  readonly #blocks: Uint8Array
  #missing: number
  #left: number

  constructor (piece: number, size: number, owner: PeerKey, solo: boolean) {
    this.piece = piece
    this.size = size
    this.owner = owner
    this.solo = solo
    this.#blocks = new Uint8Array(blockCount(size))
    this.#missing = this.#blocks.length
    this.#left = this.#blocks.length
  }

  /** `true` if a block is neither here nor asked for. */
  get wanting (): boolean {
    return this.#missing > 0
  }

  /** `true` if no block is here or asked for. */
  get untouched (): boolean {
    return this.#missing === this.#blocks.length
  }

  /** `true` if every block is here. */
  get complete (): boolean {
    return this.#left === 0
  }

  /** `true` if the block is here. */
  isHere (begin: number): boolean {
    return this.#blocks[begin / BLOCK_SIZE] === HERE
  }

  /** `true` if a block is missing that is not among `except`. */
  wants (except: Blocks): boolean {
    return this.wanting && (except.size === 0 || this.#firstMissing(except) !== -1)
  }

  /**
   * Marks the first missing blocks that lie together, and are not among
   * `except`, as asked for: at most `bytes`, at least one block. There must be
   * one, see {@link OpenPiece.wants}.
   */
  ask (bytes: number, except: Blocks): Range {
    const first = this.#firstMissing(except)
    const most = Math.max(1, Math.floor(bytes / BLOCK_SIZE))
    let end = first

    while (end - first < most && this.#isMissing(end, except)) {
      this.#blocks[end++] = ASKED
      this.#missing--
    }

    const begin = first * BLOCK_SIZE

    return { piece: this.piece, begin, length: Math.min(end * BLOCK_SIZE, this.size) - begin }
  }

  #firstMissing (except: Blocks): number {
    return this.#blocks.findIndex((_, index) => this.#isMissing(index, except))
  }

  #isMissing (index: number, except: Blocks): boolean {
    return this.#blocks[index] === MISSING && !except.has(this.piece * BLOCKS + index)
  }

  /** A block that was asked for will not come. */
  release (begin: number): void {
    const index = begin / BLOCK_SIZE

    if (this.#blocks[index] === ASKED) {
      this.#blocks[index] = MISSING
      this.#missing++
    }
  }

  /** A block is here. */
  arrived (begin: number, from: PeerKey): void {
    const index = begin / BLOCK_SIZE

    if (this.#blocks[index] === MISSING) {
      this.#missing--
    }

    this.#blocks[index] = HERE
    this.#left--
    this.contributors.add(from)
  }

  /** Forgets every block; what is asked for must have been taken back. */
  reset (): void {
    this.#blocks.fill(MISSING)
    this.#missing = this.#blocks.length
    this.#left = this.#blocks.length
    this.contributors.clear()
    this.owner = undefined
  }
}
