/**
 * The contingents of one ward, as whoever appoints them sees them: the ward
 * itself, or who does it in its place. Knows who has answered what, when each
 * is to be asked again, and who should be asked instead.
 *
 * @module
 */

import { BUSY_TIME, CRITICAL_GRACE, FETCH_PATIENCE, FETCH_RATE, GRACE_JITTER, HEARTBEAT, MAX_FORMER, OFFER_PATIENCE, OFFER_RETRY, REFUSED_TIME } from '../constants.ts'
import type { Appointment, Receipt, Refusal } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Peers } from './peers.ts'
import type { PeerKey } from '../../core.ts'

/** Somebody who keeps, or should keep, what a ward has. */
export interface Contingent {
  /** Since when it should, in ms. */
  since: number

  /** What it keeps at most, in bytes, once it has accepted. */
  quota?: number
  acceptedAt?: number

  /** That it has everything of the newest root. */
  receipt?: Receipt

  /** When it is asked next, how many times it was without an answer, and since when. */
  askAt: number
  asked: number
  askedSince: number

  /** It is about to go, and waits until somebody else has what it has. */
  leaving: boolean

  /** It has wards enough, but nobody else was there to be asked. */
  urgent: boolean
}

export interface ContingentsInit {
  /** Whose data it is. */
  ward: PeerKey

  /** Who appoints: the ward itself, or one of those who keep its data. */
  self: PeerKey
  /** How many should keep it, `self` left out. */
  copies: number
  grace: number
  peers: Peers
  random: () => number
  out: Outbox
}

export class Contingents {
  /** How many should keep it, `self` left out. */
  copies: number

  readonly #init: ContingentsInit

  /** Those who should keep it. */
  readonly named = new Map<PeerKey, Contingent>()

  /** Those who kept it, and do not know yet that they need not. */
  readonly former = new Map<PeerKey, Contingent>()

  /** Until when, in ms, nobody is asked who refused, and which of them have just enough wards. */
  readonly #refused = new Map<PeerKey, { until: number, busy: boolean }>()

  /** When each that is gone will be missed, in ms. */
  readonly #missed = new Map<PeerKey, { since: number, at: number }>()

  constructor (init: ContingentsInit) {
    this.#init = init
    this.copies = init.copies
  }

