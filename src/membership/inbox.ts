/**
 * What comes from others on its way to the core: signatures are checked, but
 * only of what would change something. Whoever sends a wrong one is broken off
 * with.
 *
 * @module
 */

import { PeerBudgets } from '../budget.ts'
import { ProtocolError } from '../errors.ts'
import { Turns } from '../turns.ts'
import { isLiving } from './core/members.ts'
import { compareIncarnations } from './core/messages.ts'
import { readClaim, readRecord } from './record.ts'
import type { SealedNews, WireMessage } from './codec.ts'
import type { Claim, Message, News, SignedRecord } from './core/messages.ts'
import type { Members } from './core/members.ts'
import type { Unchecked } from './record.ts'
import type { PeerKey } from '../core.ts'

/** Messages of one peer that may wait to be checked. */
const MAX_WAITING = 256

/** Members a peer may make known that nobody else has, and how many more each second. Keys cost nothing, so tables could be filled. */
const NEWCOMERS = 10_000
const NEWCOMERS_PER_SECOND = 20

/** Signatures that are checked for a peer, and how many more each second: 2 % of a core. */
const CHECKS = 20_000
const CHECKS_PER_SECOND = 200

/** What an {@link Inbox} works with. */
export interface InboxInit {
  network: string
  self: PeerKey
  members: Members

  /** @default 10_000 */
  newcomers?: number
  onMessage (from: PeerKey, message: Message): void

  /** A peer sent what cannot be read, or is signed wrong. */
  onInvalid (from: PeerKey, error: Error): void
}

/** Checks messages, those of each peer in order. */
export class Inbox {
  readonly #init: InboxInit
  readonly #newcomers: PeerBudgets
  readonly #checks = new PeerBudgets(CHECKS, CHECKS_PER_SECOND)
  readonly #turns = new Turns(MAX_WAITING)
  #closed = false

  constructor (init: InboxInit) {
    this.#init = init
    this.#newcomers = new PeerBudgets(init.newcomers ?? NEWCOMERS, NEWCOMERS_PER_SECOND)
  }

  /** Takes a message; drops it if the peer has sent too many that are not checked yet. */
  take (from: PeerKey, message: Exclude<WireMessage, { type: 'bye' }>): void {
    // most say nothing that has to be checked
    if (!this.#turns.has(from) && !isSealed(message)) {
      this.#init.onMessage(from, openEmpty(message))
    } else {
      this.#turns.take(from, async () => { await this.#pass(from, message) }, err => {
        if (!this.#closed) {
          this.#init.onInvalid(from, err)
        }
      })
    }
  }

  close (): void {
    this.#closed = true
  }

  async #pass (from: PeerKey, sealed: Exclude<WireMessage, { type: 'bye' }>): Promise<void> {
    const message = await this.#open(from, sealed)

    if (message != null && !this.#closed) {
      this.#init.onMessage(from, message)
    }
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
      const claim = await this.#claim(from, bytes)
      news.push(...claim == null ? [] : [{ type: 'claim' as const, claim }])
    }

    return news
  }

  /** A record, if it is news; with `always`, if it is right. */
  async #record (from: PeerKey, bytes: Uint8Array, always = false): Promise<SignedRecord | undefined> {
    const unchecked = readRecord(bytes, this.#init.network)
    const { value } = unchecked
    const known = this.#init.members.get(value.record.peer)
    const isNews = known == null || compareIncarnations(value.record, known.signed.record) > 0

    if ((!isNews && !always) || (known == null && !this.#newcomers.take(from, 1, performance.now()))) {
      return undefined
    }

    await this.#assertSigned(from, unchecked)

    return value
  }

  /**
   * Checks a signature.
   *
   * @throws {ProtocolError} it is wrong: nobody passes on what he has not checked himself
   */
  async #assertSigned (from: PeerKey, { check }: Unchecked<unknown>): Promise<void> {
    if (!this.#checks.take(from, 1, performance.now())) {
      throw new ProtocolError('It says more that has to be checked than it can have to say')
    }

    if (!await check()) {
      throw new ProtocolError('A signature is wrong')
    }
  }

  /** A claim, if it changes something. */
  async #claim (from: PeerKey, bytes: Uint8Array): Promise<Claim | undefined> {
    const { self, members, network } = this.#init
    const unchecked = readClaim(bytes, network)
    const { value } = unchecked
    const target = members.get(value.target)

    if (target == null || !isLiving(target) || members.get(value.from) == null) {
      return undefined
    }

    const order = compareIncarnations(value, target.signed.record)
    const isKnown = target.suspicion?.has(value) === true

    // who is behind the times is told so
    if ((order > 0 && value.target !== self) || (order === 0 && isKnown)) {
      return undefined
    }

    await this.#assertSigned(from, unchecked)

    return value
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
