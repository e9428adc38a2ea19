/**
 * This node as a ward: sees to it that others keep what it has.
 *
 * It signs an assignment whenever there is something new to keep, or somebody
 * else to keep it, each with a higher epoch. Whatever others keep of this node
 * that it does not know, because it lost its disk, or has an old one, or
 * somebody uses the same key, is made part of what it has before it signs
 * anything that would take the place of it.
 *
 * @module
 */

import { OVERRULE_PAUSE } from '../constants.ts'
import { Contingents } from './contingents.ts'
import { Merges } from './merges.ts'
import { isSameAssignment, isSameSet } from './messages.ts'
import { Pace } from './pace.ts'
import type { ContingentsInit } from './contingents.ts'
import type { Appointment, Assignment, Message, Receipt } from './messages.ts'
import type { Snapshot, WardRecord } from './outbox.ts'
import type { PeerKey } from '../../core.ts'

const TIMER = 'ward'

/** Members that are named as having something, at most. */
const MAX_SOURCES = 16

export interface WardInit extends Omit<ContingentsInit, 'ward' | 'spares'> {
  record?: WardRecord
}

export class Ward {
  readonly contingents: Contingents
  readonly #init: WardInit
  readonly #merges: Merges
  readonly #pace = new Pace()
  #assignment?: Assignment
  #snapshot?: Snapshot

  /** Highest epoch that was seen. */
  #epoch: number

  /** The same, of which nothing is missing here: only that is on record, or what was about to be merged before a crash would be signed away after it. */
  #mergedEpoch: number

  /** `true` if others know an assignment that is as new as the one that was signed last, or newer. */
  #stale = false

  /** When a takeover may make it stale again, in ms. */
  #overruleAt = -Infinity
  #protected = false

  /** Whether it was told that it is protected, and not since that it is not. */
  #isSafe = false

