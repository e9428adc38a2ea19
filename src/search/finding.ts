/**
 * One search of a user, from the first hit to the last.
 *
 * @module
 */

import type { Hit } from './index.ts'

/** Hands hits over from who finds them to who waits for them. Holds at most what was asked for. */
export class Finding {
  readonly #hits: Hit[] = []
  #error?: Error
  #over = false
  #wake?: () => void

  /** Adds hits; none after the end. */
  add (hits: Hit[]): void {
    if (!this.#over) {
      this.#hits.push(...hits)
      this.#wake?.()
    }
  }

  /** There are no more hits. With an error, those that were not taken yet are lost. */
  end (error?: Error): void {
    if (!this.#over) {
      this.#over = true
      this.#error = error

      if (error != null) {
        this.#hits.length = 0
      }

      this.#wake?.()
    }
  }

  /** Hits as they come, until the end. */
  async * hits (): AsyncGenerator<Hit> {
    for (;;) {
      const hit = this.#hits.shift()

      if (hit != null) {
        yield hit
      } else if (!this.#over) {
        await new Promise<void>(resolve => { this.#wake = resolve })
      } else if (this.#error != null) {
        throw this.#error
      } else {
        return
      }
    }
  }
}
