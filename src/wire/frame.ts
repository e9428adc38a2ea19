/**
 * Frames: `uint32be n`, then `n` bytes, one after another.
 *
 * A fixed-size header rather than a varint: one length to read, no malformed
 * prefix to handle, and nothing to wait for before it can be checked.
 *
 * @module
 */

import { Uint8ArrayList } from 'uint8arraylist'
import { MessageTooLargeError } from '../errors.ts'

/** Bytes of a frame before its body. */
export const HEADER_SIZE = 4

/** Puts the header before a body. The body is not copied. */
export function encodeFrame (body: Uint8Array | Uint8ArrayList): Uint8ArrayList {
  const header = new Uint8Array(HEADER_SIZE)
  new DataView(header.buffer).setUint32(0, body.byteLength)

  return new Uint8ArrayList(header, body)
}

/**
 * Cuts a stream of bytes back into frames.
 *
 * Holds no more than one frame that is not yet whole, and refuses its size
 * before any of it is kept.
 */
export class FrameDecoder {
  readonly #maxSize: number
  readonly #unread = new Uint8ArrayList()
  #bodySize: number | undefined

  /** @param maxSize - largest body to accept, in bytes */
  constructor (maxSize: number) {
    this.#maxSize = maxSize
  }

  /**
   * Takes what arrived and yields the bodies of the frames it completes. A
   * body stays valid, and is a view of the bytes that were pushed.
   *
   * @throws {MessageTooLargeError} the next body is announced as larger than `maxSize`; push nothing more
   */
  * push (bytes: Uint8Array | Uint8ArrayList): Generator<Uint8ArrayList> {
    this.#unread.append(bytes)

    for (;;) {
      if (this.#bodySize === undefined) {
        if (this.#unread.byteLength < HEADER_SIZE) {
          return
        }

        this.#bodySize = this.#unread.getUint32(0)
        this.#unread.consume(HEADER_SIZE)

        if (this.#bodySize > this.#maxSize) {
          throw new MessageTooLargeError(`A message of ${this.#bodySize} bytes is over the limit of ${this.#maxSize}`)
        }
      }

      if (this.#unread.byteLength < this.#bodySize) {
        return
      }

      const body = this.#unread.sublist(0, this.#bodySize)
      this.#unread.consume(this.#bodySize)
      this.#bodySize = undefined
      yield body
    }
  }

  /** Bytes of a frame that has begun and is not yet whole. */
  get pending (): number {
    return this.#unread.byteLength + (this.#bodySize === undefined ? 0 : HEADER_SIZE)
  }
}
