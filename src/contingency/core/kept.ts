/**
 * What is kept for one ward.
 *
 * While the ward is here, it decides. Once it is gone, and does not come back
 * for a while, the first of those who keep its data, in the order that all
 * agree on, appoints others in the place of those who are gone as well.
 *
 * @module
 */

import { OFFER_RETRY, SETTLE_TIME } from '../constants.ts'
import { Absence } from './absence.ts'
import { Deputy } from './deputy.ts'
import { Fetching } from './fetching.ts'
import { Greeting } from './greeting.ts'
import { compareAppointments, keepersOf } from './messages.ts'
import { isAcceptable, isProved } from './trust.ts'
import type { Situation } from './deputy.ts'
import type { Fetched } from './fetching.ts'
import type { Appointment, Assignment, Message, Receipt, Takeover } from './messages.ts'
import type { KeeperInit } from './keeper.ts'
import type { KeptRecord } from './outbox.ts'
import type { PeerKey } from '../../core.ts'

export class Kept {
  appointment: Appointment

  /** Bytes of the ward that are kept at most. */
  quota: number

  /** What is here, complete and checked: of the newest appointment or one before. */
  held?: Assignment

  readonly #init: KeeperInit
  readonly #deputy: Deputy
  readonly #absence: Absence
  readonly #fetching: Fetching

  /** Bytes with which what is held was fetched. */
  #heldQuota: number
  #sources: PeerKey[] = []
  #leaving = false

  /** What was held when the ward came back, or longer ago, and is here until it is certain that the ward needs none of it. */
  #before?: Assignment

  /** When it says again that it is about to go, in ms. */
  #sayLeaving = 0
  readonly #greeting = new Greeting()

  constructor (init: KeeperInit, record: KeptRecord) {
    this.#init = init
    this.appointment = record.appointment
    this.quota = record.quota
    this.held = record.held
    this.#heldQuota = record.heldQuota ?? record.quota
    this.#before = record.before
    this.#fetching = new Fetching(init.out)
    this.#absence = new Absence(init, this.ward, record.held == null, record.goneSince)
    this.#deputy = new Deputy(init, this.appointment)
    this.#deputy.appointed(this.appointment)
  }

  get ward (): PeerKey {
    return this.assignment.ward
  }

  get assignment (): Assignment {
    return this.appointment.assignment
  }

  /** Who decides: the ward, or whoever appointed in its place. */
  get boss (): PeerKey {
    return this.appointment.takeover?.by ?? this.ward
  }

