import type { ItemKey } from './items.ts'

/**
 * What is lost here, and may be with others who did not say so yet: those who
 * had it just before this node crashed, or are not back themselves. Each is
 * given up after a while, unless it turned out to be somewhere.
 */
export class Losses {
  readonly #patience: number
  readonly #giveUp: (key: ItemKey) => void

  /** When each is given up, in ms, the next first. */
  readonly #waiting = new Map<ItemKey, number>()
  #timer?: ReturnType<typeof setTimeout>
  #closed = false

  /** @param patience - how long to wait, in ms */
  constructor (patience: number, giveUp: (key: ItemKey) => void) {
    this.#patience = patience
    this.#giveUp = giveUp
  }

  /** Waits for something that is lost; no longer if it is waited for already. */
  add (key: ItemKey): void {
    if (!this.#closed && !this.#waiting.has(key)) {
      this.#waiting.set(key, performance.now() + this.#patience)
      this.#timer ??= setTimeout(() => { this.#check() }, this.#patience)
    }
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#waiting.clear()
  }

  #check (): void {
    const now = performance.now()
    this.#timer = undefined

    for (const [key, at] of this.#waiting) {
      if (at > now) {
        this.#timer = setTimeout(() => { this.#check() }, at - now)

        return
      }

      this.#waiting.delete(key)
      this.#giveUp(key)
    }
  }
}
