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

import { ContingencyCore } from '../../src/contingency/core/contingency.ts'
import { seededRandom } from '../../src/random.ts'
import { Clock } from './clock.ts'
import type { PeerKey } from '../../src/core.ts'
import type { Assignment, Message } from '../../src/contingency/core/messages.ts'
import type { ContingencyEvent, ContingencyInput, ContingencyOutput, KeptRecord, WardRecord } from '../../src/contingency/core/outbox.ts'
import type { PeerState } from '../../src/contingency/core/peers.ts'
import type { Random } from '../../src/random.ts'

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

/** A datum of a ward: what it is called, its bytes, and the epoch of its last change. */
interface Datum {
  size: number
  version: number
  gone: boolean
}

/** What a disk holds. */
interface Disk {
  ward?: WardRecord
  kept: Map<PeerKey, KeptRecord>

  /** What the member has itself, by name. */
  own: Map<string, Datum>

  /** What it keeps for others: names by ward. */
  copies: Map<PeerKey, Set<string>>
}

function emptyDisk (): Disk {
  return { kept: new Map(), own: new Map(), copies: new Map() }
}

export class SimKeeper {
  readonly peer: PeerKey
  up = false
  disk = emptyDisk()
  core!: ContingencyCore
  side = 0

  /** Counts its lives, so that what was planned in an earlier one does not happen. */
  life = 0
  readonly serving = new Set<PeerKey>()
  readonly events: ContingencyEvent[] = []
  hasLeft = false
  readonly #timers = new Map<string, number>()
  readonly #fetches = new Map<PeerKey, number>()
  readonly #world: ContingencyWorld
  #busy = false
  readonly #inputs: ContingencyInput[] = []

  constructor (world: ContingencyWorld, peer: PeerKey) {
    this.#world = world
    this.peer = peer
  }

  start (disk = this.disk): void {
    const world = this.#world
    this.life++
    this.up = true
    this.hasLeft = false
    this.disk = disk
    // what a crash left behind
    disk.copies.forEach((_, ward) => disk.kept.has(ward) || disk.copies.delete(ward))
    this.serving.clear()
    this.#timers.clear()
    this.#fetches.clear()
    this.#inputs.length = 0
    this.#busy = false
    this.core = new ContingencyCore({
      self: this.peer,
      random: world.random,
      copies: world.copies,
      grace: world.grace,
      wallClock: () => world.clock.now,
      ward: disk.ward,
      kept: [...disk.kept.values()]
    })
    this.tell({ type: 'room', bytes: world.room, wards: 1000 })
    this.#world.joined(this)
    this.publish()
  }

  /** Has something new, or something changed; counts as kept by this node from now on. */
  put (name: string, size: number): void {
    this.disk.own.set(name, { size, version: this.core.ward.nextEpoch, gone: false })
    this.publish()
  }

  delete (name: string): void {
    this.disk.own.set(name, { size: 0, version: this.core.ward.nextEpoch, gone: true })
    this.publish()
  }

  publish (): void {
    const { own } = this.disk
    const root = `${this.peer}: ${[...own].map(([name, { version, gone }]) => `${name}@${version}${gone ? '-' : ''}`).sort().join(' ')}`
    this.#world.roots.set(root, new Map([...own].map(([name, datum]) => [name, { ...datum }])))
    this.tell({ type: 'snapshot', snapshot: { root, rootSize: 100, size: sizeOf(own), items: own.size } })
  }

