/**
 * Keeps shared folders current.
 *
 * @module
 */

import { WatchedRoot } from './watched-root.ts'
import type { Root } from './records.ts'
import type { WatchedRootsInit } from './watched-root.ts'
import type { AbortOptions } from '@libp2p/interface'

/** All roots that are watched. */
export class WatchedRoots {
  readonly #init: WatchedRootsInit
  readonly #roots = new Map<string, WatchedRoot>()

  constructor (init: WatchedRootsInit) {
    this.#init = init
  }

  /** Watches what is on record. */
  async load (options: AbortOptions): Promise<void> {
    for await (const root of this.#init.records.roots(options)) {
      if (!this.#roots.has(root.path)) {
        this.#begin(root, false)
      }
    }
  }

  /** `true` if a path is in a watched root. */
  covers (path: string): boolean {
    return this.#covering(path).length > 0
  }

  /**
   * `true` if the watch of a root that is still there would have reported what
   * happened to a path: one of a root that vanished as a whole says nothing of
   * what was in it.
   */
  async sees (path: string): Promise<boolean> {
    const current = this.#covering(path).filter(watched => watched.current)
    const there = await Promise.all(current.map(async ({ root }) => root.path !== path && this.#init.files.exists(root.path)))

    return there.includes(true)
  }

  /**
   * Watches a path from now on; what is there already is for the caller to
   * share. Returns `false` if it was watched before.
   */
  async add (path: string, hidden: boolean): Promise<boolean> {
    const known = this.#roots.get(path)

    if (known?.root.hidden === hidden) {
      return false
    }

    await known?.end()
    await this.#begin({ path, hidden, except: known?.root.except ?? [] }, true).watching

    return known == null
  }

  /** Puts a root on record, to be watched again after a restart. */
  async keep (path: string, options?: AbortOptions): Promise<void> {
    const watched = this.#roots.get(path)

    if (watched != null) {
      await this.#init.records.putRoot(watched.root, options)
    }
  }

  /** Keeps what is below a path current again, after it was unshared. */
  async include (path: string, options?: AbortOptions): Promise<void> {
    const { files } = this.#init

    for (const { root } of this.#roots.values()) {
      const except = root.except.filter(other => !files.covers(path, other))

      if (except.length < root.except.length) {
        root.except = except
        await this.#init.records.putRoot(root, options)
      }
    }
  }

  /** Watches nothing at or below a path any more, and leaves it out of the roots above. */
  async exclude (path: string): Promise<void> {
    const { files, records } = this.#init

    for (const watched of this.#covering(path)) {
      const { root } = watched

      if (root.path !== path) {
        root.except = [...root.except.filter(other => !files.covers(path, other)), path]
        await records.putRoot(root)
      }
    }

    for (const [key, watched] of this.#roots) {
      if (files.covers(path, key)) {
        await this.remove(key, watched)
      }
    }
  }

  /** Watches a root no more. */
  async remove (path: string, watched = this.#roots.get(path)): Promise<void> {
    this.#roots.delete(path)
    await watched?.end()

    // the datastore may be closed as soon as the catalog has stopped
    if (!this.#init.tasks.signal.aborted) {
      await this.#init.records.deleteRoot(path)
    }
  }

  #covering (path: string): WatchedRoot[] {
    return [...this.#roots.values()].filter(({ root }) => this.#init.files.covers(root.path, path))
  }

  #begin (root: Root, synced: boolean): WatchedRoot {
    const watched = new WatchedRoot(this.#init, root, synced)
    this.#roots.set(root.path, watched)

    return watched
  }
}
