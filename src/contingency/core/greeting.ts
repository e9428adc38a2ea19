import { GREET_TIME, HEARTBEAT } from '../constants.ts'

/** When a ward is told what is kept for it: as soon as it is here, and whenever it seems to have forgotten. */
export class Greeting {
  /** When it is told next, in ms. */
  at = 0
  #told = 0

  /** It knows, since it has just offered it; another node with the same key may not. */
  putOff (now: number): void {
    this.at = Math.min(now + 2 * HEARTBEAT, this.#told + GREET_TIME)
  }

  /** `true` if it is to be told now. */
  isDue (isWardHere: boolean, now: number): boolean {
    const isDue = isWardHere && this.at <= now
    this.#told = isDue ? now : this.#told
    this.at = isDue ? now + 2 * HEARTBEAT : isWardHere ? this.at : now

    return isDue
  }
}
