/**
 * How much background traffic may have beside foreground traffic.
 *
 * While bytes went by in the foreground within the last second, background
 * traffic has a ninth of theirs, a tenth of all; otherwise it has all there
 * is. What it may have is earned as foreground bytes go by, so nobody has to
 * know how fast the network is.
 *
 * @module
 */

import { BACKGROUND_CREDIT, BACKGROUND_QUIET, BACKGROUND_SHARE } from '../constants.ts'

/** Counts what goes by, of all contents together. */
export class Allowance {
  #credit = 0
  #heard = -Infinity

  /** Bytes went by in the foreground. */
  foreground (bytes: number, now: number): void {
    if (!this.yields(now)) {
      this.#credit = 0
    }

    this.#heard = now
    this.#credit = Math.min(BACKGROUND_CREDIT, this.#credit + bytes * BACKGROUND_SHARE)
  }

  /** `true` while background traffic has to give way. */
  yields (now: number): boolean {
    return now - this.#heard < BACKGROUND_QUIET
  }

  /** `true` if background traffic may have something now. */
  allows (now: number): boolean {
    return !this.yields(now) || this.#credit > 0
  }

  /** Background traffic has had so many bytes; more than it may, and it waits for longer. */
  spend (bytes: number, now: number): void {
    if (this.yields(now)) {
      this.#credit -= bytes
    }
  }
}
