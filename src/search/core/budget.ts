/**
 * How many queries are taken from a neighbour, and from all together.
 *
 * @module
 */

import { BUDGET_COUNT, NEIGHBOUR_BURST, NEIGHBOUR_RATE, TOTAL_BURST, TOTAL_RATE } from '../constants.ts'
import type { PeerKey } from '../../core.ts'

/** A budget that fills by itself: `burst` at once, `rate` a second. */
export class TokenBucket {
  readonly #burst: number
  readonly #rate: number
  #tokens: number
  #filled: number

  constructor (burst: number, rate: number, now: number) {
    this.#burst = burst
    this.#rate = rate
    this.#tokens = burst
    this.#filled = now
  }

  /** What is left at `now`, in ms. */
  left (now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filled) / 1000 * this.#rate)
    this.#filled = now

    return this.#tokens
  }

  /** Spends `price`, which has to be there. */
  spend (price: number): void {
    this.#tokens -= price
  }
}

/** The budgets of all neighbours, and the one they share. */
export class Budgets {
  readonly #ofPeer = new Map<PeerKey, TokenBucket>()
  #total?: TokenBucket

  /** Spends `price` for a neighbour; `false`, and spends nothing, if there is not that much left. */
  take (peer: PeerKey, price: number, now: number): boolean {
    const total = this.#total ??= new TokenBucket(TOTAL_BURST, TOTAL_RATE, now)
    const own = this.#of(peer, now)

    if (own.left(now) < price || total.left(now) < price) {
      return false
    }

    own.spend(price)
    total.spend(price)

    return true
  }

  /** Forgets the budget of who uses it least; being gone does not fill it. */
  #of (peer: PeerKey, now: number): TokenBucket {
    const bucket = this.#ofPeer.get(peer) ?? new TokenBucket(NEIGHBOUR_BURST, NEIGHBOUR_RATE, now)
    this.#ofPeer.delete(peer)
    this.#ofPeer.set(peer, bucket)

    if (this.#ofPeer.size > BUDGET_COUNT) {
      const [oldest] = this.#ofPeer.keys()
      this.#ofPeer.delete(oldest)
    }

    return bucket
  }
}
