import { PIECE_SIZE } from '../content/index.ts'
import { InvalidParametersError } from '../errors.ts'
import type { Manifest } from '../content/index.ts'

/**
 * A stretch of a content, cut where its pieces are.
 *
 * @throws {InvalidParametersError} the content ends before `offset`
 */
export function * rangesOf (manifest: Manifest, offset: number, length: number): Generator<{ offset: number, length: number }> {
  if (offset > manifest.size) {
    throw new InvalidParametersError(`There is no byte ${offset} in a content of ${manifest.size}`)
  }

  const end = Math.min(offset + length, manifest.size)

  while (offset < end) {
    const length = Math.min(PIECE_SIZE - offset % PIECE_SIZE, end - offset)
    yield { offset, length }
    offset += length
  }
}
