/**
 * Getting to know each other: from when a link is made until both sides have
 * what the other knew then.
 *
 * Who is just coming in knows nobody but the member it came to, and is known to
 * nobody else. If that one dies now, it has come in vain; a moment later it
 * does no harm. Messages of a link are dealt with in order, so two pings tell
 * when: the answer to the first comes after the other side's question for what
 * we have, or what it has where we differ, and the answer to the second after
 * what was asked for then.
 *
 * @module
 */

import type { Outbox } from './outbox.ts'
import type { View } from './view.ts'
import type { PeerKey } from '../../core.ts'

/** Pings that have to be answered, one after another. */
const ROUNDS = 2

/** Links that were made a moment ago. */
export class Introductions {
  readonly #out: Outbox
  readonly #view: View
  readonly #ping: (peer: PeerKey) => number
  readonly #pings = new Map<PeerKey, { seq: number, round: number }>()

  /** @param ping - pings a link, and returns by which number */
  constructor (out: Outbox, view: View, ping: (peer: PeerKey) => number) {
    this.#out = out
    this.#view = view
    this.#ping = ping
  }

  /** `true` while the two sides of a link do not have what the other knew when it was made. */
  has (peer: PeerKey): boolean {
    return this.#pings.has(peer) && this.#view.has(peer)
  }

  /** A link is there, and the first words are sent. */
  begin (peer: PeerKey): void {
    this.#pings.set(peer, { seq: this.#ping(peer), round: 1 })
  }

  /** It answered this ping, or a later one. */
  acked (peer: PeerKey, seq: number): void {
    const under = this.#pings.get(peer)

    if (under == null || seq < under.seq) {
      return
    }

    if (under.round < ROUNDS) {
      this.#pings.set(peer, { seq: this.#ping(peer), round: under.round + 1 })
    } else {
      this.#pings.delete(peer)
      this.#out.event({ type: 'introduced', peer })
    }
  }

  /** Forgets those with whom there is no link any more; called every second or so. */
  prune (): void {
    for (const peer of this.#pings.keys()) {
      if (!this.#view.has(peer)) {
        this.#pings.delete(peer)
      }
    }
  }
}
