/**
 * The contingents of one ward, as whoever appoints them sees them: the ward
 * itself, or who does it in its place. Knows who has answered what, when each
 * is to be asked again, and who should be asked instead.
 *
 * @module
 */

import { CRITICAL_GRACE, GRACE_JITTER, HEARTBEAT, MAX_FORMER, OFFER_RETRY, SETTLE_TIME, SILENT_OFFERS } from '../constants.ts'
import { hasProved, isLeaving, newContingent, patienceOf } from './contingent.ts'
import { Refusals } from './refusals.ts'
import type { Contingent } from './contingent.ts'
import type { Appointment, Receipt, Refusal } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Peers } from './peers.ts'
import type { PeerKey } from '../../core.ts'

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

  /** `true` for who may have something that nobody else has, and that it would delete if it were asked for anything. */
  spares?: (peer: PeerKey) => boolean
}

export class Contingents {
  /** How many should keep it, `self` left out. */
  copies: number

  readonly #init: ContingentsInit

  /** Those who should keep it. */
  readonly named = new Map<PeerKey, Contingent>()

  /** Those who kept it, and do not know yet that they need not. */
  readonly former = new Map<PeerKey, Contingent>()
  readonly #refusals = new Refusals()

  /** When each that is gone will be missed, in ms. */
  readonly #missed = new Map<PeerKey, { since: number, at: number }>()

  constructor (init: ContingentsInit) {
    this.#init = init
    this.copies = init.copies
  }

  /** Copies on those who are here and answer. */
  get verified (): number {
    return [...this.named.keys()].filter(peer => this.isVerified(peer)).length
  }

