import { PIECE_SIZE } from '../content/index.ts'
import { MEMORY_BUDGET } from './constants.ts'
import { copyBytes } from './codec.ts'
import type { Budget } from './core/download.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

/** Buffers kept for the next piece, instead of leaving them to the garbage collector. */
const MAX_SPARE = 8

/**
 * Memory for pieces on their way, shared by all downloads: how much there is,
 * and the buffers themselves, which are used again and again.
 */
export class PieceBuffers implements Budget {
  readonly #size: number
  #left: number
  readonly #spare: Uint8Array[] = []

  constructor (size = MEMORY_BUDGET) {
    this.#size = size
    this.#left = size
  }

  /** Takes `bytes` if they are to be had; in the background half of all is left to others, unless nobody has any. */
  take (bytes: number, background = false): boolean {
    const reserve = background && this.#left < this.#size ? this.#size / 2 : 0

    if (bytes > this.#left - reserve) {
      return false
    }

    this.#left -= bytes

    return true
  }

  give (bytes: number): void {
    this.#left += bytes
  }

  /** A buffer of `size` bytes, with anything in it. */
  acquire (size: number): Uint8Array {
    return size === PIECE_SIZE ? this.#spare.pop() ?? new Uint8Array(size) : new Uint8Array(size)
  }

  /** Takes a buffer back that nobody uses any more. */
  release (buffer: Uint8Array): void {
    if (buffer.byteLength === PIECE_SIZE && this.#spare.length < MAX_SPARE) {
      this.#spare.push(buffer)
    }
  }
}

/** The pieces of one download that are on their way. */
export class OpenBuffers implements Budget {
  readonly #buffers: PieceBuffers
  readonly #open = new Map<number, Uint8Array>()
  #taken = 0

  /** Leaves half of the memory to others. */
  background: boolean

  constructor (buffers: PieceBuffers, background = false) {
    this.#buffers = buffers
    this.background = background
  }

  take (bytes: number): boolean {
    const taken = this.#buffers.take(bytes, this.background)
    this.#taken += taken ? bytes : 0

    return taken
  }

  give (bytes: number): void {
    this.#taken -= bytes
    this.#buffers.give(bytes)
  }

  /** Keeps a block of a piece of `size` bytes. */
  put (piece: number, size: number, begin: number, bytes: Uint8Array | Uint8ArrayList): void {
    let buffer = this.#open.get(piece)

    if (buffer == null) {
      buffer = this.#buffers.acquire(size)
      this.#open.set(piece, buffer)
    }

    copyBytes(bytes, buffer, begin)
  }

  /** The bytes of a piece, which must be given back by `release` afterwards. */
  remove (piece: number): Uint8Array {
    const buffer = this.#open.get(piece) ?? new Uint8Array()
    this.#open.delete(piece)

    return buffer
  }

  release (buffer: Uint8Array): void {
    this.#buffers.release(buffer)
  }

  /** Forgets a piece. */
  discard (piece: number): void {
    this.release(this.remove(piece))
  }

  /** Forgets all of them, and gives back what was taken for them. */
  clear (): void {
    for (const piece of [...this.#open.keys()]) {
      this.discard(piece)
    }

    this.give(this.#taken)
  }
}