  /** `true` if this node is one of those who should keep it. */
  get isNamed (): boolean {
    return keepersOf(this.appointment).includes(this.#init.self)
  }

  /** `true` if all of the newest root is here. */
  get isComplete (): boolean {
    return this.held?.root === this.assignment.root
  }

  get isServing (): boolean {
    return this.#absence.isServing
  }

  /** `true` if the ward has not been seen for so long that nobody has to keep what it had. */
  get isExpired (): boolean {
    return this.#absence.isForEver
  }

  /** `true` if nothing is lost when this node goes: it has nothing that others should take over from it. */
  get mayGo (): boolean {
    return this.held == null || this.isHandedOver
  }

  /** `true` if there is nobody else whom this node could ask to keep it: that is no reason to stay. */
  get isHopeless (): boolean {
    const keepers = keepersOf(this.appointment)

    return this.isNamed && this.#init.peers.candidates(this.ward).every(peer => keepers.includes(peer))
  }

  /** `true` if the ward is gone, this node wants to go, and as many as the ward wanted have everything that this node has, without it. */
  get isHandedOver (): boolean {
    const { size, epoch, contingents } = this.assignment

    return this.#leaving && !this.#absence.isWardHere && !this.isNamed && this.#deputy.contingents.isCovered(this.quota, size, epoch, contingents.length)
  }

  begin (): void {
    if (this.isNamed && (!this.isComplete || this.#heldQuota < this.quota)) {
      this.#fetch()
    }

    this.look()
  }

  /** Something is known of a member; `isBack` if it is here and was not before. */
  member (peer: PeerKey, isBack: boolean): void {
    if (isBack) {
      this.#deputy.contingents.revive(peer)
    }

    if (peer === this.ward || this.#deputy.contingents.get(peer) != null || !this.#absence.isWardHere) {
      this.look()
    }
  }

  /** `true` for an appointment that is newer than the one that is known, or the same. */
  accepts (appointment: Appointment): boolean {
    return isAcceptable(appointment, this.appointment, this.#init.self)
  }

  /** A newer appointment, or the same again. */
  appointed (appointment: Appointment, sources: PeerKey[], quota: number): void {
    const isNew = compareAppointments(appointment, this.appointment) !== 0
    const more = quota > this.quota
    this.appointment = appointment
    this.#sources = sources
    this.quota = quota

    if (isNew) {
      this.#deputy.appointed(appointment)
    }

    if (this.isNamed && (!this.isComplete || more) && (!this.#fetching.has(this.assignment.root) || more)) {
      this.#fetch()
    }

    if (appointment.takeover == null && this.isNamed) {
      this.#greeting.putOff(this.#init.out.now)
    }

    if (isNew || more) {
      this.#save()
    }

    this.look()
  }

  /** Says to who asked how far it is. */
  answer (to: PeerKey): void {
    const { epoch } = this.assignment

    if (!this.isNamed) {
      return
    }

    if (this.isComplete && !this.#fetching.isOpen) {
      this.#init.out.send(to, { type: 'receipt', receipt: this.#receipt() })
    } else {
      this.#init.out.send(to, { type: 'accept', ward: this.ward, epoch, quota: this.quota })
    }
  }

  /** Everything of a root is here, or is not; returns `false` if that is not what was asked for last. */
  fetched (root: string, ok: boolean, full: boolean): boolean {
    if (!this.#fetching.has(root)) {
      return false
    }

    const fetched = this.#fetching.end(ok, full)

    if (ok && fetched != null) {
      this.#complete(fetched)
    }

    this.look()

    return true
  }

  /** Somebody else who keeps it, or should, says what it knows. */
  heard (from: PeerKey, appointment: Appointment): void {
    const newer = compareAppointments(appointment, this.appointment)

    if (newer > 0 && this.accepts(appointment)) {
      this.appointed(appointment, [from], this.quota)
    } else if (newer < 0) {
      this.#init.out.send(from, { type: 'refuse', ward: this.ward, epoch: appointment.assignment.epoch, reason: 'stale', appointment: this.appointment })
    }
  }

  answered (from: PeerKey, message: Extract<Message, { type: 'accept' | 'refuse' | 'receipt' | 'released' }>): void {
    const { epoch, root } = this.assignment

    switch (message.type) {
      case 'accept':
        if (message.epoch === epoch) {
          this.#deputy.contingents.accepted(from, message.quota)
        }
        break
      case 'receipt':
        if (message.receipt.by === from && message.receipt.root === root && message.receipt.epoch === epoch) {
          this.#deputy.contingents.holds(message.receipt)
        }
        break
      case 'released': this.#deputy.contingents.released(from); break
      case 'refuse':
        if (message.reason !== 'stale') {
          this.#deputy.contingents.refused(from, message.reason)
        } else if (message.appointment != null) {
          this.heard(from, message.appointment)
        }
    }

    this.look()
  }

  failed (peer: PeerKey): void {
    this.#deputy.contingents.failed(peer)
    this.look()
  }

  leave (): void {
    this.#leaving = true
    this.look()
  }

  end (): void {
    this.#absence.end()
  }

  takenOver (takeover: Takeover, assignment: Assignment): void {
    this.#deputy.signed()

    if (assignment.epoch === this.assignment.epoch && assignment.root === this.assignment.root && compareAppointments({ assignment, takeover }, this.appointment) > 0) {
      this.appointed({ assignment, takeover }, [], this.quota)
    }

    this.look()
  }

  /**
   * `true` if what is here is not needed any more. While the ward is gone, only
   * who was appointed in its place, or wants to go, lets go: otherwise two that
   * lie could make it disappear.
   */
  mayRelease (from: PeerKey, appointment: Appointment, receipts: Receipt[]): boolean {
    const { assignment, takeover } = appointment
    const isWard = from === assignment.ward && this.#absence.mayDelete
    const mayOrder = isWard || (from === takeover?.by && (this.#leaving || !assignment.contingents.includes(this.#init.self)))

    return mayOrder && this.accepts(appointment) && !keepersOf(appointment).includes(this.#init.self) && isProved(appointment, receipts)
  }

  /** Looks at everything, and does what is due. */
  look (): void {
    const { out, peers } = this.#init

    if (!peers.mayCome(this.ward, out.now)) {
      if (this.#absence.watch(this.held != null)) {
        this.#save()
      }

      if (this.#greeting.isDue(this.#absence.isWardHere, out.now)) {
        // a ward that lost its disk hears of the newest by the appointment
        out.send(this.ward, { type: 'keep', appointment: this.appointment, held: this.#before ?? this.held })
      }
    }

    if (this.held != null && this.#before != null && this.#absence.mayDelete) {
      this.#before = undefined
      this.#tidy(this.held)
    }

    if (this.#fetching.again <= out.now) {
      this.#fetch()
    }

    if (this.#absence.isWardHere) {
      this.#sayGoodbye()
    }

    if (this.#isActing) {
      this.#deputy.act(this.#situation)
    } else {
      this.#deputy.rest()
    }

    out.timer(`kept ${this.ward}`, this.#due())
  }

  /** Tells the ward that this node is about to go, until it lets go. */
  #sayGoodbye (): void {
    const { out } = this.#init

    if (this.#leaving && this.held != null && this.#sayLeaving <= out.now) {
      this.#sayLeaving = out.now + OFFER_RETRY
      out.send(this.ward, { type: 'leaving', ward: this.ward, epoch: this.assignment.epoch })
    }
  }

  /** Deletes what is not needed for what is held, nor for what was before, once that is on record. */
  #tidy (held: Assignment): void {
    this.#save()
    this.#init.out.put({ type: 'tidy', ward: this.ward, root: held.root, before: this.#before?.root })
  }

  /** Everything of what was fetched is here: all who wait for it are told. */
  #complete ({ assignment, quota }: Fetched): void {
    const { self, peers, out } = this.#init
    this.#before = this.#absence.mayDelete ? undefined : this.#before ?? this.held
    this.held = assignment
    this.#heldQuota = quota
    this.#tidy(assignment)

    for (const peer of new Set(this.isComplete && this.isNamed ? [this.ward, this.boss, ...keepersOf(this.appointment)] : [])) {
      if (peer !== self && peers.isHere(peer)) {
        out.send(peer, { type: 'receipt', receipt: this.#receipt() })
      }
    }
  }

  /** `true` if this node can act in the place of the ward. */
  get #isActing (): boolean {
    return !this.#absence.isWardHere && this.isComplete
  }

  get #situation (): Situation {
    return { appointment: this.appointment, isLong: this.#absence.isLong, isLeaving: this.#leaving }
  }

  #fetch (): void {
    const { self, peers } = this.#init
    const sources = new Set([...this.#sources, this.ward, this.boss, ...keepersOf(this.appointment)])
    this.#fetching.begin(this.assignment, this.quota, [...sources].filter(peer => peer !== self && peers.isHere(peer)))
  }

  #receipt (): Receipt {
    return { by: this.#init.self, ward: this.ward, epoch: this.assignment.epoch, root: this.assignment.root, quota: this.#heldQuota }
  }

  #due (): number {
    const { out, peers } = this.#init
    const { isWardHere } = this.#absence

    return Math.min(
      this.#fetching.again,
      this.#absence.due,
      peers.mayCome(this.ward, out.now) ? peers.begun + SETTLE_TIME : Infinity,
      isWardHere ? this.#greeting.at : Infinity,
      isWardHere && this.held != null && this.#before != null ? Math.max(out.now + 1, this.#absence.deletesAt) : Infinity,
      this.#isActing ? this.#deputy.due(this.#situation) : Infinity,
      this.#leaving && isWardHere && this.held != null ? this.#sayLeaving : Infinity
    )
  }

  #save (): void {
    const { appointment, quota, held } = this
    this.#init.out.put({ type: 'save', ward: this.ward, record: { appointment, quota, held, heldQuota: held && this.#heldQuota, before: this.#before, goneSince: this.#absence.since } })
  }
}
