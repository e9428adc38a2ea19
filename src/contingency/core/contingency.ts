/**
 * The rules of contingency: this node as a ward of some, and as the contingent
 * of others.
 *
 * @module
 */

import { Keeper } from './keeper.ts'
import { Outbox } from './outbox.ts'
import { Peers } from './peers.ts'
import { Ward } from './ward.ts'
import type { Message } from './messages.ts'
import type { ContingencyInput, ContingencyOutput, KeptRecord, WardRecord } from './outbox.ts'
import type { Core, PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

export interface ContingencyCoreInit {
  self: PeerKey
  random: Random

  /** How many contingents this node wants. */
  copies: number

  /** How long who is down may come back before others take its place, in ms. */
  grace: number

  /** Ms since 1970. */
  wallClock: () => number

  /** What was saved by an earlier run. */
  ward?: WardRecord
  kept?: KeptRecord[]
}

export class ContingencyCore implements Core<ContingencyInput, ContingencyOutput> {
  readonly peers: Peers
  readonly ward: Ward
  readonly keeper: Keeper
  readonly #self: PeerKey
  readonly #out = new Outbox()
  #begun = false
  #leaving = false
  #mayLeave = false

  constructor ({ ward, kept = [], ...init }: ContingencyCoreInit) {
    this.#self = init.self
    this.peers = new Peers(init.self)
    const parts = { ...init, peers: this.peers, out: this.#out }
    this.ward = new Ward({ ...parts, record: ward })
    this.keeper = new Keeper({ ...parts, records: kept })
  }

  /** `true` if nothing is gained when this node stays: others have what it has and keeps, as far as there are others. */
  get mayLeave (): boolean {
    return this.ward.mayLeave && this.keeper.mayLeave
  }

  handle (input: ContingencyInput, now: number): ContingencyOutput[] {
    this.#out.begin(now)
    this.peers.begin(now)

    switch (input.type) {
      case 'message': this.#message(input.from, input.message); break
      case 'timer': this.#timer(input.id); break
      case 'member': this.#member(input); break
      case 'gone': break
      case 'failed':
        this.ward.failed(input.peer)
        this.keeper.failed(input.peer)
        break
      case 'snapshot': this.ward.changed(input.snapshot); break
      case 'assigned': this.ward.assigned(input.assignment); break
      case 'merged': this.ward.merged(input.root, input.ok); break
      case 'distrust': this.ward.distrust(input.peer); break
      case 'taken-over': this.keeper.takenOver(input.takeover, input.assignment); break
      case 'fetched': this.keeper.fetched(input.ward, input.root, input.ok, input.full === true); break
      case 'room': this.#room(input.bytes, input.wards); break
      case 'leave':
        this.#leaving = true
        this.keeper.leave()
    }

    this.#checkLeave()

    return this.#out.take()
  }

  #message (from: PeerKey, message: Message): void {
    const ward = wardOf(message)

    if (from === this.#self) {
      return
    }

    if (message.type === 'offer' || message.type === 'release') {
      if (ward !== this.#self) {
        this.keeper.message(from, message)
      }
    } else if (ward === this.#self) {
      this.ward.message(from, message)
    } else {
      this.keeper.message(from, message)
    }
  }

  #timer (id: string): void {
    if (id === 'ward') {
      this.ward.plan()
    } else {
      this.keeper.timer(id.slice('kept '.length))
    }
  }

  #member ({ peer, state, weight }: Extract<ContingencyInput, { type: 'member' }>): void {
    const wasHere = this.peers.isHere(peer)

    if (peer === this.#self) {
      return
    }

    if (this.peers.set(peer, state, weight, this.#out.now)) {
      const isBack = !wasHere && this.peers.isHere(peer)
      this.ward.member(peer, isBack)
      this.keeper.member(peer, isBack)
    } else {
      this.ward.plan()
    }
  }

  #checkLeave (): void {
    const before = this.#mayLeave
    this.#mayLeave = this.#leaving && this.mayLeave

    if (this.#mayLeave && !before) {
      this.#out.put({ type: 'may-leave' })
    }
  }

  #room (bytes: number, wards: number): void {
    this.keeper.room(bytes, wards)

    if (!this.#begun) {
      this.#begun = true
      this.keeper.begin()
    }
  }
}

/** Whose data a message is about. */
export function wardOf (message: Message): PeerKey {
  switch (message.type) {
    case 'offer':
    case 'keep':
    case 'release': return message.appointment.assignment.ward
    case 'receipt': return message.receipt.ward
    default: return message.ward
  }
}
