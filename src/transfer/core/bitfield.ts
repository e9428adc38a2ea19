/**
 * A set of pieces: piece 0 is the highest bit of byte 0, as in BitTorrent
 * (BEP 3); spare bits at the end are zero.
 *
 * @module
 */

/** Which of `size` pieces are there. */
export class Bitfield {
  /** Pieces there can be. */
  readonly size: number

  readonly #bytes: Uint8Array
  #count = 0

  /**
   * @param bytes - taken over, not copied
   * @throws {TypeError} not the bytes that `size` needs, or a spare bit is set
   */
  constructor (size: number, bytes: Uint8Array = new Uint8Array(Math.ceil(size / 8))) {
    const spare = bytes.byteLength * 8 - size

    if (spare < 0 || spare > 7 || (spare > 0 && (bytes[bytes.byteLength - 1] & ((1 << spare) - 1)) !== 0)) {
      throw new TypeError(`${bytes.byteLength} bytes are not a bitfield of ${size}`)
    }

    this.size = size
    this.#bytes = bytes

    for (let byte of bytes) {
      for (; byte !== 0; byte &= byte - 1) {
        this.#count++
      }
    }
  }

  /** With every piece set. */
  static full (size: number): Bitfield {
    const bytes = new Uint8Array(Math.ceil(size / 8)).fill(0xff)
    const spare = bytes.byteLength * 8 - size
    bytes[bytes.byteLength - 1] &= 0xff << spare

    return new Bitfield(size, bytes)
  }

  /** Pieces that are set. */
  get count (): number {
    return this.#count
  }

  /** `true` if every piece is set. */
  get full (): boolean {
    return this.#count === this.size
  }

  has (piece: number): boolean {
    return (this.#bytes[piece >> 3] & (0x80 >> (piece & 7))) !== 0
  }

  /** Sets a piece; `false` if it was set already. */
  add (piece: number): boolean {
    if (this.has(piece)) {
      return false
    }

    this.#bytes[piece >> 3] |= 0x80 >> (piece & 7)
    this.#count++

    return true
  }

  /** A copy, as it goes over the wire. */
  toBytes (): Uint8Array {
    return this.#bytes.slice()
  }
}
