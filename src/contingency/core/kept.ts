/**
 * What is kept for one ward.
 *
 * While the ward is here, it decides. Once it is gone, and does not come back
 * for a while, the first of those who keep its data, in the order that all
 * agree on, appoints others in the place of those who are gone as well.
 *
 * @module
 */

import { FETCH_RETRY, GRACE_JITTER, HEARTBEAT, KEEP_TIME, MAX_GENERATION, OFFER_RETRY, SETTLE_TIME } from '../constants.ts'
import { Contingents } from './contingents.ts'
import { compareAppointments, keepersOf } from './messages.ts'
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
  readonly #contingents: Contingents
  #fetching?: string
  #fetchAgain = Infinity
  #sources: PeerKey[] = []
  #signing = false
  #leaving = false

  /** When it says again that it is about to go, in ms. */
  #sayLeaving = 0

  /** Others who are about to go. */
  readonly #goers = new Set<PeerKey>()
  #serving = false

  /** When the ward is told what is kept for it, in ms: as soon as it is here, and whenever it seems to have forgotten. */
  #greetAt = 0

  /** Since when the ward is gone, by the clock on the wall, and when others are appointed, in ms. */
  #goneSince?: number
  #restoreAt = Infinity

  constructor (init: KeeperInit, record: KeptRecord) {
    this.#init = init
    this.appointment = record.appointment
    this.quota = record.quota
    this.held = record.held
    this.#goneSince = record.goneSince
    this.#contingents = new Contingents({ ...init, ward: this.ward, copies: Math.max(1, this.assignment.contingents.length - 1) })
    this.#contingents.name(this.#others())
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
    return this.#serving
  }

  /** How long the ward has been gone, in ms. */
  get goneFor (): number {
    return this.#goneSince == null ? 0 : this.#init.wallClock() - this.#goneSince
  }

  /** `true` if nothing is lost when this node goes: it has nothing that others should take over from it. */
  get mayGo (): boolean {
    return this.held == null || this.isHandedOver
  }

  /** `true` if the ward is gone, this node wants to go, and all who were appointed in its place have everything. */
  get isHandedOver (): boolean {
    const keepers = keepersOf(this.appointment)

    return this.#leaving && !this.#isWardHere && !keepers.includes(this.#init.self) && keepers.length > 0 && this.#contingents.verified >= keepers.length
  }

  begin (): void {
    if (this.isNamed && !this.isComplete) {
      this.#fetch()
    }

    this.look()
  }

  /** `true` if what becomes of `peer` matters here. */
  concerns (peer: PeerKey): boolean {
    return this.#contingents.get(peer) != null || !this.#isWardHere
  }

  /** A newer appointment, or the same again. */
  appointed (appointment: Appointment, sources: PeerKey[], quota: number): void {
    const isNew = compareAppointments(appointment, this.appointment) !== 0
    const sameRoot = appointment.assignment.root === this.assignment.root
    this.appointment = appointment
    this.#sources = sources
    const more = quota > this.quota
    this.quota = quota

    if (isNew) {
      this.#contingents.name(this.#others())
      this.#contingents.renew(this.assignment.root)
    }

    if (this.isNamed && (!this.isComplete || more) && (this.#fetching !== this.assignment.root || !sameRoot || more)) {
      this.#fetch()
    }

    // who offers it knows that it is kept
    this.#greetAt = appointment.takeover == null && this.isNamed ? this.#init.out.now + 2 * HEARTBEAT : this.#greetAt
    this.#save()
    this.look()
  }

  /** Says to who asked how far it is. */
  answer (to: PeerKey): void {
    const { epoch } = this.assignment

    if (!this.isNamed) {
      return
    }

    if (this.isComplete && this.#fetching == null) {
      this.#init.out.send(to, { type: 'receipt', receipt: this.#receipt() })
    } else {
      this.#init.out.send(to, { type: 'accept', ward: this.ward, epoch, quota: this.quota })
    }
  }

  fetched (root: string, ok: boolean): void {
    if (root !== this.#fetching) {
      return
    }

    this.#fetching = undefined

    if (!ok) {
      this.#fetchAgain = this.#init.out.now + FETCH_RETRY
      this.look()

      return
    }

    this.#fetchAgain = Infinity
    this.held = this.assignment
    this.#save()
    this.#init.out.put({ type: 'tidy', ward: this.ward, root, quota: this.quota })
    const { self, peers, out } = this.#init

    for (const peer of new Set([this.ward, this.boss, ...keepersOf(this.appointment)])) {
      if (peer !== self && peers.isHere(peer)) {
        out.send(peer, { type: 'receipt', receipt: this.#receipt() })
      }
    }

    this.look()
  }

  /** Somebody else who keeps it, or should, says what it knows. */
  heard (from: PeerKey, appointment: Appointment): void {
    const newer = compareAppointments(appointment, this.appointment)

    if (newer > 0 && (appointment.assignment.epoch > this.assignment.epoch || appointment.assignment.root === this.assignment.root)) {
      this.appointed(appointment, [from], this.quota)
    } else if (newer < 0) {
      this.#init.out.send(from, { type: 'refuse', ward: this.ward, epoch: appointment.assignment.epoch, reason: 'stale', appointment: this.appointment })
    }
  }

  answered (from: PeerKey, message: Extract<Message, { type: 'accept' | 'refuse' | 'receipt' | 'released' }>): void {
    switch (message.type) {
      case 'accept': this.#contingents.accepted(from, message.quota); break
      case 'receipt':
        if (message.receipt.by === from && message.receipt.root === this.assignment.root) {
          this.#contingents.holds(message.receipt)
        }
        break
      case 'released': this.#contingents.released(from); break
      case 'refuse':
        if (message.reason !== 'stale') {
          this.#contingents.refused(from, message.reason)
        } else if (message.appointment != null) {
          this.heard(from, message.appointment)
        }
    }

    this.look()
  }

  failed (peer: PeerKey): void {
    if (this.#contingents.named.has(peer)) {
      this.#contingents.refused(peer, 'unwilling')
      this.look()
    }
  }

  /** Another of those who keep it is about to go, and the ward is not here to see to it. */
  leaving (from: PeerKey): void {
    if (keepersOf(this.appointment).includes(from)) {
      this.#goers.add(from)
      this.look()
    }
  }

  leave (): void {
    this.#leaving = true
    this.look()
  }

  end (): void {
    if (this.#serving) {
      this.#init.out.put({ type: 'serve', ward: this.ward, on: false })
    }
  }

  takenOver (takeover: Takeover, assignment: Assignment): void {
    this.#signing = false

    if (assignment.epoch === this.assignment.epoch && assignment.root === this.assignment.root && compareAppointments({ assignment, takeover }, this.appointment) > 0) {
      this.appointed({ assignment, takeover }, [], this.quota)
    }

    this.look()
  }

  /**
   * `true` if what is here is not needed any more: a newer appointment leaves
   * this node out, and all who are named in it have signed that they have
   * everything. While the ward is gone, only who was appointed in its place,
   * or wants to go, lets go: otherwise two that lie could make it disappear.
   */
  mayRelease (from: PeerKey, appointment: Appointment, receipts: Receipt[]): boolean {
    const { assignment, takeover } = appointment
    const keepers = keepersOf(appointment)
    const isNewest = compareAppointments(appointment, this.appointment) >= 0 && !keepers.includes(this.#init.self)
    const mayOrder = from === assignment.ward || (from === takeover?.by && (this.#leaving || !assignment.contingents.includes(this.#init.self)))
    const proved = keepers.length > 0 && keepers.every(peer => receipts.some(({ by, ward, root }) => by === peer && ward === assignment.ward && root === assignment.root))

    return isNewest && mayOrder && proved
  }

  /** Looks at everything, and does what is due. */
  look (): void {
    this.#watchWard()

    if (this.#fetchAgain <= this.#init.out.now) {
      this.#fetch()
    }

    if (this.#isWardHere) {
      this.#sayGoodbye()
    } else {
      this.#restore()
    }

    this.#init.out.timer(`kept ${this.ward}`, this.#due())
  }

  get #isWardHere (): boolean {
    return this.#init.peers.isAlive(this.ward)
  }

  /** Answers for the ward as soon as it may be gone, and tells it what is kept when it is back. */
  #watchWard (): void {
    const { out, peers, grace, random, wallClock } = this.#init
    const alive = peers.isAlive(this.ward)

    if (peers.mayCome(this.ward, out.now)) {
      return
    }

    if (!alive && !this.#serving && this.held != null) {
      this.#serving = true
      out.put({ type: 'serve', ward: this.ward, on: true })
      out.event({ type: 'serving', ward: this.ward })
    } else if (alive && this.#serving) {
      this.#serving = false
      out.put({ type: 'serve', ward: this.ward, on: false })
      out.event({ type: 'returned', ward: this.ward })
    }

    const gone = !peers.isHere(this.ward)

    if (gone && this.#restoreAt === Infinity) {
      this.#restoreAt = out.now + grace * (1 + random() * GRACE_JITTER)
      this.#goneSince ??= wallClock()
      this.#save()
    } else if (!gone) {
      this.#restoreAt = Infinity

      if (alive && this.#goneSince != null) {
        this.#goneSince = undefined
        this.#save()
      }
    }

    if (alive && this.#greetAt <= out.now) {
      this.#greetAt = out.now + 2 * HEARTBEAT
      out.send(this.ward, { type: 'keep', appointment: this.appointment, held: this.held })
    } else if (!alive) {
      this.#greetAt = out.now
    }
  }

  /** Tells the ward that this node is about to go, until it lets go. */
  #sayGoodbye (): void {
    const { out } = this.#init

    if (this.#leaving && this.held != null && this.#sayLeaving <= out.now) {
      this.#sayLeaving = out.now + OFFER_RETRY
      out.send(this.ward, { type: 'leaving', ward: this.ward, epoch: this.assignment.epoch })
    }
  }

  /** Appoints others, if it is this node's turn, and asks those who were. */
  #restore (): void {
    const { out, self, peers } = this.#init

    if (!this.isComplete) {
      return
    }

    if (this.#leaving || (this.#restoreAt <= out.now && this.#isLead())) {
      this.#appoint()
    }

    if (this.boss === self || (this.#restoreAt <= out.now && this.#isLead())) {
      this.#contingents.loseHope(this.assignment.size)
      const sources = [self, ...[...this.#contingents.named].filter(([peer, { receipt }]) => receipt != null && peers.isHere(peer)).map(([peer]) => peer)]
      this.#contingents.ask(this.appointment, sources)
    }
  }

  /** `true` if this node is the first of those who are here and have everything. */
  #isLead (): boolean {
    const { self, peers } = this.#init
    const others = keepersOf(this.appointment).filter(peer => peer !== self && peers.isHere(peer) && !this.#goers.has(peer) && this.#contingents.get(peer)?.receipt != null)

    return this.isNamed && peers.rank(this.ward, [self, ...others])[0] === self
  }

  /** Names others in the place of those who are gone, or about to go. */
  #appoint (): void {
    const { self, out } = this.#init
    this.#goers.forEach(peer => {
      const goer = this.#contingents.get(peer)

      if (goer != null) {
        goer.leaving = true
      }
    })
    // of who crashed the copy counts that it had itself; who said goodbye has it still
    const { contingents: { length } } = this.assignment
    this.#contingents.copies = length - (this.#leaving || this.#init.peers.isDown(this.ward) ? 0 : 1)
    const others = this.#contingents.choose()
    const keepers = this.#leaving ? (others.length > 0 ? others : [self]) : [self, ...others]
    const generation = (this.appointment.takeover?.generation ?? 0) + 1

    if (!this.#signing && generation <= MAX_GENERATION && !sameSet(keepers, keepersOf(this.appointment))) {
      this.#signing = true
      out.put({ type: 'take-over', takeover: { ward: this.ward, epoch: this.assignment.epoch, generation, by: self, contingents: keepers }, assignment: this.assignment })
    }
  }

  #others (): PeerKey[] {
    return keepersOf(this.appointment).filter(peer => peer !== this.#init.self)
  }

  #fetch (): void {
    const { self, peers, out } = this.#init
    const { assignment } = this
    this.#fetching = assignment.root
    this.#fetchAgain = Infinity
    const sources = new Set([...this.#sources, assignment.ward, this.boss, ...keepersOf(this.appointment)])
    out.put({ type: 'fetch', assignment, quota: this.quota, sources: [...sources].filter(peer => peer !== self && peers.isHere(peer)) })
  }

  #receipt (): Receipt {
    const { epoch, root } = this.assignment

    return { by: this.#init.self, ward: this.ward, epoch, root, quota: this.quota }
  }

  #due (): number {
    const { out } = this.#init
    const asks = !this.#isWardHere && this.isComplete && (this.boss === this.#init.self || this.#restoreAt <= out.now)
    const restore = this.#restoreAt > out.now ? this.#restoreAt : Infinity

    return Math.min(
      this.#fetchAgain,
      this.#init.peers.mayCome(this.ward, out.now) ? this.#init.peers.begun + SETTLE_TIME : Infinity,
      this.#isWardHere ? this.#greetAt : Math.min(restore, out.now + KEEP_TIME),
      asks ? Math.max(out.now + 1, this.#contingents.due(this.assignment.size)) : Infinity,
      this.#leaving && this.#isWardHere && this.held != null ? this.#sayLeaving : Infinity
    )
  }

  #save (): void {
    const { appointment, quota, held } = this
    this.#init.out.put({ type: 'save', ward: this.ward, record: { appointment, quota, held, goneSince: this.#goneSince } })
  }
}

function sameSet (a: PeerKey[], b: PeerKey[]): boolean {
  return a.length === b.length && a.every(peer => b.includes(peer))
}
