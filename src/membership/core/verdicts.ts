/**
 * What this member makes of what it is told: who is alive, suspected, down, or
 * has left.
 *
 * @module
 */

import { GUARDS, LAST_ANSWERS, LAST_QUESTIONS } from '../constants.ts'
import { isLiving, isNewer, versionOf } from './members.ts'
import { compareIncarnations } from './messages.ts'
import { Suspicion } from './suspicion.ts'
import type { Gossip } from './gossip.ts'
import type { Member, Members } from './members.ts'
import type { Claim, Doubt, Message, News, SignedRecord } from './messages.ts'
import type { MemberChange, Outbox } from './outbox.ts'
import type { Own } from './own.ts'
import type { Probes } from './probes.ts'
import type { Sync } from './sync.ts'
import type { View } from './view.ts'
import type { PeerKey } from '../../core.ts'

/** The parts of a core that work together. */
export interface Parts {
  readonly self: PeerKey
  readonly out: Outbox
  readonly members: Members
  readonly view: View
  readonly gossip: Gossip
  readonly own: Own
  readonly probes: Probes
  readonly sync: Sync
}

/** The rules of the table. */
export class Verdicts {
  readonly #parts: Parts

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** A member answered neither us nor others. */
  failed (peer: PeerKey): void {
    const member = this.#parts.members.get(peer)

    if (member == null || !isLiving(member)) {
      return
    }

    const { epoch, counter } = member.signed.record

    // two that found out independently are enough where the one has it as a verdict
    if (this.#parts.sync.saidDown(member)) {
      this.#down(member)
    } else {
      this.#parts.out.put({ type: 'accuse', target: peer, epoch, counter, broken: member.broken || undefined })
    }
  }

  hear (from: PeerKey, news: News[]): void {
    for (const item of news) {
      switch (item.type) {
        case 'record': this.record(item.signed); break
        case 'claim':
          this.claimed(item.claim)
          this.#correct(from, item.claim)
          break
        case 'doubt': this.doubted(item.doubt); break
      }
    }

    this.#parts.gossip.heard(from, news)
  }

  /** Tells who is behind the times what is known here. */
  #correct (from: PeerKey, claim: Claim): void {
    const member = this.#parts.members.get(claim.target)

    if (member != null && compareIncarnations(claim, member.signed.record) < 0) {
      this.#parts.out.tell(from, [{ type: 'record', signed: member.signed }])
    }
  }

  record (signed: SignedRecord): void {
    const { record } = signed

    if (record.peer === this.#parts.self) {
      this.#parts.own.met(record)

      return
    }

    const member = this.#parts.members.get(record.peer)

    if (member == null) {
      this.#add(signed)
    } else if (isNewer(signed, member.signed)) {
      this.#update(member, signed)
    }
  }

  #add (signed: SignedRecord): void {
    const { left } = signed.record
    const down = this.#parts.sync.saidDown(signed.record)
    const member = this.#parts.members.add(signed, left === true ? 'left' : down ? 'down' : 'alive', this.#parts.out.now)

    if (member == null) {
      return
    }

    this.#passRecord(signed)

    if (member.state === 'alive') {
      this.#tell('joined', member)
    }
  }

  #update (member: Member, signed: SignedRecord): void {
    const before = member.state
    const restarted = signed.record.epoch !== member.signed.record.epoch
    const left = signed.record.left === true
    this.#parts.members.set(member, { signed, state: left ? 'left' : 'alive' }, this.#parts.out.now)
    this.#passRecord(signed)

    if (left) {
      this.#parts.view.drop(member.peer)
    }

    const wasGone = before === 'down' || before === 'left'
    const change: MemberChange | undefined = left
      ? (before === 'left' ? undefined : 'left')
      : wasGone && (restarted || before === 'left') ? 'joined' : before === 'alive' ? 'updated' : 'recovered'

    if (change != null) {
      this.#tell(change, member)
    }
  }

  #passRecord (signed: SignedRecord): void {
    if (!this.#parts.sync.isOld(signed.record.peer)) {
      this.#parts.gossip.pass({ type: 'record', signed })
    }
  }

  claimed (claim: Claim): void {
    if (claim.target === this.#parts.self) {
      this.#parts.own.refute(claim)

      return
    }

    const member = this.#parts.members.get(claim.target)

    if (member == null || !isLiving(member) || compareIncarnations(claim, member.signed.record) !== 0) {
      return
    }

    const first = member.suspicion == null
    member.suspicion ??= new Suspicion(this.#parts.out.now)

    if (!member.suspicion.add(claim)) {
      return
    }

    this.#parts.gossip.pass({ type: 'claim', claim })
    this.#parts.out.timer(`suspect ${member.peer}`, this.#timeLeft(member))

    if (first) {
      this.#parts.members.set(member, { state: 'suspected' }, this.#parts.out.now)
      this.#tell('suspected', member)

      if (claim.from !== this.#parts.self && (this.#parts.view.has(member.peer) || this.#parts.members.isGuard(member.peer, GUARDS))) {
        this.#parts.probes.check(member.peer)
      }
    }
  }

  /** A suspicion may have lasted long enough. */
  judge (peer: PeerKey): void {
    const member = this.#parts.members.get(peer)

    if (member?.suspicion == null) {
      return
    }

    const left = this.#timeLeft(member)

    if (left > 0) {
      this.#parts.out.timer(`suspect ${peer}`, left)
    } else if (!member.suspicion.confirmed) {
      this.#askAround(member)
    } else {
      this.#down(member)
    }
  }

  #timeLeft ({ suspicion, signed }: Member): number {
    const { out, members } = this.#parts

    return suspicion?.left(out.now, members.living, signed.record.hidden) ?? 0
  }

  /** The last thing before a verdict: its refutation may have reached others, and not us. */
  #askAround (member: Member): void {
    const { view, out } = this.#parts
    const question: Message = { type: 'versions', buckets: [], members: [versionOf(member)] }
    view.helpers(LAST_QUESTIONS, member.peer).forEach(other => { out.send(other, question) })
    out.timer(`suspect ${member.peer}`, LAST_ANSWERS)

    if (member.suspicion != null) {
      member.suspicion.confirmed = true
    }
  }

  #down (member: Member): void {
    this.#parts.members.set(member, { state: 'down' }, this.#parts.out.now)
    this.#parts.view.drop(member.peer)
    this.#tell('down', member)
  }

  /** Somebody takes a member for dead. */
  doubted (doubt: Doubt): void {
    const { peer, epoch, counter } = doubt

    if (peer === this.#parts.self) {
      this.#parts.own.doubted(doubt)

      return
    }

    const member = this.#parts.members.get(peer)

    if (member?.state !== 'alive' || member.doubted || compareIncarnations(doubt, member.signed.record) !== 0) {
      return
    }

    member.doubted = true
    this.#parts.gossip.pass({ type: 'doubt', doubt: { peer, epoch, counter } })
  }

  #tell (type: MemberChange, member: Member): void {
    const others = this.#parts.members.living - 1
    this.#parts.out.event({ type, member })

    if (others === 1 && (type === 'joined' || type === 'recovered')) {
      this.#parts.out.event({ type: 'together' })
    } else if (others === 0 && (type === 'down' || type === 'left')) {
      this.#parts.out.event({ type: 'alone' })
    }
  }
}
