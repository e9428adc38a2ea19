/**
 * How much is taken from peers, or done for them: budgets that fill by themselves.
 *
 * @module
 */

import type { PeerKey } from './core.ts'

/** Peers whose budgets are remembered; one that was forgotten has a full one. */
const MAX_PEERS = 1_000

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

/** A budget for each peer, alike for all. Being gone does not fill it. */
export class PeerBudgets {
  readonly #burst: number
  readonly #rate: number
  readonly #max: number
  readonly #buckets = new Map<PeerKey, TokenBucket>()

  /**
   * @param burst - what a peer may spend at once
   * @param rate - what it may spend each second after that
   * @param max - peers that are remembered; who spent longest ago is forgotten first
   */
  constructor (burst: number, rate: number, max = MAX_PEERS) {
    this.#burst = burst
    this.#rate = rate
    this.#max = max
  }

  /** Spends `price` for a peer; `false`, and spends nothing, if there is not that much left. */
  take (peer: PeerKey, price: number, now: number): boolean {
    const bucket = this.#of(peer, now)
    const may = bucket.left(now) >= price

    if (may) {
      bucket.spend(price)
    }

    return may
  }

  #of (peer: PeerKey, now: number): TokenBucket {
    const bucket = this.#buckets.get(peer) ?? new TokenBucket(this.#burst, this.#rate, now)
    this.#buckets.delete(peer)
    this.#buckets.set(peer, bucket)

    if (this.#buckets.size > this.#max) {
      const [oldest] = this.#buckets.keys()
      this.#buckets.delete(oldest)
    }

    return bucket
  }
}