  tell (input: ContingencyInput): void {
    if (!this.up) {
      return
    }

    this.#inputs.push(input)

    if (this.#busy) {
      return
    }

    const { life } = this
    this.#busy = true

    for (let next = this.#inputs.shift(); next != null && this.life === life && this.up; next = this.#inputs.shift()) {
      for (const output of this.core.handle(next, this.#world.clock.now)) {
        this.#carryOut(output)

        if (this.#world.crashesAfter(this, output)) {
          break
        }
      }
    }

    this.#busy = this.life === life ? false : this.#busy
  }

  #carryOut (output: ContingencyOutput): void {
    const world = this.#world
    const { disk } = this

    switch (output.type) {
      case 'send': world.send(this, output.to, output.message); break
      case 'timer': this.#setTimer(output.id, output.after); break
      case 'event':
        this.events.push(output.event)
        world.onEvent(this, output.event)
        break
      case 'assign': this.tell({ type: 'assigned', assignment: { ...output.assignment, envelope: SIGNED } }); break
      case 'take-over': this.tell({ type: 'taken-over', takeover: { ...output.takeover, envelope: SIGNED }, assignment: output.assignment }); break
      case 'merge': this.#merge(output.assignment, output.sources); break
      case 'fetch': this.#fetch(output); break
      case 'tidy': world.onDelete(this, output.ward, () => { this.#tidy(output.ward, output.root) }); break
      case 'drop':
        this.#fetches.set(output.ward, (this.#fetches.get(output.ward) ?? 0) + 1)
        world.onDelete(this, output.ward, () => { disk.copies.delete(output.ward) })
        break
      case 'save-ward': disk.ward = output.record; break
      case 'save': disk.kept.set(output.ward, output.record); break
      case 'forget': disk.kept.delete(output.ward); break
      case 'serve': this.serving[output.on ? 'add' : 'delete'](output.ward); break
      case 'left': this.hasLeft = true; break
    }
  }

  #tidy (ward: PeerKey, root: string): void {
    const wanted = this.#world.roots.get(root) as Map<string, Datum>
    const copies = this.disk.copies.get(ward)
    copies?.forEach(name => {
      if (wanted.get(name)?.gone !== false) {
        copies.delete(name)
      }
    })
  }

  #merge ({ root }: Assignment, sources: PeerKey[]): void {
    const world = this.#world
    const { life } = this

    world.clock.after(world.delayOf() * 4, () => {
      const ok = sources.some(source => world.has(this, source, this.peer, root))

      if (this.life !== life || !this.up) {
        return
      }

      if (ok) {
        for (const [name, datum] of world.roots.get(root) as Map<string, Datum>) {
          if ((this.disk.own.get(name)?.version ?? -1) < datum.version) {
            this.disk.own.set(name, { ...datum })
          }
        }
      }

      if (ok) {
        this.publish()
      }

      this.tell({ type: 'merged', root, ok })
    })
  }

  #fetch ({ assignment: { ward, root }, sources }: Extract<ContingencyOutput, { type: 'fetch' }>): void {
    const world = this.#world
    const order = (this.#fetches.get(ward) ?? 0) + 1
    const { life } = this
    this.#fetches.set(ward, order)
    const missing = [...world.roots.get(root) as Map<string, Datum>].filter(([name, { gone }]) => !gone && this.disk.copies.get(ward)?.has(name) !== true)
    const next = (): void => {
      if (this.life !== life || !this.up || this.#fetches.get(ward) !== order) {
        return
      }

      const datum = missing.shift()

      if (datum == null) {
        this.tell({ type: 'fetched', ward, root, ok: true })

        return
      }

      const [name, { size }] = datum
      world.clock.after(world.delayOf() * 2 + size / world.rate, () => {
        if (this.life !== life || !this.up || this.#fetches.get(ward) !== order) {
          return
        }

        if ([ward, ...sources, ...world.members.keys()].some(source => world.gives(this, source, ward, name))) {
          world.copied(this, ward, name, size)
          next()
        } else {
          this.tell({ type: 'fetched', ward, root, ok: false })
        }
      })
    }
    next()
  }

  #setTimer (id: string, after: number): void {
    const order = (this.#timers.get(id) ?? 0) + 1
    const { life } = this
    this.#timers.set(id, order)
    this.#world.clock.after(after, () => {
      if (this.life === life && this.up && this.#timers.get(id) === order) {
        this.tell({ type: 'timer', id })
      }
    })
  }
}

const SIGNED = new Uint8Array(1)

