/**
 * Passing news on: at once to a few, and again in rounds until it is old.
 *
 * @module
 */

import { GOSSIP_DELAY, GOSSIP_FANOUT, GOSSIP_INTERVAL } from '../constants.ts'
import { Broadcasts } from './broadcasts.ts'
import type { Members } from './members.ts'
import type { News } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { View } from './view.ts'

/** News that rides on a ping or its answer, in bytes. */
const RIDE_SIZE = 2 * 1024

/** The news this member passes on. */
export class Gossip {
  readonly #members: Members
  readonly #view: View
  readonly #out: Outbox
  readonly #broadcasts = new Broadcasts()
  #nextAt = Infinity

  constructor (members: Members, view: View, out: Outbox) {
    this.#members = members
    this.#view = view
    this.#out = out
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

    for (const peer of this.#view.sample(GOSSIP_FANOUT)) {
      const news = this.#broadcasts.take(this.#members.living)

      if (news.length > 0) {
        this.#out.tell(peer, news)
      }
    }

    this.plan(GOSSIP_INTERVAL)
  }

  /** What can ride on another message. */
  ride (): News[] {
    return this.#broadcasts.size === 0 ? [] : this.#broadcasts.take(this.#members.living, RIDE_SIZE)
  }
}
