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

import { HEARTBEAT, MAX_MERGES, MERGE_RETRY } from '../constants.ts'
import { Contingents } from './contingents.ts'
import { keepersOf } from './messages.ts'
import type { ContingentsInit } from './contingents.ts'
import type { Appointment, Assignment, Message, Receipt } from './messages.ts'
import type { Snapshot, WardRecord } from './outbox.ts'
import type { PeerKey } from '../../core.ts'

const TIMER = 'ward'

export interface WardInit extends Omit<ContingentsInit, 'ward'> {
  record?: WardRecord
}

export class Ward {
  readonly contingents: Contingents
  readonly #init: WardInit
  #assignment?: Assignment
  #snapshot?: Snapshot

  /** Highest epoch that was seen. */
  #epoch: number

  /** `true` while an assignment is being signed. */
  #signing = false

  /** `true` if others know a newer assignment than the one that was signed last. */
  #stale = false

  /** Assignments of this node with things in them that it may not have, and who knows of them. */
  readonly #unmerged = new Map<string, { assignment: Assignment, sources: Set<PeerKey>, asked: boolean, again: number, failures: number }>()

  /** Roots that hold nothing this node does not have. */
  readonly #known = new Set<string>()
  #protected = false

  constructor (init: WardInit) {
    const { record } = init
    this.#init = init
    this.contingents = new Contingents({ ...init, ward: init.self })
    this.#epoch = record?.epoch ?? 0
    this.#assignment = record?.assignment
    this.contingents.name(record?.assignment?.contingents ?? [])
    record?.former.forEach(peer => { this.contingents.remember(peer) })

    if (record?.assignment != null) {
      this.#know(record.assignment.root)
    }
  }

  get assignment (): Assignment | undefined {
    return this.#assignment
  }

  get isProtected (): boolean {
    return this.#protected
  }

  /** Versions of changes made now: after all that anybody may have seen. */
  get nextEpoch (): number {
    return this.#epoch + 1
  }

  /** `true` while others are known to have something that this node may lack. */
  get isMerging (): boolean {
    return this.#unmerged.size > 0
  }

  changed (snapshot: Snapshot): void {
    this.#snapshot = snapshot
    this.#know(snapshot.root)
    this.plan()
  }

  assigned (assignment: Assignment): void {
    this.#signing = false

    if (assignment.epoch === this.#epoch + 1) {
      this.#epoch = assignment.epoch
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
    const unmerged = this.#unmerged.get(root)

    if (ok) {
      this.#unmerged.delete(root)
      this.#know(root)
    } else if (unmerged != null) {
      unmerged.asked = false
      unmerged.failures++
      unmerged.again = this.#init.out.now + Math.min(HEARTBEAT, MERGE_RETRY * 2 ** unmerged.failures)
    }

    this.plan()
  }

  member (peer: PeerKey, here: boolean): void {
    if (here) {
      this.contingents.revive(peer)
    }

    this.plan()
  }

  failed (peer: PeerKey): void {
    if (this.contingents.named.has(peer)) {
      this.contingents.refused(peer, 'unwilling')
      this.plan()
    }
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
      case 'leaving': this.#leaving(from); break
      case 'released': this.#released(from, message.epoch); break
    }

    this.plan()
  }

