/**
 * Files whose bytes follow from a number, so that any page can make and check
 * them.
 *
 * @module
 */

import { PIECE_SIZE } from '../../src/content/index.ts'
import { GatedBlob } from '../fixtures/gate.ts'
import type { Gate } from '../fixtures/gate.ts'

/** A file whose bytes follow from a number. */
export interface Made {
  name: string

  /** From 0 to 127; no two pieces of any two are the same. */
  seed: number

  /** In pieces. */
  pieces: number
}

/** All its bytes, read through a gate. */
export function contentOf ({ seed, pieces }: Made, gate: Gate): Blob {
  return new GatedBlob(Array.from({ length: pieces }, (_, piece) => pieceOf(seed, piece)), gate)
}

/** `true` if these are all its bytes. */
export async function isContentOf ({ seed, pieces }: Made, content: Blob): Promise<boolean> {
  for (let piece = 0; piece < pieces; piece++) {
    const words = new Uint32Array(await content.slice(piece * PIECE_SIZE, (piece + 1) * PIECE_SIZE).arrayBuffer())
    const expected = pieceOf(seed, piece)

    if (words.length !== expected.length || words.some((word, i) => word !== expected[i])) {
      return false
    }
  }

  return content.size === pieces * PIECE_SIZE
}

/** A piece that no other file has, nor this one at another place. */
function pieceOf (seed: number, piece: number): Uint32Array<ArrayBuffer> {
  const words = PIECE_SIZE / Uint32Array.BYTES_PER_ELEMENT

  return new Uint32Array(words).map((_, i) => seed * 2 ** 25 + piece * words + i)
}
