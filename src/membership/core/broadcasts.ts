/**
 * News on its way through the colony.
 *
 * What has been passed on least goes first, so that a flood of old news does
 * not starve the new (Tarantool #4253). Each piece is passed on
 * `RETRANSMIT_FACTOR * ceil(log10(members + 1))` times, as in memberlist, but to
 * nobody twice, and not to those from whom it came.
 *
 * @module
 */

import { MAX_NEWS_SIZE, RETRANSMIT_FACTOR } from '../constants.ts'
import type { News } from './messages.ts'
import type { PeerKey } from '../../core.ts'

/** Bytes of a doubt, about. */
const DOUBT_SIZE = 80

interface Queued {
  news: News
  size: number

  /** Who knows it, from us or as we do from them. */
  told: Set<PeerKey>

  /** How often it was passed on. */
  sent: number

  /** Larger is later. */
  order: number
}

/** What is still to be passed on. */
export class Broadcasts {
  readonly #queue = new Map<string, Queued>()
  #order = 0

  get size (): number {
    return this.#queue.size
  }

  /** Takes news to be passed on. A record makes all claims and doubts about its member obsolete. */
  add (news: News): void {
    if (news.type === 'record') {
      this.forget(news.signed.record.peer)
    }

    this.#queue.set(keyOf(news), { news, size: sizeOf(news), told: new Set(), sent: 0, order: this.#order++ })
  }

  /** Somebody told us the same, and need not be told. */
  knows (peer: PeerKey, news: News): void {
    this.#queue.get(keyOf(news))?.told.add(peer)
  }

  /** Drops the news of a member. */
  forget (peer: PeerKey): void {
    for (const [key, { news }] of this.#queue) {
      if (subjectOf(news) === peer) {
        this.#queue.delete(key)
      }
    }
  }

  /** Those who do not know everything yet. */
  untold (peers: PeerKey[]): PeerKey[] {
    const queued = [...this.#queue.values()]

    return peers.filter(peer => queued.some(({ told }) => !told.has(peer)))
  }

  /** The news for one message, which count as passed on; at most `limit` bytes. */
  take (to: PeerKey, members: number, limit = MAX_NEWS_SIZE): News[] {
    const times = RETRANSMIT_FACTOR * Math.ceil(Math.log10(members + 1))
    const sorted = [...this.#queue].filter(([, { told }]) => !told.has(to)).sort(([, a], [, b]) => a.sent - b.sent || b.order - a.order)
    const taken: News[] = []
    let room = limit

    for (const [key, queued] of sorted) {
      if (queued.size <= room) {
        room -= queued.size
        taken.push(queued.news)
        queued.told.add(to)

        if (++queued.sent >= times) {
          this.#queue.delete(key)
        }
      }
    }

    return taken
  }

  /** Drops what all of them know. */
  prune (peers: PeerKey[]): void {
    for (const [key, { told }] of this.#queue) {
      if (peers.every(peer => told.has(peer))) {
        this.#queue.delete(key)
      }
    }
  }
}

/** Who news is about. */
function subjectOf (news: News): PeerKey {
  switch (news.type) {
    case 'record': return news.signed.record.peer
    case 'claim': return news.claim.target
    case 'doubt': return news.doubt.peer
  }
}

/** Bytes of news in a message, about. */
export function sizeOf (news: News): number {
  switch (news.type) {
    case 'record': return news.signed.envelope.byteLength + 12
    case 'claim': return news.claim.envelope.byteLength + 12
    case 'doubt': return DOUBT_SIZE
  }
}

function keyOf (news: News): string {
  switch (news.type) {
    case 'record': return `record ${news.signed.record.peer} ${news.signed.record.epoch} ${news.signed.record.counter}`
    case 'claim': return `claim ${news.claim.target} ${news.claim.from} ${news.claim.epoch} ${news.claim.counter}`
    case 'doubt': return `doubt ${news.doubt.peer} ${news.doubt.epoch} ${news.doubt.counter}`
  }
}
