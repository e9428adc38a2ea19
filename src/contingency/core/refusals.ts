import { BUSY_TIME, REFUSED_TIME } from '../constants.ts'
import type { PeerKey } from '../../core.ts'

/** `busy`: it would do it if nobody else does; `silent`: it said nothing, and may soon. */
type Reason = 'busy' | 'silent' | 'unwilling'

/** Who did not want to keep something, and when each may be asked again. */
export class Refusals {
  readonly #refusals = new Map<PeerKey, { until: number, reason: Reason }>()

  add (peer: PeerKey, reason: Reason, now: number): void {
    if (this.#refusals.get(peer)?.until !== Infinity) {
      this.#refusals.set(peer, { until: now + (reason === 'unwilling' ? REFUSED_TIME : BUSY_TIME), reason })
    }
  }

  addForever (peer: PeerKey): void {
    this.#refusals.set(peer, { until: Infinity, reason: 'unwilling' })
  }

  has (peer: PeerKey): boolean {
    return this.#refusals.has(peer)
  }

  /** `true` for who has refused, and did not just say nothing. */
  hasSaidNo (peer: PeerKey): boolean {
    return this.has(peer) && this.#refusals.get(peer)?.reason !== 'silent'
  }

  isBusy (peer: PeerKey): boolean {
    return this.#refusals.get(peer)?.reason === 'busy'
  }

  /** When the next may be asked again, in ms. */
  get next (): number {
    return Math.min(...[...this.#refusals.values()].map(({ until }) => until))
  }

  /** Forgets those whose time is over. */
  forgive (now: number): void {
    this.#refusals.forEach(({ until }, peer) => {
      if (until <= now) {
        this.#refusals.delete(peer)
      }
    })
  }
}
