import { GREET_TIME, HEARTBEAT, OFFER_RETRY } from '../constants.ts'

/** When a ward is told what is kept for it: as soon as it is here, soon again as it may not have heard, and whenever it seems to have forgotten. */
export class Greeting {
  /** When it is told next, in ms. */
  at = 0
  #toldAt = 0
  #times = 0

  /** It knows, since it has just offered it; another node with the same key may not. */
  putOff (now: number): void {
    this.at = Math.min(now + 2 * HEARTBEAT, this.#toldAt + GREET_TIME)
  }

  /** `true` if it is to be told now. */
  isDue (isWardHere: boolean, now: number): boolean {
    if (!isWardHere) {
      this.#times = 0
      this.at = now

      return false
    }

    const isDue = this.at <= now

    if (isDue) {
      this.#toldAt = now
      this.at = now + Math.min(2 * HEARTBEAT, OFFER_RETRY * 2 ** this.#times++)
    }

    return isDue
  }
}