  /** Verified copies on those who are here. */
  get verified (): number {
    return [...this.named].filter(([peer, { receipt }]) => receipt != null && this.#init.peers.isHere(peer)).length
  }

  /** `true` if everybody who should has everything. */
  get complete (): boolean {
    return this.named.size >= this.copies && this.verified === this.named.size
  }

  /** Puts these in the place of those there were, who become former ones. What is known of each stays. */
  name (peers: PeerKey[]): void {
    const { now } = this.#init.out

    for (const [peer, contingent] of this.named) {
      if (!peers.includes(peer)) {
        this.named.delete(peer)
        this.remember(peer, contingent)
      }
    }

    for (const peer of peers) {
      if (!this.named.has(peer) && peer !== this.#init.self) {
        const known = this.former.get(peer)
        this.former.delete(peer)
        // what it had once, it may have deleted since
        this.named.set(peer, { ...(known ?? fresh(now)), receipt: undefined, acceptedAt: undefined, askAt: now, asked: 0, since: now, leaving: known?.leaving ?? false, urgent: this.isRefused(peer) && this.isBusy(peer) })
      }
    }
  }

  /** Remembers somebody who has something that it will not need to have. */
  remember (peer: PeerKey, contingent = fresh(this.#init.out.now)): void {
    if (peer !== this.#init.self && !this.named.has(peer)) {
      this.former.set(peer, { ...this.former.get(peer), ...contingent, askAt: this.#init.out.now })

      if (this.former.size > MAX_FORMER) {
        this.former.delete(this.former.keys().next().value as PeerKey)
      }
    }
  }

  get (peer: PeerKey): Contingent | undefined {
    return this.named.get(peer) ?? this.former.get(peer)
  }

  /** There is something new to be kept: all are asked at once, and no receipt counts for it. */
  renew (root: string | undefined): void {
    for (const contingent of [...this.named.values(), ...this.former.values()]) {
      if (contingent.receipt?.root !== root) {
        contingent.receipt = undefined
      }

      contingent.acceptedAt = undefined
      contingent.asked = 0
      contingent.askAt = this.#init.out.now
    }
  }

  /** It is here again: it is asked at once, since its disk may be another one. */
  revive (peer: PeerKey): void {
    const contingent = this.get(peer)

    if (contingent != null) {
      contingent.receipt = undefined
      contingent.asked = 0
      contingent.askAt = this.#init.out.now
      contingent.leaving = false
    }
  }

  accepted (peer: PeerKey, quota: number): void {
    const contingent = this.named.get(peer)

    if (contingent != null) {
      // whoever still has to fetch does not have everything any more
      contingent.receipt = undefined
      contingent.quota = quota
      contingent.asked = 0
      contingent.acceptedAt ??= this.#init.out.now
      contingent.askAt = this.#nextBeat()
    }
  }

  /** It has everything; `true` if that was not known. */
  holds (receipt: Receipt): boolean {
    const contingent = this.get(receipt.by)
    const fresh = contingent != null && contingent.receipt?.epoch !== receipt.epoch

    if (contingent != null) {
      contingent.receipt = receipt
      contingent.quota = receipt.quota
      contingent.asked = 0
      contingent.askAt = this.#nextBeat()
    }

    return fresh
  }

  refused (peer: PeerKey, reason: Refusal): void {
    // who was asked as the last one, and is busy all the same, is unwilling
    const busy = reason === 'busy' && this.named.get(peer)?.urgent !== true
    this.#refused.set(peer, { until: this.#init.out.now + (busy ? BUSY_TIME : REFUSED_TIME), busy })
  }

  /** It is not to be asked again, ever. */
  distrust (peer: PeerKey): void {
    this.#refused.set(peer, { until: Infinity, busy: false })
    const contingent = this.get(peer)

    if (contingent != null) {
      contingent.receipt = undefined
    }
  }

  /** `true` for who refused to keep this, and may not be asked now. */
  isRefused (peer: PeerKey): boolean {
    return (this.#refused.get(peer)?.until ?? 0) > this.#init.out.now
  }

  isBusy (peer: PeerKey): boolean {
    return this.#refused.get(peer)?.busy === true
  }

  /**
   * Who should keep it from now on: those who do as long as they are fit, and
   * whose turn it is for the rest. Who is gone, or about to go, stays on the
   * list when there is nobody to take its place.
   */
  choose (keepFirst: PeerKey[] = []): PeerKey[] {
    const { peers, ward, self, out } = this.#init
    const { copies } = this
    this.#forgive(out.now)
    const fit = [...this.named].filter(([peer, contingent]) => this.#isFit(peer, contingent))
      .sort((a, b) => Number(b[1].receipt != null) - Number(a[1].receipt != null)).map(([peer]) => peer)
    const stay = [...keepFirst, ...fit.filter(peer => !keepFirst.includes(peer))].slice(0, Math.max(copies, keepFirst.length))
    const others = peers.candidates(ward).filter(peer => peer !== self && !stay.includes(peer) && this.get(peer)?.leaving !== true)
    const ready = [...others.filter(peer => !this.isRefused(peer)), ...others.filter(peer => this.isRefused(peer) && this.isBusy(peer))]
    const holders = ready.filter(peer => this.former.get(peer)?.receipt != null)
    const next = [...stay, ...new Set([...holders, ...ready])].slice(0, Math.max(copies, stay.length))
    const rest = [...this.named.keys()].filter(peer => !next.includes(peer) && !this.isRefused(peer))

    return [...next, ...rest.slice(0, Math.max(0, copies - next.length))]
  }

  /** Asks whoever is due, and drops from the list of former ones whoever need not know any more. */
  ask (appointment: Appointment, sources: PeerKey[]): void {
    const { out, peers } = this.#init

    for (const [peer, contingent] of this.named) {
      if (contingent.askAt <= out.now && peers.isHere(peer)) {
        contingent.askedSince = contingent.asked === 0 ? out.now : contingent.askedSince
        contingent.asked++
        contingent.askAt = out.now + Math.min(HEARTBEAT, OFFER_RETRY * 2 ** (contingent.asked - 1))
        out.send(peer, { type: 'offer', appointment, sources: sources.filter(source => source !== peer), urgent: contingent.urgent })
      }
    }

    const receipts = this.#receipts()

    for (const [peer, contingent] of this.former) {
      if (contingent.askAt <= out.now && peers.isHere(peer) && this.#isCovered(contingent, appointment.assignment.size)) {
        contingent.askAt = this.#nextBeat()
        out.send(peer, { type: 'release', appointment, receipts })
      }
    }
  }

  /** It deleted what it had; nothing more to be said. */
  released (peer: PeerKey): void {
    this.former.delete(peer)
  }

  /** When something is to be done next, in ms; what is overdue waits for something to change. */
  due (size: number): number {
    const { peers, out } = this.#init
    const named = [...this.named].flatMap(([peer, contingent]) => peers.isHere(peer) ? [contingent.askAt, this.#patience(contingent, size)] : [this.#missedAt(peer)])
    const former = [...this.former].filter(([peer, contingent]) => peers.isHere(peer) && this.#isCovered(contingent, size)).map(([, { askAt }]) => askAt)
    const refused = this.named.size < this.copies ? [...this.#refused.values()].map(({ until }) => until) : []

    return Math.min(...[...named, ...former, ...refused].filter(due => due > out.now))
  }

  /** Takes those for unwilling who are here and do not do what they should; `true` if there are any. */
  loseHope (size: number): boolean {
    const { out, peers } = this.#init
    const late = [...this.named].filter(([peer, contingent]) => peers.isHere(peer) && this.#patience(contingent, size) <= out.now)
    late.forEach(([peer]) => { this.refused(peer, 'unwilling') })

    return late.length > 0
  }

  #patience ({ askedSince, acceptedAt, receipt, asked }: Contingent, size: number): number {
    if (receipt != null) {
      return Infinity
    }

    return acceptedAt == null ? (asked > 0 ? askedSince + OFFER_PATIENCE : Infinity) : acceptedAt + FETCH_PATIENCE + size / FETCH_RATE
  }

  /** `true` for a contingent that is to stay one. */
  #isFit (peer: PeerKey, contingent: Contingent): boolean {
    const refused = this.isRefused(peer) && !(this.isBusy(peer) && contingent.urgent)

    return !contingent.leaving && !refused && (this.#init.peers.isHere(peer) || this.#missedAt(peer) > this.#init.out.now)
  }

  /** When somebody who is gone will be taken for gone for good. */
  #missedAt (peer: PeerKey): number {
    const { peers, grace, random } = this.#init
    const since = peers.goneSince(peer) ?? Infinity
    const known = this.#missed.get(peer)

    if (known?.since === since) {
      return since === -Infinity || this.verified > 0 ? known.at : Math.min(known.at, since + CRITICAL_GRACE)
    }

    const at = since + grace * (1 + random() * GRACE_JITTER)
    this.#missed.set(peer, { since, at })

    return at
  }

  /** `true` if others have what it has: all who should, and with as much room. */
  #isCovered ({ quota = 0 }: Contingent, size: number): boolean {
    const { peers } = this.#init
    const named = [...this.named]

    return named.length >= this.copies && named.every(([peer, { receipt }]) => receipt != null && receipt.envelope != null && receipt.quota >= Math.min(quota, size) && peers.isHere(peer))
  }

  #receipts (): Receipt[] {
    return [...this.named.values()].flatMap(({ receipt }) => receipt ?? [])
  }

  #nextBeat (): number {
    return this.#init.out.now + HEARTBEAT * (1 - GRACE_JITTER * this.#init.random())
  }

  #forgive (now: number): void {
    for (const [peer, { until }] of this.#refused) {
      if (until <= now) {
        this.#refused.delete(peer)
      }
    }

    for (const peer of this.#missed.keys()) {
      if (!this.named.has(peer)) {
        this.#missed.delete(peer)
      }
    }
  }
}

function fresh (now: number): Contingent {
  return { since: now, askAt: now, asked: 0, askedSince: now, leaving: false, urgent: false }
}
