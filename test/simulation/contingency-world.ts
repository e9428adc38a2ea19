/**
 * A colony whose members keep each other's data by the real rules, over lines
 * with delay, loss, duplicates and partitions, with processes that crash after
 * any single thing they do, and come back with an old disk, or none.
 *
 * Membership is taken as it is: everybody hears of everybody, some seconds
 * late. Signatures are taken as right, and bytes are names of what they are.
 *
 * @module
 */

import { seededRandom } from '../../src/random.ts'
import { Clock } from './clock.ts'
import { SIGNED, SimKeeper } from './contingency-member.ts'
import type { PeerKey } from '../../src/core.ts'
import type { Message } from '../../src/contingency/core/messages.ts'
import type { ContingencyEvent, ContingencyOutput, KeptRecord } from '../../src/contingency/core/outbox.ts'
import type { PeerState } from '../../src/contingency/core/peers.ts'
import type { Random } from '../../src/random.ts'
import type { Datum } from './contingency-member.ts'

export interface ContingencyWorldInit {
  seed: number
  size: number
  copies?: number
  grace?: number

  /** Share of messages that are lost, and that come twice. */
  loss?: number
  duplicates?: number

  /** One-way delays, in ms. */
  delay?: [number, number]

  /** Bytes a ms at which copies travel. */
  rate?: number

  /** Bytes that each would keep for others. */
  room?: number

  /** Called after every single thing a member does, with the number of it; `true` makes it crash then. */
  crashes?: (member: SimKeeper, step: number, output: ContingencyOutput) => boolean
}

/** Something that must not happen. */
export interface Violation {
  time: number
  what: string
}

export class ContingencyWorld {
  readonly clock = new Clock()
  readonly random: Random
  readonly members = new Map<PeerKey, SimKeeper>()
  readonly roots = new Map<string, Map<string, Datum>>()
  readonly violations: Violation[] = []

  /** Nodes that have the key of a member as well. */
  readonly twins = new Map<PeerKey, SimKeeper>()

  /** Times at which somebody saved an older appointment in the place of a newer one. */
  staleWrites = 0

  /** Told whenever somebody begins or ends to answer for a ward. */
  onServe?: (ward: PeerKey, on: boolean) => void

  /** Share of messages that are lost now. */
  loss: number

  /** Times at which somebody failed, or left before others had what it kept, in ms. */
  readonly failures: number[] = []
  readonly copies: number
  readonly grace: number
  readonly rate: number
  readonly room: number
  messages = 0
  bytesCopied = 0

  /** The same, by ward. */
  readonly copiedOf = new Map<PeerKey, number>()

  /** Everything that happened, in one number: two runs of one seed have the same. */
  trace = 0
  readonly #init: ContingencyWorldInit

  /** What all contingents of a ward were known to have, by ward and name, with its version. */
  readonly acknowledged = new Map<PeerKey, Map<string, number>>()
  #step = 0
  #crashing = false

  constructor (init: ContingencyWorldInit) {
    this.#init = init
    this.random = seededRandom(init.seed)
    this.loss = init.loss ?? 0
    this.copies = init.copies ?? 2
    this.grace = init.grace ?? 60_000
    this.rate = init.rate ?? 10_000
    this.room = init.room ?? 1e12

    for (let i = 0; i < init.size; i++) {
      const peer = `p${i}`
      this.members.set(peer, new SimKeeper(this, peer, 2 ** Math.floor(this.random() * 3)))
    }
  }

  get (peer: PeerKey): SimKeeper {
    return this.members.get(peer) as SimKeeper
  }

  startAll (): void {
    this.members.forEach(member => { member.start() })
  }

  run (ms: number): void {
    const end = this.clock.now + ms
    this.clock.at(end, () => {})
    this.clock.run(() => this.clock.now < end, end)
  }

  delayOf (): number {
    const [least, most] = this.#init.delay ?? [5, 50]

    return least + this.random() * (most - least)
  }

  send (from: SimKeeper, to: PeerKey, message: Message): void {
    this.messages++
    this.#note(`${from.peer}>${to} ${message.type}`)
    const times = this.random() < this.loss ? 0 : this.random() < (this.#init.duplicates ?? 0) ? 2 : 1

    for (let i = 0; i < times; i++) {
      this.clock.after(this.delayOf(), () => {
        const member = this.#oneOf(to)

        if (member.up && member.side === from.side) {
          member.tell({ type: 'message', from: from.peer, message: sealed(message) })
        }
      })
    }
  }

  /** Another node with the key of a member, on a disk of its own. */
  twin (peer: PeerKey): SimKeeper {
    const twin = new SimKeeper(this, peer, this.get(peer).weight)
    this.twins.set(peer, twin)

    return twin
  }

  /** Who gets what is sent to a key: one of those who have it. */
  #oneOf (peer: PeerKey): SimKeeper {
    const twin = this.twins.get(peer)

    return twin?.up === true && this.random() < 0.5 ? twin : this.get(peer)
  }