  constructor (init: WardInit) {
    const { record, peers, out } = init
    this.#init = init
    this.#merges = new Merges(peers, out)
    this.contingents = new Contingents({ ...init, ward: init.self, spares: peer => this.#merges.spares(peer) })
    this.#epoch = record?.epoch ?? 0
    this.#mergedEpoch = this.#epoch
    this.#assignment = record?.assignment
    this.contingents.name(record?.assignment?.contingents ?? [])
    record?.former.forEach(peer => { this.contingents.remember(peer) })

    if (record?.assignment != null) {
      this.#merges.know(record.assignment.root)
    }
  }

  get assignment (): Assignment | undefined {
    return this.#assignment
  }

  /** `true` if what was signed last is all that this node has. */
  get isCurrent (): boolean {
    return this.#assignment?.root === this.#snapshot?.root
  }

  get isProtected (): boolean {
    return this.#protected
  }

  /** `true` if all contingents that are here have everything, or nobody is here to be one, or wants to. */
  get mayLeave (): boolean {
    const { self, peers } = this.#init

    return (this.#snapshot?.items ?? 0) === 0 || (this.isCurrent && this.contingents.isAsGoodAsItGets) || peers.candidates(self).length === 0
  }

  /** Versions of changes made now: after all that anybody may have seen. */
  get nextEpoch (): number {
    return this.#epoch + 1
  }

  /** `true` while others are known to have something that this node may lack. */
  get isMerging (): boolean {
    return this.#merges.isOpen
  }

  changed (snapshot: Snapshot): void {
    this.#snapshot = snapshot
    this.#merges.know(snapshot.root)
    this.plan()
  }

  assigned (assignment: Assignment): void {
    this.#pace.end()

    if (assignment.epoch === this.#epoch + 1) {
      this.#epoch = assignment.epoch
      this.#mergedEpoch = assignment.epoch
      this.#assignment = assignment
      this.contingents.name(assignment.contingents)
      this.contingents.renew(assignment.root)
      this.#save()
    } else {
      // somebody knew a higher epoch meanwhile
      this.#stale = true
    }

    this.plan()
  }

  merged (root: string, ok: boolean): void {
    this.#merges.merged(root, ok)

    if (ok && !this.#merges.isMissing && this.#mergedEpoch < this.#epoch) {
      this.#mergedEpoch = this.#epoch
      this.#save()
    }

    this.plan()
  }

  /** @param isBack - it is here and was not before */
  member (peer: PeerKey, isBack: boolean): void {
    if (isBack) {
      this.contingents.revive(peer)
    }

    this.plan()
  }

  failed (peer: PeerKey): void {
    this.contingents.failed(peer)
    this.plan()
  }

  distrust (peer: PeerKey): void {
    this.contingents.distrust(peer)
    this.plan()
  }

  /** What somebody says who keeps, or should keep, something of this node. */
  message (from: PeerKey, message: Exclude<Message, { type: 'offer' } | { type: 'release' }>): void {
    switch (message.type) {
      case 'accept':
        if (message.epoch === this.#assignment?.epoch) {
          this.contingents.accepted(from, message.quota)
        }
        break
      case 'refuse': this.#refused(from, message); break
      case 'receipt': this.#received(from, message.receipt); break
      case 'keep': this.#kept(from, message); break
      case 'leaving': this.contingents.leaving(from); break
      case 'released':
        if (this.contingents.released(from)) {
          this.#save()
        }
    }

    this.plan()
  }

  /** Looks at everything, and does what is due. */
  plan (): void {
    const { out } = this.#init
    const size = this.#snapshot?.size ?? 0
    this.contingents.loseHope(size)
    this.#merges.ask()
    const signAt = this.#assign()

    // an old one would only be refused
    if (this.#assignment != null && !this.#stale) {
      this.contingents.ask({ assignment: this.#assignment }, this.#sources())
    }

    this.#report()
    out.timer(TIMER, Math.min(signAt, this.contingents.due(size), this.#merges.due))
  }

  #refused (from: PeerKey, { epoch, reason, appointment }: Extract<Message, { type: 'refuse' }>): void {
    if (reason === 'stale') {
      if (appointment != null) {
        this.#heard(from, appointment)
      }
    } else if (epoch === this.#assignment?.epoch) {
      this.contingents.refused(from, reason)
    }
  }

  #received (from: PeerKey, receipt: Receipt): void {
    // one of an earlier epoch may be late: who signed it may have lost its disk since
    if (receipt.by === from && receipt.root === this.#assignment?.root && receipt.epoch === this.#assignment.epoch) {
      this.contingents.holds(receipt)
    }
  }

  /** Somebody keeps something of this node, maybe without having been asked by it. */
  #kept (from: PeerKey, { appointment, held }: Extract<Message, { type: 'keep' }>): void {
    this.#heard(from, appointment)
    this.#merges.add(from, held ?? appointment.assignment, false)
    this.#merges.moved(from, held?.epoch ?? 0)

    if (this.contingents.remember(from)) {
      this.#save()
    }

    if (this.contingents.get(from)?.receipt == null) {
      this.contingents.revive(from, held != null)
    }
  }

  /**
   * Somebody knows an assignment of this node. A takeover that goes with it
   * names nobody here: anybody could have signed it. Those who keep something
   * by it will say so themselves, and a higher epoch ends it.
   */
  #heard (from: PeerKey, { assignment, takeover }: Appointment): void {
    const { now } = this.#init.out
    const isNews = assignment.epoch > this.#epoch
    this.#merges.add(from, assignment, isNews)

    if (isNews) {
      // another node with this key signed it: if it has the same, it is as good as one of this node
      const isMine = takeover == null && assignment.root === this.#snapshot?.root
      this.#assignment = isMine ? assignment : this.#assignment
      this.#stale = !isMine
      this.#epoch = assignment.epoch
      this.#mergedEpoch = isMine ? assignment.epoch : this.#mergedEpoch
      this.contingents.name(assignment.contingents)
      this.contingents.renew(assignment.root)
      this.#save()
    } else if (assignment.epoch === this.#epoch && (takeover != null || this.#assignment == null || !isSameAssignment(assignment, this.#assignment)) && this.#overruleAt <= now) {
      this.#overruleAt = now + OVERRULE_PAUSE
      this.#stale = true
    }
  }

  /** Has who should keep what is here now signed, if that is new; returns when to try again, in ms. */
  #assign (): number {
    const { self, out } = this.#init

    if (this.#snapshot == null || this.#merges.isWaiting || (this.#snapshot.items === 0 && this.#epoch === 0)) {
      return Infinity
    }

    const { root, rootSize, size } = this.#snapshot
    const contingents = this.contingents.choose()
    const isNew = this.#stale || root !== this.#assignment?.root || !isSameSet(contingents, this.#assignment.contingents)

    if (contingents.length === 0 || !isNew) {
      return Infinity
    }

    if (this.#pace.next <= out.now) {
      this.#pace.begin(out.now)
      this.#stale = false
      out.put({ type: 'assign', assignment: { ward: self, epoch: this.#epoch + 1, contingents, root, rootSize, size } })
    }

    return this.#pace.next
  }

  /** Who can give what is to be kept: this node, and those who have it. */
  #sources (): PeerKey[] {
    const { named, former } = this.contingents
    const others = [...named, ...former].filter(([peer]) => this.#init.peers.isHere(peer)).sort((a, b) => Number(b[1].receipt != null) - Number(a[1].receipt != null))

    return [this.#init.self, ...others.map(([peer]) => peer)].slice(0, MAX_SOURCES)
  }

  #report (): void {
    const { assignment, contingents } = this
    const isProtected = assignment != null && assignment.root === this.#snapshot?.root && contingents.complete && !this.#merges.isMissing

    if (isProtected && !this.#protected) {
      this.#isSafe = true
      this.#init.out.event({ type: 'protected', epoch: assignment.epoch, root: assignment.root, contingents: assignment.contingents })
    } else if (this.#isSafe && !contingents.isHeld && assignment?.root === this.#snapshot?.root) {
      this.#isSafe = false
      const missing = [...contingents.named].find(([peer]) => !this.#init.peers.isHere(peer))
      this.#init.out.event({ type: 'at-risk', peer: missing?.[0] })
    }

    this.#protected = isProtected
  }

  #save (): void {
    this.#init.out.put({ type: 'save-ward', record: { assignment: this.#assignment, epoch: this.#mergedEpoch, former: [...this.contingents.former.keys()] } })
  }
}
