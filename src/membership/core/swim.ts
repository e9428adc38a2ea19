/**
 * Membership's rules: who is here, and what is passed on about whom.
 *
 * Only a member itself says that it is alive, by records that it signs, each
 * newer than the last. Others can say that they do not reach it. Such a claim
 * is signed too and starts a suspicion, which every member times for itself;
 * whoever is suspected hears of it and makes a newer record, which ends it.
 * There is no message that says that somebody is dead: each member comes to
 * that verdict by itself, from the claims of several others and its own.
 *
 * @module
 */

import { HIDDEN_STANDSTILL, LIGHT_REJOIN_FACTOR, OVERDUE, REJOIN_INTERVAL, STANDSTILL, SYNC_INTERVAL } from '../constants.ts'
import { pick } from '../../random.ts'
import { Gossip } from './gossip.ts'
import { Introductions } from './introductions.ts'
import { isLiving, Members } from './members.ts'
import { Outbox } from './outbox.ts'
import { Own } from './own.ts'
import { Probes } from './probes.ts'
import { Sync } from './sync.ts'
import { Verdicts } from './verdicts.ts'
import { View } from './view.ts'
import type { Member } from './members.ts'
import type { Message, News, SignedRecord } from './messages.ts'
import type { SwimInput, SwimOutput } from './outbox.ts'
import type { Core, PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

export type { MemberChange, SwimEvent, SwimInput, SwimOutput } from './outbox.ts'

/** The number of the ping that carries a goodbye; probes begin with 1. */
export const GOODBYE = 0

/** With fewer links, others are sought at once, not with the next probe. */
const MIN_LINKS = 3

/** A member that could not be linked so many times in a row is checked. */
const UNREACHABLE = 3

/** What a {@link SwimCore} is made with. */
export interface SwimInit {
  self: PeerKey
  random: Random
}

/** The rules of one member. */
export class SwimCore implements Core<SwimInput, SwimOutput> {
  /** Everybody this member knows of. */
  readonly members: Members

  /** Whom it is connected with. */
  readonly view: View

  /** With whom it is getting to know each other. */
  readonly introductions: Introductions
  readonly #self: PeerKey
  readonly #random: Random
  readonly #out = new Outbox()
  readonly #gossip: Gossip
  readonly #own: Own
  readonly #probes: Probes
  readonly #sync: Sync
  readonly #verdicts: Verdicts

  /** When this process was last known to run, in ms. */
  #awake = -Infinity

  constructor ({ self, random }: SwimInit) {
    const out = this.#out
    const members = new Members(self)
    const view = new View(self, members, random, out)
    const gossip = new Gossip(members, view, out, random)
    const own = new Own(out, () => { this.#probes.rate(1) })
    this.#probes = new Probes({ members, view, random, out, news: to => gossip.ride(to), fail: peer => { this.#verdicts.failed(peer) } })
    this.#sync = new Sync({
      self,
      members,
      out,
      thoughtDown: said => { own.doubted(said) },
      doubt: doubt => { this.#verdicts.doubted(doubt) },
      check: peer => { this.#check(peer) }
    })
    this.#verdicts = new Verdicts({ self, out, members, view, gossip, own, probes: this.#probes, sync: this.#sync })
    this.#self = self
    this.#random = random
    this.#gossip = gossip
    this.#own = own
    this.members = members
    this.view = view
    this.introductions = new Introductions(out, view, peer => this.#probes.ping(peer))
  }

  /** Lifeguard's local health multiplier: 0 is healthy. */
  get health (): number {
    return this.#probes.health
  }

  /** News still to be passed on. */
  get pending (): number {
    return this.#gossip.pending
  }

  handle (input: SwimInput, now: number): SwimOutput[] {
    this.#out.begin(now)
    this.#wake(input)

    switch (input.type) {
      case 'message': this.#message(input.from, input.message); break
      case 'timer': this.#timer(input.id); break
      case 'self': this.#renewed(input.signed); break
      case 'claim': this.#verdicts.claimed(input.claim); break
      case 'linked': this.#linked(input.peer, input.dialled); break
      case 'unlinked': this.view.ended(input.peer); break
      case 'gone': this.#gone(input.peer); break
      case 'unreachable': this.#unreachable(input.peer); break
      case 'located': this.view.hasten(input.peer); break
    }

    return this.#out.take()
  }

  /**
   * Sees whether this process stood still, and runs the timers that should have
   * fired by now: a hidden tab gets messages, but its timers wait for a minute.
   */
  #wake (input: SwimInput): void {
    const { now } = this.#out

    if (input.type === 'message') {
      this.#heard(input.from)
    }

    const late = input.type === 'timer' ? [] : this.#out.overdue(now - OVERDUE)
    const due = input.type === 'timer' ? this.#out.fired(input.id) : late.at(0)?.[1]
    const stood = now - Math.max(this.#awake, due ?? now)
    this.#awake = now

    if (stood > (this.#isHidden ? HIDDEN_STANDSTILL : STANDSTILL)) {
      this.#stoodStill(stood)
    }

    for (const [id] of late) {
      this.#out.fired(id)
      this.#timer(id)
    }
  }

  get #isHidden (): boolean {
    return this.#own.signed?.record.hidden === true
  }

  #heard (from: PeerKey): void {
    const member = this.members.get(from)
    this.#probes.heard(from)

    if (member != null) {
      member.broken = false
    }
  }

  #message (from: PeerKey, message: Message): void {
    switch (message.type) {
      case 'hello': this.#greeted(from, message.signed); break
      case 'ping':
        this.#verdicts.hear(from, message.news)
        this.#out.send(from, { type: 'ack', seq: message.seq, news: this.#gossip.ride(from) })
        break
      case 'ack':
        this.#probes.acked(message.seq)
        this.#verdicts.hear(from, message.news)
        this.introductions.acked(from, message.seq)
        break
      case 'probe': this.#probes.help(from, message.seq, message.target); break
      case 'report': this.#probes.reported(message.seq, message.reached); break
      case 'gossip': this.#gossiped(from, message.news); break
      case 'sync': this.#sync.asked(from, message.buckets); break
      case 'versions': this.#sync.compare(from, message); break
      case 'want': this.#sync.wanted(from, message.peers); break
    }
  }

  #gossiped (from: PeerKey, news: News[]): void {
    this.#verdicts.hear(from, news)

    // who has just come needs more links at once, or hardly anybody would notice that it went
    if (this.view.size < MIN_LINKS) {
      this.view.keep()
    }
  }

  #timer (id: string): void {
    const [kind, what] = id.split(' ')

    switch (kind) {
      case 'probe': this.#cycle(); break
      case 'late': this.#probes.late(); break
      case 'check': this.#probes.checkAgain(what); break
      case 'help': this.#probes.helpEnds(Number(what)); break
      case 'gossip': this.#gossip.round(); break
      case 'renew': this.#own.renew(); break
      case 'suspect': this.#verdicts.judge(what); break
      case 'sync': this.#compareWithOne(); break
      case 'rejoin': this.#rejoin(); break
    }
  }

  /** Our record was signed. */
  #renewed (signed: SignedRecord): void {
    const first = this.#own.signed == null
    const wasHidden = this.#isHidden
    const member = this.members.get(this.#self)
    this.#own.signed = signed

    if (member == null) {
      this.members.add(signed, 'alive', this.#out.now)
    } else {
      this.members.set(member, { signed, state: signed.record.left === true ? 'left' : 'alive' }, this.#out.now)
    }

    if (first) {
      this.#start()
    } else {
      this.#gossip.pass({ type: 'record', signed })
    }

    // a refutation cannot be too early; and who leaves has no next round, but wants to know that it was heard
    const news: News[] = [{ type: 'record', signed }]
    this.view.links().forEach(peer => {
      this.#out.send(peer, signed.record.left === true ? { type: 'ping', seq: GOODBYE, news } : { type: 'gossip', news })
    })

    if (wasHidden && !this.#isHidden && signed.record.left !== true) {
      this.#catchUp()
    }
  }

  /** Nobody has to wait for this member any more: it looks at once what it missed. */
  #catchUp (): void {
    this.#probes.rate(-Infinity)
    this.#compareWithOne()
    this.#schedule(0)
  }

  #start (): void {
    this.#schedule(this.#random() * this.#probes.interval)
    this.#out.timer('sync', SYNC_INTERVAL * (0.5 + this.#random() / 2))
    this.#out.timer('rejoin', this.#random() * REJOIN_INTERVAL)
  }

  #schedule (after: number): void {
    this.#out.timer('probe', after)
  }

  /** Once a second: a probe, and what else has to be seen to now and then. */
  #cycle (): void {
    this.#probes.next()
    this.view.keep()
    this.introductions.prune()
    this.members.forgetGone(this.#out.now)
    this.#schedule(this.#probes.interval)
  }

  /** This process was stopped for a while: verdicts wait for another cycle. */
  #stoodStill (time: number): void {
    this.#probes.forget()

    // a hidden member stands still by rule, and is well
    if (!this.#isHidden) {
      this.#probes.rate(1)
    }

    for (const { suspicion } of this.members.values()) {
      suspicion?.extend(time + this.#probes.interval)
    }
  }

  #linked (peer: PeerKey, dialled: boolean): void {
    this.view.linked(peer, dialled)

    if (this.#own.signed != null) {
      this.#out.send(peer, { type: 'hello', signed: this.#own.signed })
    }

    if (dialled) {
      this.#out.send(peer, { type: 'sync', buckets: this.members.digest() })
    }

    this.introductions.begin(peer)
    this.#gossip.plan()
  }

  #greeted (from: PeerKey, signed: SignedRecord): void {
    const before = this.members.get(from)?.state
    this.#verdicts.record(signed)
    const member = this.members.get(from)

    if (member?.state === 'down') {
      // it has to say that it lives, or others would not believe it
      this.#out.tell(from, [doubtOf(member)])
    } else if (member?.suspicion != null) {
      // so that it can speak up at once
      this.#out.tell(from, member.suspicion.claims.map(claim => ({ type: 'claim' as const, claim })))
    } else if (before !== 'alive' && before !== 'suspected') {
      // many may come through one member, whose links know nobody else yet
      this.view.links().filter(peer => peer !== from).forEach(peer => { this.#out.tell(peer, [{ type: 'record', signed }]) })
    }
  }

  /** A connection broke: evidence that it may be dead, not more. */
  #gone (peer: PeerKey): void {
    const member = this.members.get(peer)

    if (this.view.lost(peer)) {
      if (member != null) {
        member.broken = true
      }

      this.#check(peer)

      // who lost its only link does not wait for the next probe either
      if (this.view.size === 0) {
        this.view.keep()
      }
    }
  }

  #unreachable (peer: PeerKey): void {
    const failures = this.view.failed(peer)
    this.#probes.unreachable(peer)

    // a record alone does not make a member
    if (failures === UNREACHABLE) {
      this.#check(peer)
    }
  }

  #check (peer: PeerKey): void {
    const member = this.members.get(peer)

    if (member != null && isLiving(member) && peer !== this.#self) {
      this.#probes.check(peer)
    }
  }

  #compareWithOne (): void {
    const [peer] = this.view.sample(1)

    if (peer != null) {
      this.#out.send(peer, { type: 'sync', buckets: this.members.digest() })
    }

    this.#out.timer('sync', SYNC_INTERVAL)
  }

  /** One that is down is tried again: it may live on beyond a partition. */
  #rejoin (): void {
    const gone = [...this.members.values()].filter(({ state }) => state === 'down')
    const member = pick(this.#random, gone)
    const factor = this.members.isLight(this.#self) ? LIGHT_REJOIN_FACTOR : 1

    if (member != null) {
      this.view.open(member.peer)
    }

    this.#out.timer('rejoin', factor * REJOIN_INTERVAL * (0.5 + this.#random()))
  }
}

function doubtOf ({ peer, signed: { record: { epoch, counter } } }: Member): News {
  return { type: 'doubt', doubt: { peer, epoch, counter } }
}