  /** Everybody, twins too. */
  get everybody (): SimKeeper[] {
    return [...this.members.values(), ...this.twins.values()]
  }

  reaches (from: PeerKey, to: PeerKey): boolean {
    return this.get(from).side === this.get(to).side && this.get(to).up
  }

  /** `true` if `source` has all of a root, and can be reached. */
  has (asker: SimKeeper, source: PeerKey, ward: PeerKey, root: string): boolean {
    const names = [...this.roots.get(root) ?? []].filter(([, { gone }]) => !gone).map(([name]) => name)

    return this.reaches(asker.peer, source) && source !== asker.peer && names.every(name => this.get(source).disk.copies.get(ward)?.has(name) === true)
  }

  gives (asker: SimKeeper, source: PeerKey, ward: PeerKey, name: string): boolean {
    const nodes = [this.get(source), ...[this.twins.get(source) ?? []].flat()]

    return source !== asker.peer && nodes.some(({ up, side, disk }) =>
      up && side === asker.side && (source === ward ? disk.own.get(name)?.gone === false : disk.copies.get(ward)?.has(name) === true))
  }

  copied (member: SimKeeper, ward: PeerKey, name: string, size: number): void {
    this.bytesCopied += size
    this.copiedOf.set(ward, (this.copiedOf.get(ward) ?? 0) + size)
    const copies = member.disk.copies.get(ward) ?? new Set()
    member.disk.copies.set(ward, copies.add(name))
  }

  /** Who has something of a ward, and is up; the ward itself does not count. */
  holders (ward: PeerKey, name: string): SimKeeper[] {
    return [...this.members.values()].filter(({ up, peer, disk }) => up && peer !== ward && disk.copies.get(ward)?.has(name) === true)
  }

  /** Counts writes that go back in time, by a rule of its own. */
  onSave (member: SimKeeper, ward: PeerKey, { appointment }: KeptRecord): void {
    const before = member.disk.kept.get(ward)?.appointment
    const [epoch, was] = [appointment, before].map(one => (one?.assignment.epoch ?? 0) * 1e6 + (one?.takeover?.generation ?? 0))

    if (epoch < was) {
      this.staleWrites++
    }
  }

  onEvent (member: SimKeeper, event: ContingencyEvent): void {
    this.#note(`${member.peer} ${event.type}`)

    if (event.type === 'protected') {
      this.#acknowledge(member)
    }
  }

  /** A ward may delete what it had, and have newer; it may not have forgotten it. */
  #acknowledge ({ peer, disk: { own }, data }: SimKeeper): void {
    for (const [name, version] of this.acknowledged.get(peer) ?? []) {
      if ((own.get(name)?.version ?? -1) < version) {
        this.violations.push({ time: this.clock.now, what: `${peer} forgot ${name}` })
      }
    }

