/**
 * From bytes to manifests, beside everything else.
 *
 * @module
 */

import { hashPiece, ManifestBuilder, PIECE_SIZE } from '../content/index.ts'
import { ContentChangedError } from '../errors.ts'
import { delay } from '../delay.ts'
import { Slots } from './slots.ts'
import type { FileInfo, FileReader } from './files.ts'
import type { Manifest } from '../content/index.ts'
import type { Reader } from '../store/index.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * How old the last change of a file must be, in ms, before it is hashed.
 *
 * File systems count time in ticks (4 ms on ext4), so a change within the tick
 * of the one before leaves the same modification time, and would never be
 * noticed. Git calls such files racily clean.
 */
const RACY_AGE = 50

/** How often to try a file that changes while it is hashed; with waiting, a second. */
const ATTEMPTS = 20

/** How often to hash it, which costs more. */
const MAX_HASHED = 3

/** Settings of one hashing. */
export interface HashOptions extends AbortOptions {
  /** Called after each piece with the number of bytes done. */
  onBytes? (bytes: number): void
}

/** Bytes to be hashed. */
export interface HashSource {
  size: number

  /** Gives a piece; `buffer` may be filled with it. */
  piece (offset: number, length: number, buffer: Uint8Array): Promise<Uint8Array>
}

/** The outcome for a file. */
export interface HashedFile {
  manifest: Manifest
  version: string
  modified?: number
}

/** Something to hash: a file, or what a store has, of which the age is not known. */
export type HashedReader = Reader & Partial<Pick<FileReader, 'info' | 'readInto'>>

/** Hashes pieces of many contents, a few at once. */
export class Hasher {
  readonly #concurrency: number
  readonly #slots: Slots
  readonly #buffers: Uint8Array[] = []

  /** @param concurrency - pieces at once */
  constructor (concurrency: number) {
    this.#concurrency = concurrency
    this.#slots = new Slots(concurrency)
  }

  /**
   * Hashes a file at a time when it does not change.
   *
   * @param open - opens it; called again if it changes
   * @throws {ContentChangedError} it changes all the time
   * @throws what `open` does
   * @throws the reason of `signal`, once it is aborted
   */
  async hashFile<R extends HashedReader> (open: () => Promise<R>, options: HashOptions = {}): Promise<HashedFile> {
    let hashed = 0

    for (let attempt = 0; attempt < ATTEMPTS && hashed < MAX_HASHED; attempt++) {
      options.signal?.throwIfAborted()
      const reader = await open()

      try {
        if (!isRacy(reader.info)) {
          hashed++

          return await this.#hashOpen(reader, options)
        }
      } catch (err) {
        if ((err as Error).name !== ContentChangedError.name) {
          throw err
        }
      } finally {
        await reader.close()
      }

      await delay(RACY_AGE, options)
    }

    throw new ContentChangedError('It changes all the time')
  }

  /** Hashes bytes from anywhere; reading and hashing overlap. */
  async hash (source: HashSource, options: HashOptions = {}): Promise<Manifest> {
    const builder = new ManifestBuilder()
    const running: Array<Promise<void>> = []
    let previous: Promise<void> = Promise.resolve()

    try {
      for (let offset = 0; offset < source.size || offset === 0; offset += PIECE_SIZE) {
        options.signal?.throwIfAborted()
        const length = Math.min(PIECE_SIZE, source.size - offset)
        const before = previous
        const digest = this.#hashPiece(source, offset, length, options)
        previous = digest.then(async hash => {
          await before
          builder.add(hash, length)
          options.onBytes?.(offset + length)
        })
        // waited for later, and not to be called unhandled until then
        previous.catch(() => {})
        running.push(previous)

        if (running.length >= this.#concurrency) {
          await running.shift()
        }
      }

      await previous
    } finally {
      await Promise.allSettled(running)
    }

    return builder.finish()
  }

  async #hashOpen (reader: HashedReader, options: HashOptions): Promise<HashedFile> {
    const version = reader.info?.version ?? await reader.version()
    const manifest = await this.hash({
      size: reader.size,
      async piece (offset, length, buffer) {
        if (reader.readInto == null) {
          return reader.read(offset, length)
        }

        const target = buffer.subarray(0, length)
        await reader.readInto(offset, target)

        return target
      }
    }, options)

    if (await reader.version() !== version) {
      throw new ContentChangedError()
    }

    return { manifest, version, modified: reader.info?.modified }
  }

  async #hashPiece (source: HashSource, offset: number, length: number, options: HashOptions): Promise<Uint8Array> {
    return this.#slots.run(async () => {
      const buffer = this.#buffers.pop() ?? new Uint8Array(PIECE_SIZE)

      try {
        return await hashPiece(await source.piece(offset, length, buffer))
      } finally {
        this.#buffers.push(buffer)
      }
    }, options)
  }
}

/** A time in the future changes with the next write, whenever that is. */
function isRacy (info?: FileInfo): boolean {
  return info != null && Math.abs(Date.now() - info.modified) < RACY_AGE
}
