/**
 * Pieces as bits: piece 0 is the highest bit of byte 0.
 *
 * @module
 */

/** The first `n` of `count` pieces. */
export function firstBits (n: number, count: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(count / 8))
  bits.fill(0xff, 0, n >> 3)

  if (n % 8 > 0) {
    bits[n >> 3] = 0xff << (8 - n % 8)
  }

  return bits
}

/** Adds a piece. */
export function setBit (bits: Uint8Array, piece: number): void {
  bits[piece >> 3] |= 0x80 >> (piece & 7)
}

/** `true` if a piece is among them. */
export function hasBit (bits: Uint8Array, piece: number): boolean {
  return (bits[piece >> 3] & (0x80 >> (piece & 7))) !== 0
}

/** Pieces in `a` that are not in `b`. */
export function without (a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte & ~b[i])
}

/** Pieces that are in both. */
export function both (a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte & b[i])
}