    this.acknowledged.set(peer, data)
  }

  /** Sees to it that nothing is deleted that others do not have as often as they should. */
  onDelete (member: SimKeeper, ward: PeerKey, remove: () => void): void {
    const wanted = [...this.acknowledged.get(ward) ?? []].filter(([name, version]) => this.#isWanted(ward, name, version))
    const failed = this.failedSince(this.clock.now - 2 * this.grace)
    const before = new Map(wanted.map(([name]) => [name, this.holders(ward, name).length]))
    remove()

    for (const [name] of wanted) {
      const after = this.holders(ward, name).length
      const own = this.get(ward).up && this.get(ward).data.has(name) ? 1 : 0

      // one that fails just after it proved that it has something is not known to have; then the ward's own is left
      if (after < (before.get(name) as number) && (after < this.copies - failed || after + own < 1)) {
        this.violations.push({ time: this.clock.now, what: `${member.peer} deleted ${name} of ${ward}: ${after} left` })
      }
    }
  }

  failedSince (time: number): number {
    return this.failures.filter(failure => failure > time).length
  }

  /** What a ward was told is safe, and does not have any more. */
  lost ({ peer, disk: { own } }: SimKeeper): string[] {
    return [...this.acknowledged.get(peer) ?? []].filter(([name, version]) => (own.get(name)?.version ?? -1) < version).map(([name]) => name)
  }

  /** Who keeps more or less of a member than it should: what is wrong, in words. */
  fault (member: SimKeeper): string | undefined {
    const { peer, core, data } = member
    const copies = Math.min(this.copies, this.members.size - 1)
    const counts = [...data.keys()].map(name => this.holders(peer, name).length)

    if (this.lost(member).length > 0) {
      return `${peer} lost ${this.lost(member).join(', ')}`
    }

    if (data.size > 0 && !core.ward.isProtected) {
      return `${peer} is not protected`
    }

    return counts.some(count => count !== copies) ? `${peer} has ${counts.join(', ')} copies` : undefined
  }

  /** Lets time pass until everything is as it should be, `limit` ms at most; returns what is not. */
  settle (limit: number): string[] {
    const end = this.clock.now + limit
    const faults = (): string[] => this.everybody.flatMap(member => this.fault(member) ?? [])

    while (this.clock.now < end && faults().length > 0) {
      this.run(1_000)
    }

    return faults()
  }

  /** `true` if the ward has not changed or deleted it since. */
  #isWanted (ward: PeerKey, name: string, version: number): boolean {
    const own = this.get(ward).disk.own.get(name)

    return own == null || (!own.gone && own.version === version)
  }

  crashesAfter (member: SimKeeper, output: ContingencyOutput): boolean {
    if (this.#crashing || this.#init.crashes == null) {
      return false
    }

    this.#crashing = true
    const crashed = this.#init.crashes(member, this.#step++, output)
    this.#crashing = false

    return crashed
  }

  get steps (): number {
    return this.#step
  }

  /** It is gone without a word. */
  crash (member: SimKeeper): void {
    if (!member.up) {
      return
    }

    this.#note(`${member.peer} crash`)
    member.up = false
    member.life++
    this.failures.push(this.clock.now)
    const { life } = member
    this.#announce(member, 'suspected', 1_000, 3_000, () => member.life === life)
    this.#announce(member, 'down', 4_000, 8_000, () => member.life === life)
  }

  /** It says goodbye. */
  leave (member: SimKeeper): void {
    this.#note(`${member.peer} left`)

    if (!member.hasLeft) {
      this.failures.push(this.clock.now)
    }

    member.up = false
    member.life++
    const { life } = member
    this.#announce(member, 'left', 50, 500, () => member.life === life)
  }

  /** It is there, and learns who else is. */
  joined (member: SimKeeper): void {
    const { life } = member
    this.#announce(member, 'alive', 100, 1_000, () => member.life === life && member.up)

    for (const other of this.everybody) {
      if (other.peer !== member.peer && other.up) {
        this.clock.after(100 + this.random() * 900, () => {
          if (member.life === life && other.up && other.side === member.side) {
            member.tell({ type: 'member', peer: other.peer, state: 'alive', weight: this.#weigh(other) })
          }
        })
      }
    }
  }

  /** Parts the colony; those of another side are down for each other after a while. */
  part (sideOf: (peer: PeerKey) => number): void {
    this.members.forEach(member => { member.side = sideOf(member.peer) })

    for (const a of this.members.values()) {
      for (const b of this.members.values()) {
        if (a.side !== b.side) {
          this.#see(a, b, 'suspected', 1_000 + this.random() * 2_000)
          this.#see(a, b, 'down', 4_000 + this.random() * 4_000)
        }
      }
    }
  }

  heal (): void {
    this.members.forEach(member => { member.side = 0 })

    for (const a of this.members.values()) {
      for (const b of this.members.values()) {
        if (a !== b) {
          this.#see(a, b, 'alive', 100 + this.random() * 5_000)
        }
      }
    }
  }

  #see (member: SimKeeper, other: SimKeeper, state: PeerState, after: number): void {
    const { life } = other
    this.clock.after(after, () => {
      const apart = member.side !== other.side

      if (other.life === life && other.up && apart === (state !== 'alive')) {
        member.tell({ type: 'member', peer: other.peer, state, weight: this.#weigh(other) })
      }
    })
  }

  /** Those of another side hear only that somebody is gone, however it went. */
  #announce (member: SimKeeper, state: PeerState, least: number, most: number, stillSo: () => boolean): void {
    for (const other of this.everybody) {
      if (other.peer !== member.peer) {
        this.clock.after(least + this.random() * (most - least), () => {
          const isNear = other.side === member.side

          if (stillSo() && (isNear || state !== 'alive')) {
            other.tell({ type: 'member', peer: member.peer, state: isNear || state !== 'left' ? state : 'down', weight: this.#weigh(member) })
          }
        })
      }
    }
  }

  /** Not all see the same: who has been up for longer counts for more, and is not weighed anew all the time. */
  #weigh ({ weight }: SimKeeper): number {
    return this.random() < 0.5 ? weight : weight * 1.5
  }

  #note (what: string): void {
    let hash = this.trace ^ Math.round(this.clock.now * 1000)

    for (let i = 0; i < what.length; i++) {
      hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193)
    }

    this.trace = hash >>> 0
  }
}

/** What arrives is signed. */
function sealed (message: Message): Message {
  return message.type === 'receipt' ? { type: 'receipt', receipt: { ...message.receipt, envelope: SIGNED } } : message
}
