/**
 * Finding out who does not answer.
 *
 * SWIM (Das, Gupta, Motivala, DSN 2002): one linked member is pinged each
 * second, in shuffled order; if it does not answer in half of that, three
 * others are asked to try. With Lifeguard's local health (arXiv 1707.00788,
 * section IV-A): a member whose own probes fail, who is suspected itself, or
 * whose helpers do not even say that they could not help, takes more time for
 * everything, since it may be the slow one.
 *
 * Two things go beyond: who hears of a suspicion and has a link to the suspect
 * checks it at once, and so does everybody whose connection with a member
 * broke. So evidence comes from many within a second. And a hidden member is
 * asked for longer before anything is said of it, and is asked to help only
 * where nobody else is.
 *
 * @module
 */

import { CHECK_PINGS, CHECK_TIME, HIDDEN_CHECK_TIME, INDIRECT_PROBES, MAX_HEALTH, PROBE_INTERVAL, PROBE_TIMEOUT } from '../constants.ts'
import { shuffle } from '../../random.ts'
import { isLiving } from './members.ts'
import type { Members } from './members.ts'
import type { News } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { View } from './view.ts'
import type { PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

/** Most probes for others at once; an honest colony has a few. */
const MAX_HELPING = 64

interface Probe {
  target: PeerKey
  seq: number
  answered: boolean

  /** Others that were asked, and how many said that they could not reach it either. */
  asked: number
  nacks: number
}

interface Check {
  seq: number
  pings: number
}

/** What {@link Probes} works with. */
export interface ProbesInit {
  members: Members
  view: View
  random: Random
  out: Outbox

  /** News to go along with a ping. */
  news (to: PeerKey): News[]

  /** A member did not answer anybody. */
  fail (peer: PeerKey): void
}

/** Probes of this member, and those it makes for others. */
export class Probes {
  readonly #init: ProbesInit
  readonly #checks = new Map<PeerKey, Check>()

  /** Pings made for others, by our number: who asked, by which number. */
  readonly #helping = new Map<number, { from: PeerKey, seq: number }>()
  #order: PeerKey[] = []
  #probe?: Probe
  #seq = 0
  #health = 0

  constructor (init: ProbesInit) {
    this.#init = init
  }

  /** Lifeguard's local health multiplier: 0 is healthy. */
  get health (): number {
    return this.#health
  }

  /** Ms from one probe to the next. */
  get interval (): number {
    return PROBE_INTERVAL * (this.#health + 1)
  }

  /** Takes note of a sign (positive) that this member is the slow one, or that it is not. */
  rate (by: number): void {
    this.#health = Math.min(MAX_HEALTH, Math.max(0, this.#health + by))
  }

  /** Ends a probe and begins the next. */
  next (): void {
    const last = this.#probe
    this.#probe = undefined

    if (last != null) {
      this.#conclude(last)
    }

    const target = this.#nextTarget()

    if (target != null) {
      this.#probe = { target, seq: ++this.#seq, answered: false, asked: 0, nacks: 0 }
      this.#ping(target, this.#seq)
      this.#init.out.timer('late', PROBE_TIMEOUT * (this.#health + 1))
    }
  }

  /** Forgets what is under way: we stood still, so it says nothing. */
  forget (): void {
    this.#probe = undefined
    this.#checks.clear()
    this.#helping.clear()
  }

  /** Time for an answer is up: others are asked to try. */
  late (): void {
    const probe = this.#probe

    if (probe == null || probe.answered) {
      return
    }

    const helpers = this.#init.view.helpers(INDIRECT_PROBES, probe.target)
    probe.asked = helpers.length
    helpers.forEach(peer => { this.#init.out.send(peer, { type: 'probe', seq: probe.seq, target: probe.target }) })
    this.#ping(probe.target, probe.seq)
  }

  /** Finds out at once whether a member answers. */
  check (peer: PeerKey): void {
    if (!this.#checks.has(peer)) {
      this.#checks.set(peer, { seq: ++this.#seq, pings: 0 })
      this.checkAgain(peer)
    }
  }

  /** Goes on with a check: another ping, or the verdict. */
  checkAgain (peer: PeerKey): void {
    const check = this.#checks.get(peer)

    if (check == null) {
      return
    }

    if (check.pings++ < CHECK_PINGS) {
      this.#ping(peer, check.seq)
      this.#init.out.timer(`check ${peer}`, this.#checkTime(peer) / CHECK_PINGS * (this.#health + 1))
    } else {
      this.#checks.delete(peer)
      this.#init.fail(peer)
    }
  }

  /** It cannot be reached: a check need not wait. */
  unreachable (peer: PeerKey): void {
    if (this.#checks.delete(peer)) {
      this.#init.fail(peer)
    }
  }

  /** Pings a member, whatever else is under way; returns by which number. */
  ping (peer: PeerKey): number {
    this.#ping(peer, ++this.#seq)

    return this.#seq
  }

  /** A member said something, so it is alive. */
  heard (peer: PeerKey): void {
    this.#checks.delete(peer)

    if (this.#probe?.target === peer) {
      this.#probe.answered = true
    }
  }

  /** Somebody answered a ping, maybe one for another. */
  acked (seq: number): void {
    const helping = this.#helping.get(seq)

    if (helping != null) {
      this.#helping.delete(seq)
      this.#init.out.send(helping.from, { type: 'report', seq: helping.seq, reached: true })
    }
  }

  /** Somebody asks whether we can reach another. */
  help (from: PeerKey, seq: number, target: PeerKey): void {
    if (this.#helping.size >= MAX_HELPING || this.#init.members.get(target) == null) {
      return
    }

    this.#helping.set(++this.#seq, { from, seq })
    this.#ping(target, this.#seq)
    this.#init.out.timer(`help ${this.#seq}`, 0.8 * PROBE_TIMEOUT)
  }

  /** Time is up to help: whoever asked is told at least that we are here. */
  helpEnds (ownSeq: number): void {
    const helping = this.#helping.get(ownSeq)

    if (helping != null) {
      this.#helping.delete(ownSeq)
      this.#init.out.send(helping.from, { type: 'report', seq: helping.seq, reached: false })
    }
  }

  /** A helper says what it found. */
  reported (seq: number, reached: boolean): void {
    if (this.#probe?.seq === seq) {
      this.#probe.answered ||= reached
      this.#probe.nacks += Number(!reached)
    }
  }

  #conclude ({ target, answered, asked, nacks }: Probe): void {
    if (answered) {
      this.rate(-1)

      return
    }

    if (this.#isSlow(target)) {
      this.check(target)

      return
    }

    this.rate(asked === 0 ? 1 : asked - nacks)
    this.#init.fail(target)
  }

  #checkTime (peer: PeerKey): number {
    return this.#isSlow(peer) ? HIDDEN_CHECK_TIME : CHECK_TIME
  }

  /** `true` for a hidden member whose silence says little; a link that broke says more. */
  #isSlow (peer: PeerKey): boolean {
    const { members } = this.#init

    return members.isHidden(peer) && members.get(peer)?.broken !== true
  }

  #nextTarget (): PeerKey | undefined {
    const { members, view, random } = this.#init

    for (let round = 0; round < 2; round++) {
      for (let peer = this.#order.pop(); peer != null; peer = this.#order.pop()) {
        const member = members.get(peer)

        if (view.has(peer) && member != null && isLiving(member)) {
          return peer
        }
      }

      this.#order = shuffle(random, view.links())
    }

    return undefined
  }

  /** A suspect is shown what is said of it first, so that it can speak up (Lifeguard's buddy system). */
  #ping (peer: PeerKey, seq: number): void {
    const claims = this.#init.members.get(peer)?.suspicion?.claims ?? []
    const news: News[] = [...claims.map(claim => ({ type: 'claim' as const, claim })), ...this.#init.news(peer)]
    this.#init.out.send(peer, { type: 'ping', seq, news })
  }
}
