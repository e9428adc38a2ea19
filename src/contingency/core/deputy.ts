import { MAX_GENERATION, TURN_PATIENCE } from '../constants.ts'
import { Contingents } from './contingents.ts'
import { isSameSet, keepersOf } from './messages.ts'
import { Pace } from './pace.ts'
import type { Appointment } from './messages.ts'
import type { KeeperInit } from './keeper.ts'
import type { PeerKey } from '../../core.ts'

/** What a contingent knows when it acts in the place of its ward. */
export interface Situation {
  appointment: Appointment

  /** `true` if the ward has been gone for longer than the grace. */
  isLong: boolean

  /** `true` if this node wants to go. */
  isLeaving: boolean
}

/**
 * What a contingent does in the place of a ward that is gone: sees to it that
 * as many as the ward wanted have everything, and appoints others for that.
 *
 * One of those who have everything does it, the first in an order that all
 * agree on, and the others only if it does not: it may have lost what it had,
 * or see other members than they do.
 */
export class Deputy {
  readonly contingents: Contingents
  readonly #init: KeeperInit
  readonly #ward: PeerKey
  readonly #pace = new Pace()

  /** Since when others should be appointed, in ms. */
  #wantedSince?: number

  /** When they may be, in ms. */
  #appointAt = Infinity

  constructor (init: KeeperInit, { assignment }: Appointment) {
    const copies = Math.max(1, assignment.contingents.length - 1)
    this.#init = init
    this.#ward = assignment.ward
    this.contingents = new Contingents({ ...init, ward: this.#ward, copies })
  }

  /** There is a newer appointment. */
  appointed (appointment: Appointment): void {
    this.contingents.name(this.#others(appointment))
    this.contingents.renew(appointment.assignment.root)
    this.#wantedSince = undefined
  }

  /** What was to be signed is. */
  signed (): void {
    this.#pace.end()
  }

  /** The ward is back, or this node has not everything any more: there is nothing to do in its place. */
  rest (): void {
    this.#appointAt = Infinity
    this.#wantedSince = undefined
  }

  /**
   * Appoints others, if it is this node's turn, and asks those who were. All
   * others ask too when the time has come: whose turn it is may have lost what
   * it had, and not know that there was anything.
   */
  act (situation: Situation): void {
    const { appointment, isLeaving, isLong } = situation
    this.#appointAt = Infinity

    if (isLeaving || isLong) {
      this.#appoint(situation)
    }

    if (this.#asks(situation)) {
      this.contingents.loseHope(appointment.assignment.size)
      const sources = [this.#init.self, ...this.#others(appointment).filter(peer => this.contingents.isVerified(peer))]
      this.contingents.ask(appointment, sources, isLeaving)
    }
  }

  /** When to act again, in ms. */
  due (situation: Situation): number {
    const { now } = this.#init.out
    const asks = this.#asks(situation) ? Math.max(now + 1, this.contingents.due(situation.appointment.assignment.size)) : Infinity

    return Math.min(asks, this.#appointAt > now ? this.#appointAt : Infinity)
  }

  #asks ({ appointment, isLong }: Situation): boolean {
    const { self } = this.#init

    return appointment.takeover?.by === self || (isLong && keepersOf(appointment).includes(self))
  }

  /** Names others in the place of those who are gone, or about to go. */
  #appoint (situation: Situation): void {
    const { self, out, peers } = this.#init
    const { appointment: { assignment, takeover }, isLeaving } = situation
    // of who crashed the copy counts that it had itself; who said goodbye has it still
    this.contingents.copies = assignment.contingents.length - (isLeaving || peers.isDown(this.#ward) ? 0 : 1)
    const others = this.contingents.choose()
    const keepers = isLeaving ? (others.length > 0 ? others : [self]) : [self, ...others]
    const generation = (takeover?.generation ?? 0) + 1

    if (generation > MAX_GENERATION || isSameSet(keepers, keepersOf(situation.appointment))) {
      this.#wantedSince = undefined

      return
    }

    this.#wantedSince ??= out.now
    const at = Math.max(this.#pace.next, this.#wantedSince + this.#turn(situation) * TURN_PATIENCE)

    if (at <= out.now) {
      this.#pace.begin(out.now)
      out.put({ type: 'take-over', takeover: { ward: this.#ward, epoch: assignment.epoch, generation, by: self, contingents: keepers }, assignment })
    }

    this.#appointAt = Math.max(at, this.#pace.next)
  }

  /** How many come before this node, of those who are here and have everything. */
  #turn ({ appointment, isLeaving }: Situation): number {
    const { self, peers } = this.#init
    const others = this.#others(appointment).filter(peer => this.contingents.isVerified(peer))

    if (isLeaving) {
      return 0
    }

    return keepersOf(appointment).includes(self) ? peers.draw(this.#ward, [self, ...others]).indexOf(self) : Infinity
  }

  #others (appointment: Appointment): PeerKey[] {
    return keepersOf(appointment).filter(peer => peer !== this.#init.self)
  }
}