  /** `true` if as many as wanted have everything, those included who need not have it for long. */
  get isHeld (): boolean {
    const leftover = [...this.former].filter(([peer, { receipt }]) => receipt != null && this.#init.peers.isHere(peer)).length

    return this.verified + leftover >= this.copies
  }

  /** `true` if everybody who should has everything. */
  get complete (): boolean {
    return this.named.size >= this.copies && this.verified === this.named.size
  }

  /** `true` if all who are here and willing have everything, and nobody else could be asked in the place of those who refused, or of all. */
  get isAsGoodAsItGets (): boolean {
    const { peers, out } = this.#init
    const willing = [...this.named].filter(([peer, contingent]) => peers.isHere(peer) && !isLeaving(contingent, out.now) && !this.#refusals.has(peer))

    return willing.length > 0 ? willing.every(([peer]) => this.isVerified(peer)) && !this.#hasReplacement : this.#others([]).length === 0
  }

  /** `true` if one has refused and somebody who has not can take its place. */
  get #hasReplacement (): boolean {
    const named = [...this.named.keys()]

    return named.some(peer => this.#refusals.has(peer)) && this.#others(named).some(peer => !this.#refusals.has(peer))
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
        this.named.set(peer, { ...newContingent(now), quota: known?.quota, leavingUntil: known?.leavingUntil ?? -Infinity, urgent: this.#refusals.isBusy(peer) })
      }
    }
  }

  /** Remembers somebody who has something that it will not need to have; `true` if that was not known. */
  remember (peer: PeerKey, contingent?: Contingent): boolean {
    const isNew = peer !== this.#init.self && !this.named.has(peer) && !this.former.has(peer)

    if (isNew) {
      this.former.set(peer, { ...contingent ?? newContingent(this.#init.out.now), askAt: this.#init.out.now })

      if (this.former.size > MAX_FORMER) {
        this.former.delete(this.former.keys().next().value as PeerKey)
      }
    }

    return isNew
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

  /** It is here again, or says what it has: it is asked at once, since its disk may be another one. */
  revive (peer: PeerKey, claims = false): void {
    const contingent = this.get(peer)

    if (contingent != null) {
      Object.assign(contingent, { receipt: undefined, acceptedAt: undefined, asked: 0, askAt: this.#init.out.now, leavingUntil: -Infinity, claims })
    }
  }

  accepted (peer: PeerKey, quota: number): void {
    const contingent = this.named.get(peer)

    if (contingent != null) {
      // whoever still has to fetch does not have everything any more; or its answers came in another order
      contingent.askAt = contingent.receipt == null ? this.#nextBeat() : this.#init.out.now
      contingent.receipt = undefined
      contingent.quota = quota
      contingent.asked = 0
      contingent.acceptedAt ??= this.#init.out.now
    }
  }

  /** It is about to go, and has something. */
  leaving (peer: PeerKey): void {
    this.remember(peer)
    const contingent = this.get(peer)

    if (contingent != null) {
      contingent.leavingUntil = this.#init.out.now + HEARTBEAT
    }
  }

  /** It has everything. */
  holds (receipt: Receipt): void {
    const contingent = this.get(receipt.by)

    if (contingent != null) {
      Object.assign(contingent, { receipt, quota: receipt.quota, provedAt: this.#init.out.now })
      contingent.asked = 0
      contingent.askAt = this.named.has(receipt.by) ? this.#nextBeat() : contingent.askAt
    }
  }

  refused (peer: PeerKey, reason: Refusal): void {
    const contingent = this.named.get(peer)

    if (contingent != null) {
      // who was asked as the last one, and is busy all the same, is unwilling
      this.#refusals.add(peer, reason === 'busy' && !contingent.urgent ? 'busy' : 'unwilling', this.#init.out.now)
      contingent.receipt = undefined
    }
  }

  /** Nothing could be sent to it. Who has kept something may only be cut off for a moment. */
  failed (peer: PeerKey): void {
    const contingent = this.named.get(peer)

    if (contingent != null && contingent.quota == null && contingent.asked >= SILENT_OFFERS - 1) {
      this.#refusals.add(peer, 'silent', this.#init.out.now)
    }
  }

  /** It is not to be asked again, ever. */
  distrust (peer: PeerKey): void {
    this.#refusals.addForever(peer)
    const contingent = this.get(peer)

    if (contingent != null) {
      contingent.receipt = undefined
    }
  }

  /**
   * Who should keep it from now on: those who do as long as they are fit, and
   * whose turn it is for the rest. Who is gone, or about to go, or says
   * nothing, stays on the list when there is nobody to take its place: those
   * who act for a ward that is gone want as many as there are on it.
   */
  choose (): PeerKey[] {
    const { copies, named } = this
    this.#forgive()
    const stay = [...named].filter(([peer, contingent]) => this.#isFit(peer, contingent))
      .sort((a, b) => Number(b[1].receipt != null) - Number(a[1].receipt != null)).map(([peer]) => peer).slice(0, copies)
    const next = stay.length < copies ? [...stay, ...this.#others(stay)].slice(0, copies) : stay
    const rest = [...named.keys()].filter(peer => !next.includes(peer) && !this.#refusals.hasSaidNo(peer))

    return [...next, ...rest.slice(0, copies - next.length)]
  }

  /** Asks whoever is due, and tells former ones to let go. Those who are to prove that they have it now are asked before their time. */
  ask (appointment: Appointment, sources: PeerKey[], isProofWanted = false): void {
    const { out, peers } = this.#init
    const { epoch, size } = appointment.assignment
    const waiting = [...this.former].filter(([peer, { askAt }]) => askAt <= out.now && peers.isHere(peer) && !this.#isSpared(peer))

    if (waiting.length > 0 || isProofWanted) {
      this.#wantProof(epoch)
    }

    for (const [peer, contingent] of this.named) {
      if (contingent.askAt <= out.now && peers.isHere(peer) && !this.#isSpared(peer)) {
        contingent.askedSince = contingent.asked === 0 ? out.now : contingent.askedSince
        contingent.askAt = out.now + Math.min(HEARTBEAT, OFFER_RETRY * 2 ** contingent.asked++)
        out.send(peer, { type: 'offer', appointment, sources: sources.filter(source => source !== peer), urgent: contingent.urgent })
      }
    }

    for (const [peer, contingent] of waiting) {
      if (this.isCovered(contingent.quota, size, epoch)) {
        contingent.askAt = this.#nextBeat()
        out.send(peer, { type: 'release', appointment, receipts: this.#receipts() })
      }
    }
  }

  /** `true` for who has everything, as far as it is known. */
  isVerified (peer: PeerKey): boolean {
    const contingent = this.named.get(peer)

    return contingent?.receipt != null && contingent.asked < SILENT_OFFERS && this.#init.peers.isHere(peer)
  }

  /** `true` if all who should have it, `copies` at least, proved just now that they do, with as much room as `quota`, in bytes, or for all of it. */
  isCovered (quota = 0, size: number, epoch: number, copies = this.copies): boolean {
    return this.named.size >= copies && [...this.named].every(([peer, contingent]) =>
      hasProved(contingent, epoch, this.#init.out.now) && (contingent.receipt?.quota ?? 0) >= Math.min(quota, size) && this.#init.peers.isHere(peer))
  }

  /** It deleted what it had; `true` if that matters. */
  released (peer: PeerKey): boolean {
    return this.former.delete(peer)
  }

  /** When something is to be done next, in ms; what is overdue waits for something to change. */
  due (size: number): number {
    const { peers, out } = this.#init
    let due = Infinity
    const consider = (time: number): void => { due = time > out.now && time < due ? time : due }

    for (const [peer, contingent] of this.named) {
      if (peers.isHere(peer)) {
        consider(contingent.askAt)
        consider(patienceOf(contingent, size, this.#init.grace))
      } else {
        consider(this.#missedAt(peer))
      }
    }

    for (const [peer, { askAt }] of this.former) {
      consider(peers.isHere(peer) ? askAt : Infinity)
    }

    consider(this.complete ? Infinity : this.#refusals.next)

    return due
  }

  /** Waits no longer for those who are here and do not do what they should. */
  loseHope (size: number): void {
    for (const [peer, contingent] of this.named) {
      if (this.#init.peers.isHere(peer) && patienceOf(contingent, size, this.#init.grace) <= this.#init.out.now) {
        this.#refusals.add(peer, 'silent', this.#init.out.now)
        contingent.receipt = undefined
      }
    }
  }

  /** `true` for a contingent that is to stay one. */
  #isFit (peer: PeerKey, contingent: Contingent): boolean {
    const refused = this.#refusals.has(peer) && !(this.#refusals.isBusy(peer) && contingent.urgent)

    return !isLeaving(contingent, this.#init.out.now) && !refused && !this.#isSpared(peer) && (this.#init.peers.isHere(peer) || this.#missedAt(peer) > this.#init.out.now)
  }

  /** Who else could keep it: those who have it already, those whose turn it is, and at last those who have wards enough. */
  #others (stay: PeerKey[]): PeerKey[] {
    const { peers, ward, self } = this.#init
    const able = peers.candidates(ward).filter(peer => peer !== self && !stay.includes(peer) && !isLeaving(this.get(peer), this.#init.out.now) && !this.#isSpared(peer))
    const ready = able.filter(peer => !this.#refusals.has(peer))
    const holders = ready.filter(peer => this.former.get(peer)?.receipt != null || this.former.get(peer)?.claims === true)

    return [...new Set([...holders, ...ready, ...able.filter(peer => this.#refusals.isBusy(peer))])]
  }

  /** When somebody who is gone will be taken for gone for good. */
  #missedAt (peer: PeerKey): number {
    const { peers, grace, random, out } = this.#init
    const since = peers.goneSince(peer) ?? Infinity
    const known = this.#missed.get(peer)
    const missed = known?.since === since ? known : { since, at: since + grace * (1 + random() * GRACE_JITTER) }
    this.#missed.set(peer, missed)

    if (peers.mayCome(peer, out.now)) {
      return peers.begun + SETTLE_TIME
    }

    return this.verified > 0 ? missed.at : Math.min(missed.at, since + CRITICAL_GRACE)
  }

  /** Those who proved that they have it, but some time ago, are asked now. */
  #wantProof (epoch: number): void {
    for (const contingent of this.named.values()) {
      if (contingent.receipt != null && contingent.asked === 0 && !hasProved(contingent, epoch, this.#init.out.now)) {
        contingent.askAt = this.#init.out.now
      }
    }
  }

  #isSpared (peer: PeerKey): boolean {
    return this.#init.spares?.(peer) === true
  }

  #receipts (): Receipt[] {
    return [...this.named.values()].flatMap(({ receipt }) => receipt ?? [])
  }

  #nextBeat (): number {
    return this.#init.out.now + HEARTBEAT * (1 - GRACE_JITTER * this.#init.random())
  }

  #forgive (): void {
    this.#refusals.forgive(this.#init.out.now)

    for (const peer of this.#missed.keys()) {
      if (!this.named.has(peer)) {
        this.#missed.delete(peer)
      }
    }
  }
}
