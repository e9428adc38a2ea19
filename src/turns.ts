/**
 * What peers send is dealt with in order, even where that takes time, as
 * checking a signature does.
 *
 * @module
 */

import type { PeerKey } from './core.ts'

/** One thing after another for each peer, and a bounded number of them. */
export class Turns {
  readonly #max: number

  /** Peers for whom there is something to do. */
  readonly #turns = new Map<PeerKey, { last: Promise<void>, waiting: number }>()

  /** @param max - things of one peer that may wait, with the one that is being done */
  constructor (max: number) {
    this.#max = max
  }

  /** `true` while something of a peer is not done. */
  has (peer: PeerKey): boolean {
    return this.#turns.has(peer)
  }

  /** Does something when all that came before from this peer is done; `false`, and nothing, if too much waits. */
  take (peer: PeerKey, task: () => Promise<void>, onError: (error: Error) => void): boolean {
    const turn = this.#turns.get(peer) ?? { last: Promise.resolve(), waiting: 0 }

    if (turn.waiting >= this.#max) {
      return false
    }

    this.#turns.set(peer, turn)
    turn.waiting++
    turn.last = turn.last.then(task).catch(onError).finally(() => {
      if (--turn.waiting === 0) {
        this.#turns.delete(peer)
      }
    })

    return true
  }
}