function sizeOf (items: Map<string, Datum>): number {
  return [...items.values()].reduce((sum, { size, gone }) => sum + (gone ? 0 : size), 0)
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

  /** Times at which somebody failed, in ms. */
  readonly failures: number[] = []
  readonly copies: number
  readonly grace: number
  readonly rate: number
  readonly room: number
  messages = 0
  bytesCopied = 0

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
    this.copies = init.copies ?? 2
    this.grace = init.grace ?? 60_000
    this.rate = init.rate ?? 10_000
    this.room = init.room ?? 1e12

    for (let i = 0; i < init.size; i++) {
      const peer = `p${i}`
      this.members.set(peer, new SimKeeper(this, peer))
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
    const times = this.random() < (this.#init.loss ?? 0) ? 0 : this.random() < (this.#init.duplicates ?? 0) ? 2 : 1

    for (let i = 0; i < times; i++) {
      this.clock.after(this.delayOf(), () => {
        if (this.reaches(from.peer, to)) {
          this.get(to).tell({ type: 'message', from: from.peer, message: sealed(message) })
        }
      })
    }
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
    const { disk } = this.get(source)

    return source !== asker.peer && this.reaches(asker.peer, source) && (source === ward ? disk.own.get(name)?.gone === false : disk.copies.get(ward)?.has(name) === true)
  }

  copied (member: SimKeeper, ward: PeerKey, name: string, size: number): void {
    this.bytesCopied += size
    const copies = member.disk.copies.get(ward) ?? new Set()
    member.disk.copies.set(ward, copies.add(name))
  }

  /** Who has something of a ward, and is up; the ward itself does not count. */
  holders (ward: PeerKey, name: string): SimKeeper[] {
    return [...this.members.values()].filter(({ up, peer, disk }) => up && peer !== ward && disk.copies.get(ward)?.has(name) === true)
  }

  onEvent (member: SimKeeper, event: ContingencyEvent): void {
    this.#note(`${member.peer} ${event.type}`)

    if (event.type === 'protected') {
      this.acknowledged.set(member.peer, new Map([...member.disk.own].filter(([, { gone }]) => !gone).map(([name, { version }]) => [name, version])))
    }
  }

  /** Sees to it that nothing is deleted that others do not have as often as they should. */
  onDelete (member: SimKeeper, ward: PeerKey, remove: () => void): void {
    const wanted = [...this.acknowledged.get(ward) ?? []].filter(([name, version]) => this.#isWanted(ward, name, version))
    const before = new Map(wanted.map(([name]) => [name, this.holders(ward, name).length]))
    remove()

    for (const [name] of wanted) {
      const after = this.holders(ward, name).length
      const failed = this.failures.filter(time => time > this.clock.now - this.grace * 2).length

      if (after < (before.get(name) as number) && after < Math.max(1, this.copies - failed)) {
        this.violations.push({ time: this.clock.now, what: `${member.peer} deleted ${name} of ${ward}: ${after} left` })
      }
    }
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
    member.up = false
    member.life++
    const { life } = member
    this.#announce(member, 'left', 50, 500, () => member.life === life)
  }

  /** It is there, and learns who else is. */
  joined (member: SimKeeper): void {
    const { life } = member
    this.#announce(member, 'alive', 100, 1_000, () => member.life === life && member.up)

    for (const other of this.members.values()) {
      if (other !== member && other.up) {
        this.clock.after(100 + this.random() * 900, () => {
          if (member.life === life && other.up && other.side === member.side) {
            member.tell({ type: 'member', peer: other.peer, state: 'alive', weight: 1 })
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
        member.tell({ type: 'member', peer: other.peer, state, weight: 1 })
      }
    })
  }

  /** Those of another side hear only that somebody is gone, however it went. */
  #announce (member: SimKeeper, state: PeerState, least: number, most: number, stillSo: () => boolean): void {
    for (const other of this.members.values()) {
      if (other !== member) {
        this.clock.after(least + this.random() * (most - least), () => {
          const isNear = other.side === member.side

          if (stillSo() && (isNear || state !== 'alive')) {
            other.tell({ type: 'member', peer: member.peer, state: isNear || state !== 'left' ? state : 'down', weight: 1 })
          }
        })
      }
    }
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
