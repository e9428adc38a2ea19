/**
 * This node as a contingent: keeps what wards ask it to, answers for them when
 * they are gone, and lets go of nothing before others are proved to have it.
 *
 * @module
 */

import { FAIR_SHARE } from '../constants.ts'
import { Kept } from './kept.ts'
import { keepersOf } from './messages.ts'
import type { Appointment, Assignment, Message, Refusal, Takeover } from './messages.ts'
import type { KeptRecord, Outbox } from './outbox.ts'
import type { Peers } from './peers.ts'
import type { PeerKey } from '../../core.ts'

export interface KeeperInit {
  self: PeerKey
  grace: number
  peers: Peers
  random: () => number
  out: Outbox

  /** What is kept already. */
  records: KeptRecord[]

  /** Ms since 1970, for how long a ward has been gone. */
  wallClock: () => number
}

export class Keeper {
  readonly kept = new Map<PeerKey, Kept>()
  readonly #init: KeeperInit
  #room = { bytes: 0, wards: 0 }
  #leaving = false

  constructor (init: KeeperInit) {
    this.#init = init

    for (const record of init.records) {
      this.kept.set(record.appointment.assignment.ward, new Kept(init, record))
    }
  }

  /** Bytes that are promised to wards. */
  get used (): number {
    return [...this.kept.values()].reduce((sum, { quota }) => sum + quota, 0)
  }

  room (bytes: number, wards: number): void {
    this.#room = { bytes, wards }
  }

  /** Goes on where it was before a restart. */
  begin (): void {
    this.kept.forEach(kept => { kept.begin() })
  }

  /** @param isBack - it is here and was not before */
  member (peer: PeerKey, isBack: boolean): void {
    this.kept.forEach(kept => { kept.member(peer, isBack) })
    this.#letGo()
  }

  timer (ward: PeerKey): void {
    const kept = this.kept.get(ward)

    kept?.look()

    if (kept?.isExpired === true) {
      this.#drop(ward)
    }

    this.#letGo()
  }

  fetched (ward: PeerKey, root: string, ok: boolean, full: boolean): void {
    const kept = this.kept.get(ward)

    if (kept?.fetched(root, ok, full) === true && full) {
      this.#init.out.send(kept.boss, { type: 'refuse', ward, epoch: kept.assignment.epoch, reason: 'full' })

      if (kept.held == null) {
        this.#drop(ward)
      }
    }
  }

  takenOver (takeover: Takeover, assignment: Assignment): void {
    this.kept.get(takeover.ward)?.takenOver(takeover, assignment)
  }

  message (from: PeerKey, message: Message): void {
    switch (message.type) {
      case 'offer': this.#offered(from, message); break
      case 'release': this.#released(from, message); break
      // only the ward has to know: while it is gone, who leaves appoints others itself
      case 'leaving': break
      case 'keep': this.#heard(from, message.appointment); break
      default: this.#answered(from, message)
    }

    this.#letGo()
  }

  failed (peer: PeerKey): void {
    this.kept.forEach(kept => { kept.failed(peer) })
  }

  /** Sees to it that others have everything, and says when they do. */
  leave (): void {
    this.#leaving = true
    this.kept.forEach(kept => { kept.leave() })
    this.#letGo()
  }

  /** `true` if nobody will take over anything more from this node. */
  get mayLeave (): boolean {
    return [...this.kept.values()].every(kept => kept.mayGo || kept.isHopeless)
  }

  /** Wards whose data nobody else is known to have taken over. */
  get unfinished (): PeerKey[] {
    return [...this.kept].filter(([, kept]) => !kept.mayGo).map(([ward]) => ward)
  }

  #offered (from: PeerKey, { appointment, sources, urgent }: Extract<Message, { type: 'offer' }>): void {
    const { assignment } = appointment
    const { ward } = assignment
    const known = this.kept.get(ward)

    if (known?.accepts(appointment) === false) {
      this.#refuse(from, assignment, 'stale', known.appointment)

      return
    }

    const isNamed = keepersOf(appointment).includes(this.#init.self)
    const refusal = !isNamed || (known?.isNamed === true && assignment.root === known.assignment.root) ? undefined : this.#refusal(assignment, known, urgent)

    if (refusal != null) {
      this.#refuse(from, assignment, refusal)
    } else if (known != null) {
      known.appointed(appointment, sources, isNamed ? this.#quotaFor(assignment, known) : known.quota)
      known.answer(from)
    } else if (isNamed) {
      const kept = new Kept(this.#init, { appointment, quota: this.#quotaFor(assignment) })
      this.kept.set(ward, kept)
      kept.appointed(appointment, sources, kept.quota)
      kept.answer(from)
      kept.look()
    }
  }

  /** Why this node does not keep something. */
  #refusal ({ size, contingents }: Assignment, known: Kept | undefined, urgent: boolean): Refusal | undefined {
    const { bytes, wards } = this.#room

    if (known?.held != null) {
      return undefined
    }

    if (this.#leaving || wards === 0) {
      return 'unwilling'
    }

    if (bytes - this.used + (known?.quota ?? 0) < Math.min(size, bytes / 100) || this.kept.size - (known == null ? 0 : 1) >= wards) {
      return 'full'
    }

    return known == null && !urgent && this.kept.size >= Math.ceil(FAIR_SHARE * contingents.length) ? 'busy' : undefined
  }

  /** What may be kept of a ward. What was promised stays so. */
  #quotaFor ({ size }: Assignment, known?: Kept): number {
    return Math.max(known?.quota ?? 0, Math.min(size, Math.max(0, this.#room.bytes - this.used + (known?.quota ?? 0))))
  }

  #refuse (to: PeerKey, { ward, epoch }: Assignment, reason: Refusal, appointment?: Appointment): void {
    this.#init.out.send(to, { type: 'refuse', ward, epoch, reason, appointment })
  }

  #released (from: PeerKey, { appointment, receipts }: Extract<Message, { type: 'release' }>): void {
    const { ward, epoch } = appointment.assignment
    const kept = this.kept.get(ward)

    if (kept == null) {
      this.#init.out.send(from, { type: 'released', ward, epoch })
    } else if (kept.mayRelease(from, appointment, receipts)) {
      this.#init.out.send(from, { type: 'released', ward, epoch })
      this.#init.out.event({ type: 'handed-over', ward, contingents: keepersOf(appointment) })
      this.#drop(ward)
    }
  }

  #heard (from: PeerKey, appointment: Appointment): void {
    this.kept.get(appointment.assignment.ward)?.heard(from, appointment)
  }

  /** Those whom this node appointed in the place of a ward that is gone answer it. */
  #answered (from: PeerKey, message: Exclude<Message, { type: 'offer' | 'release' | 'leaving' | 'keep' }>): void {
    const ward = message.type === 'receipt' ? message.receipt.ward : message.ward
    this.kept.get(ward)?.answered(from, message)
  }

  #drop (ward: PeerKey): void {
    const kept = this.kept.get(ward)
    this.kept.delete(ward)
    kept?.end()
    // in this order: what is on record is certain to be here
    this.#init.out.put({ type: 'forget', ward })
    this.#init.out.put({ type: 'drop', ward })
  }

  /** Before it goes, this node deletes what others have from it. */
  #letGo (): void {
    for (const [ward, kept] of this.#leaving ? this.kept : []) {
      if (kept.isHandedOver) {
        this.#init.out.event({ type: 'handed-over', ward, contingents: keepersOf(kept.appointment) })
        this.#drop(ward)
      }
    }
  }
}
