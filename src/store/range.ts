/**
 * What sizes, pieces and ranges can be.
 *
 * @module
 */

import { PIECE_SIZE } from '../content/constants.ts'
import { InvalidParametersError } from '../errors.ts'

/** Pieces of a content; an empty one has one, which is empty. */
export function pieceCount (size: number): number {
  return Math.max(1, Math.ceil(size / PIECE_SIZE))
}

/** Bytes in a piece of a content of this size. */
export function pieceSize (size: number, piece: number): number {
  return Math.min(PIECE_SIZE, size - piece * PIECE_SIZE)
}

/** What a range has of one piece: from `from` of the piece, the bytes `start` to `end` of the range. */
export interface Span {
  piece: number
  from: number
  start: number
  end: number
}

/** Cuts `length` bytes at `offset` at the borders of pieces. */
export function * spans (offset: number, length: number): Generator<Span> {
  for (let start = 0; start < length;) {
    const piece = Math.floor((offset + start) / PIECE_SIZE)
    const from = offset + start - piece * PIECE_SIZE
    const end = Math.min(length, start + PIECE_SIZE - from)
    yield { piece, from, start, end }
    start = end
  }
}

/**
 * Throws unless this can be the size of a content.
 *
 * @throws {InvalidParametersError}
 */
export function assertSize (size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new InvalidParametersError(`A content cannot have ${size} bytes`)
  }
}

/**
 * Throws unless a content of this size has such a piece.
 *
 * @throws {InvalidParametersError}
 */
export function assertPiece (size: number, piece: number): void {
  if (!Number.isInteger(piece) || piece < 0 || piece >= pieceCount(size)) {
    throw new InvalidParametersError(`There is no piece ${piece} among ${pieceCount(size)}`)
  }
}

/** Most bytes that are kept with a part, whatever its size. */
export const MAX_KEPT_SIZE = 64 * 1024 * 1024

/** The same for each piece, and for any part. Hashes take 32 for each piece. */
const KEPT_PER_PIECE = 64
const KEPT_PER_PART = 4096

/**
 * Throws if these are too many bytes to keep with a part of a content of this size.
 *
 * @throws {InvalidParametersError}
 */
export function assertKept (size: number, length: number): void {
  const limit = Math.min(MAX_KEPT_SIZE, KEPT_PER_PART + KEPT_PER_PIECE * pieceCount(size))

  if (length > limit) {
    throw new InvalidParametersError(`With a part of ${size} bytes ${limit} are kept at most, not ${length}`)
  }
}

/**
 * Throws unless a content of this size has such bytes.
 *
 * @throws {InvalidParametersError}
 */
export function assertRange (size: number, offset: number, length: number): void {
  assertReadable(offset, length)

  if (offset + length > size) {
    throw new InvalidParametersError(`Bytes ${offset} to ${offset + length} are not within ${size}`)
  }
}

/**
 * Throws unless these can be an offset and a length.
 *
 * @throws {InvalidParametersError}
 */
export function assertReadable (offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new InvalidParametersError(`There cannot be ${length} bytes at ${offset}`)
  }
}
