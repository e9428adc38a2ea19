import { hashPiece, PIECE_SIZE } from '../content/index.ts'
import { ContentChangedError } from '../errors.ts'
import { Bitfield } from './core/bitfield.ts'
import { keepManifest } from './kept-manifest.ts'
import type { Manifest } from '../content/index.ts'
import type { Finished, Part, Store } from '../store/index.ts'
import type { Logger } from '@libp2p/interface'

/**
 * Continues the part of a content, or begins one. What was begun with another
 * size, as a content of one piece may have been before the size was certain,
 * has no verified bytes and is thrown away. The manifest is kept with the part.
 */
export async function openPart ({ store, key, log }: { store: Store, key: string, log: Logger }, manifest: Manifest, name: string): Promise<Part> {
  const part = await anyPart(store, key, manifest, name)

  if (manifest.pieceCount > 1) {
    await keepManifest(part, manifest, log)
  }

  return part
}

async function anyPart (store: Store, key: string, manifest: Manifest, name: string): Promise<Part> {
  try {
    return await store.part(key, { size: manifest.size, name })
  } catch (err) {
    const other = await partOfOtherSize(store, key, manifest.size).catch(() => undefined)

    if (other == null) {
      throw err
    }

    await other.discard()

    return store.part(key, { size: manifest.size, name })
  }
}

async function partOfOtherSize (store: Store, key: string, size: number): Promise<Part | undefined> {
  for await (const part of store.parts()) {
    if (part.key === key && part.size !== size) {
      return store.part(key, part)
    }
  }
}

/** Finishes a part, and closes it if that fails. Returns what is made of it. */
export async function finishPart<T> (part: Part, commit: (finished: Finished) => Promise<T>): Promise<T> {
  try {
    let made: T | undefined
    await part.finish(async finished => { made = await commit(finished) })

    return made as T
  } catch (err) {
    await part.close()
    throw err
  }
}

/** The pieces of a part that are certain, and those doubtful ones whose hash is right. */
export async function verifiedPieces (part: Part, manifest: Manifest): Promise<Bitfield> {
  const have = new Bitfield(manifest.pieceCount, part.marked.slice())

  for (const piece of piecesOf(new Bitfield(manifest.pieceCount, part.doubtful.slice()))) {
    const hash = await hashPiece(await part.read(piece * PIECE_SIZE, manifest.pieceSize(piece)))
    const expected = manifest.hash(piece)

    if (!have.has(piece) && hash.every((byte, i) => byte === expected[i])) {
      await part.mark(piece)
      have.add(piece)
    }
  }

  return have
}

/** Numbers of the pieces that are set. */
export function piecesOf (pieces: Bitfield): number[] {
  const list: number[] = []

  for (let piece = 0; piece < pieces.size; piece++) {
    if (pieces.has(piece)) {
      list.push(piece)
    }
  }

  return list
}

/** Bytes of the pieces that are set. */
export function storedBytes (manifest: Manifest, pieces: Bitfield): number {
  const last = manifest.pieceCount - 1

  return pieces.count * PIECE_SIZE - (pieces.has(last) ? PIECE_SIZE - manifest.pieceSize(last) : 0)
}

/**
 * Reads what was fetched from where it went.
 *
 * @throws {ContentChangedError} somebody changed it since
 */
export async function readFinished (store: Store, { location, version }: Finished, offset: number, length: number): Promise<Uint8Array> {
  const reader = await store.open(location)

  try {
    const bytes = await reader.read(offset, length)

    if (await reader.version() !== version) {
      throw new ContentChangedError(`${location} was changed after it was fetched`)
    }

    return bytes
  } finally {
    await reader.close()
  }
}
