/**
 * Shares files and folders from where they lie.
 *
 * @module
 */

import { MAX_CONTENT_SIZE } from '../content/index.ts'
import { NotFoundError } from '../errors.ts'
import { skipReason } from './freshness.ts'
import { mediaTypeOf } from './media-type.ts'
import { parallel } from '../parallel.ts'
import type { FileSystem, Found, FoundFile, Skipped } from './files.ts'
import type { Freshness } from './freshness.ts'
import type { HashedFile } from './hasher.ts'
import type { CatalogParts } from './parts.ts'
import type { Item } from './records.ts'
import type { Entry } from '../content/index.ts'
import type { AbortOptions } from '@libp2p/interface'

/** Files worked on at once; small ones spend most of their time waiting for the file system. */
const FILE_CONCURRENCY = 8

/** Settings of one sharing; `path` is resolved. */
export interface ShareFilesOptions extends AbortOptions {
  /** Includes what begins with a dot. */
  hidden?: boolean

  /** Only this part of the path. */
  within?: string

  /** Leaves a file out without a word. */
  except? (path: string): boolean

  onFile? (path: string, size: number): void
  onBytes? (path: string, bytes: number, size: number): void
  onSkipped? (skipped: Skipped): void
}

/** Makes entries of files. */
export class SharedFiles {
  readonly #parts: CatalogParts
  readonly #files: FileSystem
  readonly #freshness: Freshness

  constructor (parts: CatalogParts, files: FileSystem, freshness: Freshness) {
    this.#parts = parts
    this.#files = files
    this.#freshness = freshness
  }

  /**
   * Shares all files in a folder, or one, and yields each entry; then removes
   * those that were in it and are gone.
   *
   * @throws {NotFoundError} there is nothing at the path
   */
  async * share (path: string, options: ShareFilesOptions = {}): AsyncGenerator<Entry> {
    const seen = new Set<string>()

    for await (const entry of this.#shareAll(path, options, seen)) {
      yield entry
    }

    await this.#prune(options.within ?? path, seen, options)
  }

  /** The same for nobody in particular; a path that is gone is emptied. */
  async sync (path: string, options: ShareFilesOptions): Promise<void> {
    const seen = new Set<string>()

    try {
      for await (const _entry of this.#shareAll(path, options, seen)) {
        // it is in the catalog, that is all
      }
    } catch (err) {
      if ((err as Error).name !== NotFoundError.name) {
        throw err
      }
    }

    await this.#prune(options.within ?? path, seen, options)
  }

  #shareAll (path: string, options: ShareFilesOptions, seen: Set<string>): AsyncIterable<Entry> {
    const found = this.#files.walk(path, options)

    return defined(parallel(found, FILE_CONCURRENCY, async (item, signal) => {
      return this.#parts.tasks.run(async () => this.#take(item, { ...options, signal }, seen))
    }, options))
  }

  async #take (found: Found, options: ShareFilesOptions, seen: Set<string>): Promise<Entry | undefined> {
    options.signal?.throwIfAborted()

    if (found.type === 'skipped') {
      this.#skip(found.skipped, options)
    } else if (found.info.size > MAX_CONTENT_SIZE) {
      this.#skip({ path: found.path, reason: 'too-large' }, options)
    } else if (options.except?.(found.path) !== true) {
      seen.add(found.path)

      // two shares of one file would both hash it
      return this.#unchanged(found) ?? this.#parts.locks.run(found.path, async () => {
        const current = await this.#again(found)

        return this.#unchanged(current) ?? this.#hash(current, options)
      }, options)
    }
  }

  /** A file that was hashed just now, by another, may have changed since it was found. */
  async #again (found: FoundFile): Promise<FoundFile> {
    const info = this.#parts.entries.file(found.path) == null ? undefined : await this.#files.stat(found.path)

    return info == null ? found : { ...found, info }
  }

  /** The entry of a file that needs no reading. */
  #unchanged ({ path, folders, info }: FoundFile): Entry | undefined {
    const item = this.#parts.entries.file(path)

    // of two shares that contain the file, the one with more folders to find it by names it
    if (item?.version === info.version && folders.length <= item.entry.path.length) {
      return item.entry
    }
  }

  async #hash (found: FoundFile, options: ShareFilesOptions): Promise<Entry | undefined> {
    const { entries } = this.#parts
    const { path } = found
    const older = entries.file(path)

    if (older?.version === found.info.version) {
      return this.#add({ ...older, entry: { ...older.entry, path: found.folders } }, options)
    }

    if (older != null) {
      entries.hide(older)
    }

    const hashed = await this.#read(found, options)

    // it may have been unshared meanwhile
    if (hashed != null && options.except?.(path) !== true) {
      const { manifest, version, modified } = hashed
      const mediaType = mediaTypeOf(found.name)
      const entry = { cid: manifest.root, name: found.name, path: found.folders, size: manifest.size, mediaType, modified }

      return this.#add({ entry, where: 'file', location: path, version }, { ...options, manifest })
    }
  }

  async #add (item: Item, options: Parameters<CatalogParts['entries']['add']>[1]): Promise<Entry> {
    await this.#parts.entries.add(item, options)

    return item.entry
  }

  /** Hashes a file; one that cannot be is skipped, or ignored if it is gone. */
  async #read ({ path, info }: FoundFile, options: ShareFilesOptions): Promise<HashedFile | undefined> {
    options.onFile?.(path, info.size)

    try {
      return await this.#parts.hasher.hashFile(async () => this.#files.open(path), {
        signal: options.signal,
        onBytes: bytes => { options.onBytes?.(path, bytes, info.size) }
      })
    } catch (err) {
      options.signal?.throwIfAborted()

      if ((err as Error).name !== NotFoundError.name) {
        this.#skip({ path, reason: skipReason(err as Error), cause: err as Error }, options)
      }
    }
  }

  #skip (skipped: Skipped, options: ShareFilesOptions): void {
    options.onSkipped?.(skipped)
    this.#parts.skipped(skipped)
  }

  /** Looks at the entries below a path that a walk did not find. */
  async #prune (path: string, seen: Set<string>, options: AbortOptions): Promise<void> {
    // what is a file has nothing below it
    if (seen.size === 1 && seen.has(path)) {
      return
    }

    for (const item of this.below(path)) {
      if (!seen.has(item.location)) {
        await this.#freshness.check(item, options)
      }
    }
  }

  /** The items of files at and below a path. */
  below (path: string, options?: { hidden?: boolean }): Item[] {
    return this.#parts.entries.filter(item => item.where === 'file' && this.#files.covers(path, item.location), options)
  }
}

async function * defined<T> (source: AsyncIterable<T | undefined>): AsyncGenerator<T> {
  for await (const item of source) {
    if (item !== undefined) {
      yield item
    }
  }
}
