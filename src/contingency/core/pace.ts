import { SIGN_PATIENCE, SIGN_PAUSE } from '../constants.ts'

/** One signature at a time, and a pause before the next. */
export class Pace {
  #begun = -Infinity
  #open = false

  /** When the next may be asked for, in ms. */
  get next (): number {
    return this.#begun + (this.#open ? SIGN_PATIENCE : SIGN_PAUSE)
  }

  begin (now: number): void {
    this.#begun = now
    this.#open = true
  }

  end (): void {
    this.#open = false
  }
}
