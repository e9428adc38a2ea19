/**
 * Keeps one shared folder or file current.
 *
 * @module
 */

import { delay } from '../delay.ts'
import { parallel } from '../parallel.ts'
import type { FileSystem } from './files.ts'
import type { Records, Root } from './records.ts'
import type { Tasks } from './tasks.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'

/** How long a path must be left alone before it is looked at, in ms: who writes a file writes all of it. */
const QUIET = 200

/** The longest wait for a busy folder, in ms; applies to folders only, files are hashed when they are at rest. */
const MAX_BUSY = 10_000

/** More changes than this at once and the whole root is looked at; the system drops events after some 16,000. */
const MAX_CHANGES = 1000

/** Changed paths looked at at once. */
const CONCURRENCY = 4

/** First wait before a watch that failed is tried again, in ms; doubles up to the last. */
const MIN_RETRY = 250
const MAX_RETRY = 60_000

/** What watched roots need. */
export interface WatchedRootsInit {
  files: FileSystem
  records: Records
  tasks: Tasks
  log: Logger

  /** Makes the catalog what the root, or a part of it, is now. */
  sync (root: Root, within: string | undefined, options: AbortOptions): Promise<void>
}

/** One root: watches it, collects what changes, and syncs that when it is quiet. */
export class WatchedRoot {
  readonly root: Root

  /** `true` while changes are reported, after what was missed has been looked at. */
  current = false

  /** Resolves when the first attempt to watch is over. */
  readonly watching: Promise<void>

  readonly #init: WatchedRootsInit
  readonly #ending = new AbortController()
  readonly #ended = Promise.withResolvers<void>()

  /** When each path last changed, in ms. */
  readonly #changes = new Map<string, number>()
  #overflowed?: number
  #wake = (): void => {}

  constructor (init: WatchedRootsInit, root: Root, synced: boolean) {
    this.#init = init
    this.root = root
    const attempted = Promise.withResolvers<void>()
    this.watching = attempted.promise

    init.tasks.background(`watching ${root.path}`, async signal => {
      const either = AbortSignal.any([signal, this.#ending.signal])

      try {
        await this.#run(synced, attempted.resolve, either)
      } catch (err) {
        if (!either.aborted) {
          throw err
        }
      } finally {
        attempted.resolve()
        this.#ended.resolve()
      }
    })
  }

  /** Watches no more; resolves when nothing is being looked at. */
  async end (): Promise<void> {
    this.#ending.abort()
    await this.#ended.promise
  }

  async #run (synced: boolean, onAttempt: () => void, signal: AbortSignal): Promise<void> {
    let wait = MIN_RETRY

    for (let needsSync = !synced; ; needsSync = true) {
      let watched = false

      try {
        await this.#watch(needsSync, () => {
          watched = true
          wait = MIN_RETRY
          onAttempt()
        }, signal)
      } catch (err) {
        signal.throwIfAborted()
        this.#init.log('watching %s failed, next try in %d ms - %e', this.root.path, wait, err)
      }

      onAttempt()

      // a root that is gone has no entries; one that cannot be watched is looked at now and then
      if (!watched) {
        await this.#sync(undefined, signal)
      }

      await delay(wait, { signal })
      wait = Math.min(wait * 2, MAX_RETRY)
    }
  }

  /** Watches until that fails. */
  async #watch (needsSync: boolean, onWatching: () => void, signal: AbortSignal): Promise<void> {
    let failure: Error | undefined
    const listener = {
      onChange: (path: string) => { this.#note(path) },
      onError: (err: Error) => {
        failure = err
        this.#wake()
      }
    }
    const watching = await this.#init.files.watch(this.root.path, listener, { hidden: this.root.hidden, signal })
    const onAbort = (): void => { this.#wake() }
    signal.addEventListener('abort', onAbort)
    onWatching()

    try {
      if (needsSync) {
        await this.#sync(undefined, signal)
      }

      this.current = true

      while (failure == null) {
        signal.throwIfAborted()
        await this.#syncChanges(signal)
      }

      throw failure
    } finally {
      this.current = false
      signal.removeEventListener('abort', onAbort)
      watching.close()
      this.#changes.clear()
      this.#overflowed = undefined
    }
  }

  #note (path: string): void {
    const now = performance.now()

    if (this.#overflowed == null && this.#changes.size >= MAX_CHANGES) {
      this.#changes.clear()
      this.#overflowed = now
    }

    this.#changes.set(this.#overflowed == null ? path : this.root.path, now)
    this.#wake()
  }

  /** Looks at the paths that are quiet; waits until there may be some, or {@link WatchedRoot.#wake} is called. */
  async #syncChanges (signal: AbortSignal): Promise<void> {
    const now = performance.now()
    const busyTooLong = this.#overflowed != null && now - this.#overflowed > MAX_BUSY
    const due = [...this.#changes].filter(([, time]) => now - time >= QUIET || busyTooLong).map(([path]) => path)

    if (due.length === 0) {
      await this.#idle(signal)

      return
    }

    this.#overflowed = undefined
    due.forEach(path => { this.#changes.delete(path) })

    for await (const _done of parallel(due, CONCURRENCY, async path => this.#sync(path, signal))) {
      // one after another
    }
  }

  async #idle (signal: AbortSignal): Promise<void> {
    if (this.#changes.size > 0) {
      await delay(QUIET / 4, { signal })
    } else {
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
  }

  /** An error in one place does not end the watch of all others. */
  async #sync (within: string | undefined, signal: AbortSignal): Promise<void> {
    try {
      await this.#init.sync(this.root, within, { signal })
    } catch (err) {
      signal.throwIfAborted()
      this.#init.log.error('looking at %s failed - %e', within ?? this.root.path, err)
    }
  }
}
