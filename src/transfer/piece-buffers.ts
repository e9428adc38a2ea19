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
  #left: number
  readonly #spare: Uint8Array[] = []

  constructor (size = MEMORY_BUDGET) {
    this.#left = size
  }

  take (bytes: number): boolean {
    if (bytes > this.#left) {
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

  constructor (buffers: PieceBuffers) {
    this.#buffers = buffers
  }

  take (bytes: number): boolean {
    const taken = this.#buffers.take(bytes)
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