  /** Looks at everything, and does what is due. */
  plan (): void {
    const { out } = this.#init
    this.contingents.loseHope(this.#snapshot?.size ?? 0)
    this.#merge()
    this.#assign()

    // an old one would only be refused
    if (this.#assignment != null && !this.#stale) {
      this.contingents.ask({ assignment: this.#assignment }, this.#sources())
    }

    this.#report()
    out.timer(TIMER, Math.min(this.contingents.due(this.#snapshot?.size ?? 0), ...[...this.#unmerged.values()].map(({ asked, again }) => asked ? Infinity : Math.max(again, out.now + 1))))
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
    const { root, epoch } = this.#assignment ?? {}

    if (receipt.by === from && receipt.root === root && receipt.epoch <= (epoch ?? 0)) {
      this.contingents.holds(receipt)
    }
  }

  /** Somebody keeps something of this node, maybe without having been asked by it. */
  #kept (from: PeerKey, { appointment, held }: Extract<Message, { type: 'keep' }>): void {
    this.#heard(from, appointment)
    this.#lacks(from, held ?? appointment.assignment)
    // it was not here before, or had forgotten: it can be asked anew
    this.#unmerged.forEach(unmerged => { unmerged.failures = unmerged.sources.has(from) ? 0 : unmerged.failures })

    if (this.contingents.named.has(from)) {
      this.contingents.revive(from)
    } else {
      this.contingents.remember(from)
      this.#save()
    }
  }

  /** Somebody has what this node had at some time, or at least knows that there was such a thing. */
  #lacks (from: PeerKey, assignment: Assignment): void {
    if (!this.#known.has(assignment.root)) {
      const unmerged = this.#unmerged.get(assignment.root) ?? { assignment, sources: new Set(), asked: false, again: 0, failures: 0 }
      unmerged.sources.add(from)
      this.#unmerged.set(assignment.root, unmerged)
    }
  }

  /** Somebody knows an assignment of this node. */
  #heard (from: PeerKey, { assignment, takeover }: Appointment): void {
    const isNews = assignment.epoch > this.#epoch || takeover != null
    this.#lacks(from, assignment)

    if (isNews && assignment.epoch >= this.#epoch) {
      // whoever was appointed meanwhile has it already, or is about to
      this.#epoch = assignment.epoch
      this.contingents.name(this.contingents.choose(keepersOf({ assignment, takeover }).filter(peer => peer !== this.#init.self && this.#init.peers.isHere(peer))))
      this.#stale = true
      this.#save()
    }
  }

  #leaving (from: PeerKey): void {
    const contingent = this.contingents.get(from)

    if (contingent != null) {
      contingent.leaving = true
    } else {
      this.contingents.remember(from)
    }
  }

  #released (from: PeerKey, epoch: number): void {
    if (epoch >= (this.#assignment?.epoch ?? 0) || !this.contingents.named.has(from)) {
      this.contingents.released(from)
      this.#save()
    }
  }

  /** Has merged what others know, as long as they are here to tell it. */
  #merge (): void {
    const { out } = this.#init

    for (const unmerged of this.#unmerged.values()) {
      if (!unmerged.asked && unmerged.again <= out.now) {
        unmerged.asked = true
        out.put({ type: 'merge', assignment: unmerged.assignment, sources: [...unmerged.sources] })
      }
    }
  }

  #assign (): void {
    const { self, out } = this.#init
    const waits = [...this.#unmerged.values()].some(({ failures }) => failures < MAX_MERGES)

    if (this.#snapshot == null || this.#signing || waits || (this.#snapshot.items === 0 && this.#epoch === 0)) {
      return
    }

    const { root, rootSize, size } = this.#snapshot
    const contingents = this.contingents.choose()
    const isNew = this.#stale || root !== this.#assignment?.root || !sameSet(contingents, this.#assignment.contingents)

    if (contingents.length > 0 && isNew) {
      this.#signing = true
      this.#stale = false
      out.put({ type: 'assign', assignment: { ward: self, epoch: this.#epoch + 1, contingents, root, rootSize, size } })
    }
  }

  /** Who can give what is to be kept: this node, and those who have it. */
  #sources (): PeerKey[] {
    const { contingents } = this
    const others = [...contingents.named, ...contingents.former].filter(([peer]) => this.#init.peers.isHere(peer)).sort((a, b) => Number(b[1].receipt != null) - Number(a[1].receipt != null))

    return [this.#init.self, ...others.map(([peer]) => peer)].slice(0, 16)
  }

  #know (root: string): void {
    this.#known.delete(root)
    this.#known.add(root)

    if (this.#known.size > 100) {
      this.#known.delete(this.#known.values().next().value as string)
    }
  }

  #report (): void {
    const { assignment, contingents } = this
    const isProtected = assignment != null && assignment.root === this.#snapshot?.root && contingents.complete

    if (isProtected && !this.#protected) {
      this.#init.out.event({ type: 'protected', epoch: assignment.epoch, contingents: assignment.contingents })
    } else if (!isProtected && this.#protected && assignment?.root === this.#snapshot?.root) {
      const missing = [...contingents.named].find(([peer]) => !this.#init.peers.isHere(peer))
      this.#init.out.event({ type: 'at-risk', peer: missing?.[0] })
    }

    this.#protected = isProtected
  }

  #save (): void {
    this.#init.out.put({ type: 'save-ward', record: { assignment: this.#assignment, epoch: this.#epoch, former: [...this.contingents.former.keys()] } })
  }
}

function sameSet (a: PeerKey[], b: PeerKey[]): boolean {
  return a.length === b.length && a.every(peer => b.includes(peer))
}
