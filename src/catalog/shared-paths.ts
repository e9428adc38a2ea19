/**
 * What a catalog does with paths, for platforms that have some: a
 * {@link FileSystem} brings it along, so that pages need not load it.
 *
 * @module
 */

import { SharedFiles } from './shared-files.ts'
import { WatchedRoots } from './watched-roots.ts'
import type { FileSystem } from './files.ts'
import type { Freshness } from './freshness.ts'
import type { CatalogParts } from './parts.ts'
import type { Item } from './records.ts'
import type { ShareFilesOptions } from './shared-files.ts'
import type { Entry } from '../content/index.ts'
import type { AbortOptions } from '@libp2p/interface'

/** Settings of one sharing. */
export interface SharePathOptions extends ShareFilesOptions {
  /** Keeps the path current from now on. */
  watch?: boolean
}

/** Shares paths, and keeps them current. */
export class SharedPaths {
  readonly #files: FileSystem
  readonly #shared: SharedFiles
  readonly #roots: WatchedRoots

  constructor (parts: CatalogParts, files: FileSystem, freshness: Freshness) {
    const shared = new SharedFiles(parts, files, freshness)
    this.#files = files
    this.#shared = shared
    this.#roots = new WatchedRoots({
      ...parts,
      files,
      async sync (root, within, options) {
        const except = (path: string): boolean => root.except.some(other => files.covers(other, path))
        await shared.sync(root.path, { ...options, hidden: root.hidden, within, except })
      }
    })
    freshness.wasDeleted = async path => this.#roots.sees(path)
  }

  /** Watches what is on record. */
  async load (options: AbortOptions): Promise<void> {
    await this.#roots.load(options)
  }

  /** `true` if a resolved path is in a watched root. */
  watches (path: string): boolean {
    return this.#roots.covers(path)
  }

  /**
   * Shares all files in a folder, or one, and yields each entry.
   *
   * @throws {NotFoundError} there is nothing at the path
   */
  async * share (path: string, options: SharePathOptions): AsyncGenerator<Entry> {
    const resolved = await this.#files.resolve(path)
    const isNew = options.watch === true && await this.#roots.add(resolved, options.hidden === true)
    let complete = false

    try {
      await this.#roots.include(resolved, options)
      yield * this.#shared.share(resolved, options)
      await this.#roots.keep(resolved, options)
      complete = true
    } finally {
      if (isNew && !complete) {
        await this.#roots.remove(resolved)
      }
    }
  }

  /** Watches nothing at or below a path any more, and gives the items there. */
  async unwatch (path: string): Promise<Item[]> {
    const resolved = await this.#files.resolve(path)
    await this.#roots.exclude(resolved)

    return this.#shared.below(resolved, { hidden: true })
  }

  /** Leaves a file out of the watched roots it is in. */
  async leaveOut (path: string): Promise<void> {
    await this.#roots.exclude(path)
  }
}

/** Makes the `SharedPaths` of a catalog. */
export function sharePaths (parts: CatalogParts, files: FileSystem, freshness: Freshness): SharedPaths {
  return new SharedPaths(parts, files, freshness)
}
