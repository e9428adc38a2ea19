/** Spreads bytes over time, so that no more than `rate` bytes a second go out; without a rate, as many as will. */
export class Pace {
  readonly #rate: number
  #next = 0

  /** @param rate - bytes a second; `Infinity` for no limit */
  constructor (rate: number) {
    this.#rate = rate
  }

  /** Ms to wait before `bytes` may go out, which count as sent from now on. */
  take (bytes: number, now: number): number {
    if (this.#rate === Infinity) {
      return 0
    }

    // what was not used is not saved up, but for a tenth of a second, in which a timer may be late
    const start = Math.max(this.#next, now - 100)
    this.#next = start + bytes * 1000 / this.#rate

    return Math.max(0, start - now)
  }
}
