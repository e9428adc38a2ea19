/**
 * How many things may be under way at once.
 *
 * @module
 */

import type { AbortOptions } from '@libp2p/interface'

/** Lets so many tasks run at once, the others in the order they came. */
export class Slots {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor (count: number) {
    this.#free = count
  }

  /** Runs a task when there is a slot, or throws the reason of the signal while there is none. */
  async run<T> (task: () => Promise<T>, options?: AbortOptions): Promise<T> {
    await this.#take(options?.signal)

    try {
      return await task()
    } finally {
      this.#give()
    }
  }

  async #take (signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()

    if (this.#free > 0) {
      this.#free--

      return
    }

    await new Promise<void>((resolve, reject) => {
      const ready = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(ready), 1)
        reject(signal?.reason as Error)
      }

      this.#waiting.push(ready)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** A slot that somebody waits for is handed on without becoming free. */
  #give (): void {
    const next = this.#waiting.shift()

    if (next == null) {
      this.#free++
    } else {
      next()
    }
  }
}

/** Lets one task run at a time for each key. */
export class Locks {
  readonly #locks = new Map<string, { slots: Slots, users: number }>()

  /** Runs a task once no other of this key runs. */
  async run<T> (key: string, task: () => Promise<T>, options?: AbortOptions): Promise<T> {
    const lock = this.#locks.get(key) ?? { slots: new Slots(1), users: 0 }
    lock.users++
    this.#locks.set(key, lock)

    try {
      return await lock.slots.run(task, options)
    } finally {
      if (--lock.users === 0) {
        this.#locks.delete(key)
      }
    }
  }
}
