import { TokenBucket } from '../budget.ts'
import { LIGHT_DIALS, LIGHT_DIALS_PER_SECOND } from './constants.ts'
import type { Card } from './record.ts'
import type { PeerKey } from '../core.ts'

/** How many are tried at once. */
const RETURN_DIALS = 8

/** Members that were there when this node was last, to be tried while nobody is. */
export class Acquaintances {
  #cards: Card[] = []

  /** What a light member may still try: half as many as the links it may open. */
  readonly #budget = new TokenBucket(LIGHT_DIALS / 2, LIGHT_DIALS_PER_SECOND / 2, performance.now())

  /** Takes those from the address book, the most likely first. */
  load (cards: Card[]): void {
    this.#cards = [...cards]
  }

  find (peer: PeerKey): Card | undefined {
    return this.#cards.find(card => card.peer === peer)
  }

  /** A few to try now, none of the last ones again soon; fewer if this member is light and tried many of late. */
  take (light: boolean): PeerKey[] {
    const peers: PeerKey[] = []

    while (peers.length < Math.min(RETURN_DIALS, this.#cards.length) && (!light || this.#budget.left(performance.now()) >= 1)) {
      const [card] = this.#cards.splice(Math.floor(Math.random() * Math.min(this.#cards.length, 2 * RETURN_DIALS)), 1)
      this.#cards.push(card)
      peers.push(card.peer)

      if (light) {
        this.#budget.spend(1)
      }
    }

    return peers
  }
}
