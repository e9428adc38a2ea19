/** Length of a slot, and how many there are, so that a rate is that of the last three seconds. */
const SLOT_TIME = 250
const SLOTS = 12

/** How many bytes came a second, lately. */
export class Rate {
  readonly #slots = new Float64Array(SLOTS)
  #slot = 0
  #start: number | undefined

  add (bytes: number, now: number): void {
    this.#start ??= now
    this.#advance(now)
    this.#slots[this.#slot % SLOTS] += bytes
  }

  /** Bytes a second over the last seconds. */
  perSecond (now: number): number {
    if (this.#start == null) {
      return 0
    }

    this.#advance(now)
    const time = Math.min(now - this.#start, (SLOTS - 1) * SLOT_TIME + now % SLOT_TIME)
    const bytes = this.#slots.reduce((sum, slot) => sum + slot, 0)

    return time > 0 ? bytes * 1000 / time : 0
  }

  #advance (now: number): void {
    const slot = Math.floor(now / SLOT_TIME)

    for (let next = Math.max(this.#slot + 1, slot - SLOTS + 1); next <= slot; next++) {
      this.#slots[next % SLOTS] = 0
    }

    this.#slot = slot
  }
}
