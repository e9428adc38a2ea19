/**
 * How many queries are taken from a neighbour, and from all together.
 *
 * @module
 */

import { BUDGET_COUNT, NEIGHBOUR_BURST, NEIGHBOUR_RATE, TOTAL_BURST, TOTAL_RATE } from '../constants.ts'
import { PeerBudgets, TokenBucket } from '../../budget.ts'
import type { PeerKey } from '../../core.ts'

/** The budgets of all neighbours, and the one they share. */
export class Budgets {
  readonly #ofPeers = new PeerBudgets(NEIGHBOUR_BURST, NEIGHBOUR_RATE, BUDGET_COUNT)
  #total?: TokenBucket

  /** Spends `price` for a neighbour; `false`, and spends nothing, if there is not that much left. */
  take (peer: PeerKey, price: number, now: number): boolean {
    const total = this.#total ??= new TokenBucket(TOTAL_BURST, TOTAL_RATE, now)
    const may = total.left(now) >= price && this.#ofPeers.take(peer, price, now)

    if (may) {
      total.spend(price)
    }

    return may
  }
}
