/**
 * Work that ends with the service.
 *
 * @module
 */

import type { Logger } from '@libp2p/interface'

/** Keeps track of what is under way, to end it. */
export class Tasks {
  readonly #controller = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  readonly #log: Logger

  constructor (log: Logger) {
    this.#log = log
  }

  /** Aborted when all is to end. */
  get signal (): AbortSignal {
    return this.#controller.signal
  }

  /** Runs a task that {@link Tasks.end} waits for. */
  async run<T> (task: () => Promise<T>): Promise<T> {
    const promise = task()
    this.#running.add(promise)

    try {
      return await promise
    } finally {
      this.#running.delete(promise)
    }
  }

  /** The same for a task whose outcome nobody waits for. */
  background (what: string, task: (signal: AbortSignal) => Promise<void>): void {
    this.run(async () => task(this.signal)).catch((err: Error) => {
      if (!this.signal.aborted) {
        this.#log.error('%s failed - %e', what, err)
      }
    })
  }

  /** Aborts everything, and resolves when nothing runs any more. */
  async end (): Promise<void> {
    this.#controller.abort()

    // what runs may begin something else before it notices
    while (this.#running.size > 0) {
      await Promise.allSettled(this.#running)
    }
  }
}
