/**
 * Comparing two tables, so that whatever gossip missed is found out.
 *
 * Whoever begins sends the hashes of its table's buckets. The other answers
 * with the versions of the members in those that differ, in as many messages
 * as it takes, or not at all if none do. Then the first sends what it knows better, and asks for what it does
 * not. Nothing is remembered from one message to the next, but for what others
 * take for dead, and how much somebody was answered: a question is much smaller
 * than its answer.
 *
 * @module
 */

import { MAX_MEMBERS, MAX_NEWS_SIZE } from '../constants.ts'
import { PeerBudgets } from '../../budget.ts'
import { sizeOf } from './broadcasts.ts'
import { isLiving } from './members.ts'
import { compareIncarnations } from './messages.ts'
import type { Member, Members } from './members.ts'
import type { Doubt, Incarnation, MemberRecord, Message, News, Version } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { PeerKey } from '../../core.ts'

/** Members others take for dead that are remembered until their records come. */
const MAX_SAID_DOWN = 5_000

/** With more records to come at once, they are no news to others: this member has just come, or was away. */
const BULK = 32

/** Rows and records that one peer is told at once, and how many more each second. */
const MAX_TOLD = 40_000
const TOLD_PER_SECOND = 500

/** What {@link Sync} works with. */
export interface SyncInit {
  self: PeerKey
  members: Members
  out: Outbox

  /** This member is taken for dead. */
  thoughtDown (incarnation: Incarnation): void

  /** A member is taken for dead by others that is alive as far as we know. */
  doubt (doubt: Doubt): void

  /** Sees whether a member answers. */
  check (peer: PeerKey): void
}

/** Comparisons of this member's table with those of others. */
export class Sync {
  readonly #init: SyncInit
  readonly #saidDown = new Map<PeerKey, Incarnation>()

  /** Members whose records were asked for in bulk. */
  readonly #bulk = new Set<PeerKey>()

  readonly #budgets = new PeerBudgets(MAX_TOLD, TOLD_PER_SECOND)

  constructor (init: SyncInit) {
    this.#init = init
  }

  /** `true` if somebody takes a member for dead, at this incarnation. */
  saidDown (what: Member | MemberRecord): boolean {
    const record = 'signed' in what ? what.signed.record : what
    const said = this.#saidDown.get(record.peer)

    return said != null && compareIncarnations(said, record) === 0
  }

  /** `true` once for a member whose record need not be passed on. */
  isOld (peer: PeerKey): boolean {
    return this.#bulk.delete(peer)
  }

  /** Somebody sends the hashes of its table. */
  asked (from: PeerKey, digest: Uint8Array): void {
    const { members, out } = this.#init

    for (const versions of members.versions(members.differing(digest))) {
      if (!this.#budgets.take(from, versions.members.length, out.now)) {
        return
      }

      out.send(from, { type: 'versions', ...versions })
    }
  }

  /** Somebody sends what it has where the hashes differ. */
  compare (from: PeerKey, { buckets, members: versions }: Extract<Message, { type: 'versions' }>): void {
    const { members, out } = this.#init
    const news: News[] = []
    const want: PeerKey[] = []
    const named = new Set<PeerKey>()

    for (const version of versions) {
      named.add(version.peer)
      this.#compareOne(version, news, want)
    }

    // what it does not know at all; the dead only when it asks
    for (const member of buckets.flatMap(bucket => members.bucket(bucket))) {
      if (!named.has(member.peer) && member.state !== 'down') {
        news.push({ type: 'record', signed: member.signed })
      }
    }

    sendNews(out, from, news)

    if (want.length > BULK) {
      if (this.#bulk.size > MAX_MEMBERS) {
        this.#bulk.clear()
      }

      want.forEach(peer => { this.#bulk.add(peer) })
    }

    if (want.length > 0) {
      out.send(from, { type: 'want', peers: want })
    }
  }

  /** Somebody asks for records. */
  wanted (from: PeerKey, peers: PeerKey[]): void {
    const { members, out } = this.#init

    if (!this.#budgets.take(from, peers.length, out.now)) {
      return
    }

    sendNews(out, from, peers.flatMap(peer => {
      const member = members.get(peer)

      return member == null ? [] : [{ type: 'record' as const, signed: member.signed }]
    }))
  }

  #compareOne (version: Version, news: News[], want: PeerKey[]): void {
    const { self, members, thoughtDown, doubt, check } = this.#init
    const { peer, epoch, counter, down } = version
    const member = members.get(peer)
    const order = member == null ? 1 : compareIncarnations(version, member.signed.record)

    if (down && peer !== self && order >= 0) {
      this.#remember(version)
    }

    if (order > 0) {
      want.push(peer)
    } else if (member == null || order < 0) {
      if (member?.state !== 'down') {
        news.push({ type: 'record', signed: (member as Member).signed })
      }
    } else if (down && peer === self) {
      thoughtDown({ epoch, counter })
    } else if (down && isLiving(member)) {
      doubt({ peer, epoch, counter })
      check(peer)
    } else if (!down && member.state === 'down') {
      // it is nearer to the member than we are
      news.push({ type: 'doubt', doubt: { peer, epoch, counter } })
    }
  }

  #remember ({ peer, epoch, counter }: Version): void {
    if (this.#saidDown.size >= MAX_SAID_DOWN) {
      this.#saidDown.clear()
    }

    this.#saidDown.set(peer, { epoch, counter })
  }
}

/** Sends news in as many messages as it takes. */
function sendNews (out: Outbox, to: PeerKey, news: News[]): void {
  let batch: News[] = []
  let size = 0

  for (const item of news) {
    if (size + sizeOf(item) > MAX_NEWS_SIZE && batch.length > 0) {
      out.tell(to, batch)
      batch = []
      size = 0
    }

    batch.push(item)
    size += sizeOf(item)
  }

  if (batch.length > 0) {
    out.tell(to, batch)
  }
}
