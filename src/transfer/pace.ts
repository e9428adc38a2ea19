/** What was not used in so many ms before may be used at once: a timer may be late. */
const MARGIN = 100

/** The same at most, where timers are later than that: a page that is hidden has one a second. */
const MAX_MARGIN = 2_000

/** Spreads bytes over time, so that no more than `rate` bytes a second go out; without a rate, as many as will. */
export class Pace {
  readonly #rate: number
  #next = 0
  #margin = MARGIN

  /** @param rate - bytes a second; `Infinity` for no limit */
  constructor (rate: number) {
    this.#rate = rate
  }

  /** Ms to wait before `bytes` may go out, which count as sent from now on. */
  take (bytes: number, now: number): number {
    if (this.#rate === Infinity) {
      return 0
    }

    // what was not used because nobody asked is not saved up
    const start = Math.max(this.#next, now - this.#margin)
    this.#next = start + bytes * 1000 / this.#rate

    return Math.max(0, start - now)
  }

  /** Who was to wait until `due` has done so, and it is `now`: as late as that others may be too. */
  waited (due: number, now: number): void {
    this.#margin = Math.min(MAX_MARGIN, Math.max(MARGIN, now - due))
  }
}
