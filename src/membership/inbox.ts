/**
 * What comes from others on its way to the core: signatures are checked, but
 * only of what would change something.
 *
 * @module
 */

import { isLiving } from './core/members.ts'
import { compareIncarnations } from './core/messages.ts'
import { readClaim, readRecord } from './record.ts'
import type { SealedNews, WireMessage } from './codec.ts'
import type { Claim, Message, News, SignedRecord } from './core/messages.ts'
import type { Members } from './core/members.ts'
import type { PeerKey } from '../core.ts'

/** Messages of one peer that may wait to be checked. */
const MAX_WAITING = 256

/** Members a peer may make known that nobody else has, and how many more each second. Keys cost nothing, so tables could be filled. */
const NEWCOMERS = 10_000
const NEWCOMERS_PER_SECOND = 20

/** What an {@link Inbox} works with. */
export interface InboxInit {
  network: string
  self: PeerKey
  members: Members

  /** @default 10_000 */
  newcomers?: number
  onMessage (from: PeerKey, message: Message): void
}

/** Checks messages, those of each peer in order. */
export class Inbox {
  readonly #init: InboxInit
  readonly #newcomers = new Map<PeerKey, { left: number, reckoned: number }>()
  readonly #turns = new Map<PeerKey, { last: Promise<void>, waiting: number }>()
  #closed = false

  constructor (init: InboxInit) {
    this.#init = init
  }

  /** Takes a message; drops it if the peer has sent too many that are not checked yet. */
  take (from: PeerKey, message: Exclude<WireMessage, { type: 'bye' }>): void {
    const turn = this.#turns.get(from)

    // most say nothing that has to be checked
    if (turn == null && !isSealed(message)) {
      this.#init.onMessage(from, openEmpty(message))

      return
    }

    if (turn != null && turn.waiting >= MAX_WAITING) {
      return
    }

    this.#wait(from, async () => this.#open(from, message))
  }

  close (): void {
    this.#closed = true
  }

  #wait (from: PeerKey, open: () => Promise<Message | undefined>): void {
    const turn = this.#turns.get(from) ?? { last: Promise.resolve(), waiting: 0 }
    this.#turns.set(from, turn)
    turn.waiting++
    turn.last = turn.last.then(open).then(message => {
      if (message != null && !this.#closed) {
        this.#init.onMessage(from, message)
      }
    }, () => {
      // what cannot be read is not worth more than its being dropped
    }).finally(() => {
      if (--turn.waiting === 0) {
        this.#turns.delete(from)
      }
    })
  }

  async #open (from: PeerKey, message: Exclude<WireMessage, { type: 'bye' }>): Promise<Message | undefined> {
    switch (message.type) {
      case 'hello': {
        const signed = await this.#record(from, message.record, true)

        return signed?.record.peer === from ? { type: 'hello', signed } : undefined
      }
      case 'ping':
      case 'ack': return { type: message.type, seq: message.seq, news: await this.#news(from, message.news) }
      case 'gossip': return { type: 'gossip', news: await this.#news(from, message.news) }
      default: return message
    }
  }

  async #news (from: PeerKey, { records, claims, doubts }: SealedNews): Promise<News[]> {
    const news: News[] = doubts.map(doubt => ({ type: 'doubt', doubt }))

    for (const bytes of records) {
      const signed = await this.#record(from, bytes)
      news.push(...signed == null ? [] : [{ type: 'record' as const, signed }])
    }

    for (const bytes of claims) {
      const claim = await this.#claim(bytes)
      news.push(...claim == null ? [] : [{ type: 'claim' as const, claim }])
    }

    return news
  }

  /** A record, if it is news; with `always`, if it is right. */
  async #record (from: PeerKey, bytes: Uint8Array, always = false): Promise<SignedRecord | undefined> {
    try {
      const { value, check } = readRecord(bytes, this.#init.network)
      const known = this.#init.members.get(value.record.peer)
      const isNews = known == null || compareIncarnations(value.record, known.signed.record) > 0

      return (isNews || always) && (known != null || this.#mayBring(from)) && await check() ? value : undefined
    } catch {
      return undefined
    }
  }

  /** `true` if a peer may make one more member known. */
  #mayBring (from: PeerKey): boolean {
    const { newcomers = NEWCOMERS } = this.#init
    const now = performance.now()
    const budget = this.#newcomers.get(from) ?? { left: newcomers, reckoned: now }
    budget.left = Math.min(newcomers, budget.left + (now - budget.reckoned) / 1000 * NEWCOMERS_PER_SECOND)
    budget.reckoned = now
    const may = budget.left >= 1
    budget.left -= Number(may)

    // whoever has its whole budget need not be remembered
    if (budget.left >= newcomers) {
      this.#newcomers.delete(from)
    } else {
      this.#newcomers.set(from, budget)
    }

    return may
  }

  /** A claim, if it changes something. */
  async #claim (bytes: Uint8Array): Promise<Claim | undefined> {
    try {
      const { value, check } = readClaim(bytes, this.#init.network)
      const target = this.#init.members.get(value.target)
      const order = target == null ? -1 : compareIncarnations(value, target.signed.record)
      const isNews = target != null && isLiving(target) && (order === 0 || value.target === this.#init.self) &&
        this.#init.members.get(value.from) != null && target.suspicion?.claims.some(({ from }) => from === value.from) !== true

      // who is behind the times is told so, whatever it says
      return (isNews || order < 0) && target != null && await check() ? value : undefined
    } catch {
      return undefined
    }
  }
}

function isSealed (message: WireMessage): boolean {
  return message.type === 'hello' || ('news' in message && message.news.records.length + message.news.claims.length > 0)
}

/** A message without anything signed. */
function openEmpty (message: Exclude<WireMessage, { type: 'bye' }>): Message {
  if (message.type === 'hello') {
    throw new TypeError('A hello has a record')
  }

  return 'news' in message ? { ...message, news: message.news.doubts.map(doubt => ({ type: 'doubt', doubt })) } : message
}
