/**
 * Passing news on: at once to a few, and again in rounds until it is old.
 *
 * @module
 */

import { GOSSIP_DELAY, GOSSIP_FANOUT, GOSSIP_INTERVAL } from '../constants.ts'
import { sample } from '../../random.ts'
import { Broadcasts } from './broadcasts.ts'
import type { Members } from './members.ts'
import type { News } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { View } from './view.ts'
import type { PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

/** News that rides on a ping or its answer, in bytes. */
const RIDE_SIZE = 2 * 1024

/** The news this member passes on. */
export class Gossip {
  readonly #members: Members
  readonly #view: View
  readonly #out: Outbox
  readonly #random: Random
  readonly #broadcasts = new Broadcasts()
  #nextAt = Infinity

  constructor (members: Members, view: View, out: Outbox, random: Random) {
    this.#members = members
    this.#view = view
    this.#out = out
    this.#random = random
  }

  /** News still to be passed on. */
  get pending (): number {
    return this.#broadcasts.size
  }

  /** Takes news to be passed on. */
  pass (news: News): void {
    this.#broadcasts.add(news)
    this.plan()
  }

  /** Takes note of who told us what. */
  heard (from: PeerKey, news: News[]): void {
    news.forEach(item => { this.#broadcasts.knows(from, item) })
  }

  /** Sees to it that there is a round soon, if there is news and somebody to tell. */
  plan (after = GOSSIP_DELAY): void {
    const { now } = this.#out
    const at = now + after

    if (this.#broadcasts.size > 0 && this.#view.size > 0 && (at < this.#nextAt || this.#nextAt < now)) {
      this.#nextAt = at
      this.#out.timer('gossip', after)
    }
  }

  /** A round: a few members are told. */
  round (): void {
    this.#nextAt = Infinity

    const links = this.#view.links()

    if (links.length > 0) {
      this.#broadcasts.prune(links)
    }

    for (const peer of sample(this.#random, this.#broadcasts.untold(links), GOSSIP_FANOUT)) {
      this.#out.tell(peer, this.#broadcasts.take(peer, this.#members.living))
    }

    this.plan(GOSSIP_INTERVAL)
  }

  /** What can ride on another message. */
  ride (to: PeerKey): News[] {
    return this.#broadcasts.size === 0 ? [] : this.#broadcasts.take(to, this.#members.living, RIDE_SIZE)
  }
}
