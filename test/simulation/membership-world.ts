/**
 * A colony whose members run the real rules, over lines with delay, loss,
 * partitions, and processes that stop for a while or for good.
 *
 * @module
 */

import { BUCKETS } from '../../src/membership/constants.ts'
import { SwimCore } from '../../src/membership/core/swim.ts'
import { sizeOf } from '../../src/membership/core/broadcasts.ts'
import { seededRandom } from '../../src/random.ts'
import { Clock } from './clock.ts'
import type { Message, News, SignedRecord } from '../../src/membership/core/messages.ts'
import type { SwimEvent, SwimInput, SwimOutput } from '../../src/membership/core/swim.ts'
import type { PeerKey } from '../../src/core.ts'
import type { Random } from '../../src/random.ts'

/** Bytes of a signed record, and of a claim. */
const RECORD_SIZE = 300
const CLAIM_SIZE = 200

/** How long a dial to a host that does not answer takes, in ms. */
const DIAL_TIMEOUT = 5_000

/** A stream without a link is closed after so long without a message, in ms. */
const IDLE_TIME = 15_000

export interface WorldInit {
  seed: number
  size: number

  /** Share of messages that are lost. */
  loss?: number

  /** One-way delays, in ms. */
  delay?: [number, number]

  /** `true` if everybody knows everybody when it begins. */
  settled?: boolean

  /** So many of them, the last ones, are light. */
  light?: number

  /**
   * `true` if messages come in the order in which they were sent, as those of a
   * stream do, and what is under way when a process is killed is lost.
   */
  streams?: boolean
}

/** What a member says of itself. */
export interface Traits {
  light?: boolean
  hidden?: boolean
}

export type Exit = 'silent' | 'closed'

/** One member. */
export class SimMember {
  readonly peer: PeerKey
  core: SwimCore
  up = true
  epoch = 1

  /** Members of different sides do not hear each other. */
  side = 0
  pausedUntil = 0

  /** Timers of a tab that was hidden for long fire once in so many ms. */
  tick = 0

  /** Connections it opened and took, links or not. */
  dials = 0
  traits: Traits = {}
  readonly links = new Set<PeerKey>()
  readonly #timers = new Map<string, number>()

  /** Timers that wait for the next tick. */
  readonly #held: Array<() => void> = []
  readonly #world: World

  constructor (world: World, peer: PeerKey) {
    this.#world = world
    this.peer = peer
    this.core = new SwimCore({ self: peer, random: world.random })
  }

  /** Starts, or starts again after a crash. */
  start (epoch = this.epoch): void {
    this.epoch = epoch
    this.up = true
    this.tell({ type: 'self', signed: recordOf(this.peer, epoch, 0, false, this.traits) })
  }

  restart (): void {
    this.#timers.clear()
    this.links.clear()
    this.core = new SwimCore({ self: this.peer, random: this.#world.random })
    this.start(this.epoch + 1)
  }

  /** Says goodbye, and is gone when that is sent. */
  leave (): void {
    const { epoch, counter } = this.core.members.get(this.peer)?.signed.record ?? { epoch: this.epoch, counter: 0 }
    this.tell({ type: 'self', signed: recordOf(this.peer, epoch, counter + 1, true, this.traits) })
    this.#world.clock.after(100, () => { this.#world.crash(this, 'closed') })
  }

  /** Says something new of itself. */
  say (traits: Traits): void {
    const { epoch, counter } = this.core.members.get(this.peer)?.signed.record ?? { epoch: this.epoch, counter: 0 }
    this.traits = { ...this.traits, ...traits }
    this.tell({ type: 'self', signed: recordOf(this.peer, epoch, counter + 1, false, this.traits) })
  }

  /** Nobody sees its page: timers fire together, once in `tick` ms, while messages come as ever. */
  hide (tick: number): void {
    this.say({ hidden: true })
    this.tick = tick
    const beat = (): void => {
      this.#held.splice(0).forEach(fire => { fire() })

      if (this.tick > 0) {
        this.#world.clock.after(tick, beat)
      }
    }
    this.#world.clock.after(this.#world.random() * tick, beat)
  }

  /** Somebody sees its page again. */
  show (): void {
    this.tick = 0
    this.#held.splice(0).forEach(fire => { fire() })
    this.say({ hidden: false })
  }

  tell (input: SwimInput): void {
    if (!this.up) {
      return
    }

    if (this.pausedUntil > this.#world.clock.now) {
      this.#world.clock.at(this.pausedUntil, () => { this.tell(input) })

      return
    }

    for (const output of this.core.handle(input, this.#world.clock.now)) {
      this.#carryOut(output)
    }
  }

  #carryOut (output: SwimOutput): void {
    const world = this.#world

    switch (output.type) {
      case 'send': world.send(this, output.to, output.message); break
      case 'timer': this.#setTimer(output.id, output.after); break
      case 'event': world.onEvent(this, output.event); break
      case 'sign': this.tell({ type: 'self', signed: recordOf(this.peer, output.epoch, output.counter, false, this.traits) }); break
      case 'accuse': {
        const { target, epoch, counter } = output
        this.tell({ type: 'claim', claim: { target, epoch, counter, broken: output.broken, from: this.peer, envelope: CLAIM } })
        break
      }
      case 'link': world.link(this, output.peer); break
      case 'unlink': world.unlink(this, output.peer); break
    }
  }

  #setTimer (id: string, after: number): void {
    const { clock } = this.#world
    const { core } = this
    const order = (this.#timers.get(id) ?? 0) + 1
    this.#timers.set(id, order)
    const fire = (): void => {
      if (this.#timers.get(id) === order && this.core === core) {
        this.tell({ type: 'timer', id })
      }
    }
    clock.after(after, () => {
      if (this.tick > 0) {
        this.#held.push(fire)
      } else {
        fire()
      }
    })
  }
}

const CLAIM = new Uint8Array(CLAIM_SIZE)
const ENVELOPE = new Uint8Array(RECORD_SIZE)

export function recordOf (peer: PeerKey, epoch: number, counter: number, left = false, traits: Traits = {}): SignedRecord {
  return { record: { peer, epoch, counter, left, ...traits }, envelope: ENVELOPE }
}

/** Members, and what is between them. */
export class World {
  readonly clock = new Clock()
  readonly random: Random
  readonly members = new Map<PeerKey, SimMember>()

  /** All messages, and their bytes. */
  messages = 0
  bytes = 0
  largest = 0

  /** Changes with everything that happens. */
  trace = 0

  onEvent: (member: SimMember, event: SwimEvent) => void = () => {}
  loss: number
  readonly #refuses = new Set<PeerKey>()

  /** When two spoke last without a link. */
  readonly #dialled = new Map<string, number>()
  readonly #delay: [number, number]
  readonly #streams: boolean

  /** When the last message from one to another comes. */
  readonly #comes = new Map<string, number>()

  constructor ({ seed, size, loss = 0, delay = [5, 50], settled = true, light = 0, streams = false }: WorldInit) {
    this.random = seededRandom(seed)
    this.loss = loss
    this.#delay = delay
    this.#streams = streams

    for (let i = 0; i < size; i++) {
      this.add({ light: i >= size - light })
    }

    if (settled) {
      const records = this.list.map(({ peer, traits }) => recordOf(peer, 1, 0, false, traits))

      for (const { peer, core } of this.members.values()) {
        records.forEach(signed => { if (signed.record.peer !== peer) core.members.add(signed, 'alive', 0) })
      }
    }
  }

  /** Adds a member, which is not started. */
  add (traits: Traits = {}): SimMember {
    const member = new SimMember(this, `member-${this.members.size}`)
    member.traits = traits
    this.members.set(member.peer, member)

    return member
  }

  get list (): SimMember[] {
    return [...this.members.values()]
  }

  get living (): SimMember[] {
    return this.list.filter(({ up }) => up)
  }

  /** Lets `ms` pass, or less if `busy` ends; `true` if it did. */
  run (ms: number, busy: () => boolean = () => true): boolean {
    const end = this.clock.now + ms
    this.clock.at(end, () => {})
    this.clock.run(() => busy() && this.clock.now < end, end)

    return !busy()
  }

  startAll (within = 1_000): void {
    this.list.forEach(member => { this.clock.after(this.random() * within, () => { member.start() }) })
  }

  send (from: SimMember, to: PeerKey, message: Message): void {
    const target = this.members.get(to)
    const size = messageSize(message)
    this.messages++
    this.bytes += size
    this.largest = Math.max(this.largest, size)
    this.trace = (Math.imul(this.trace ^ Math.round(this.clock.now * 1000), 0x01000193) ^ size) >>> 0

    if (target == null || this.random() < this.loss) {
      return
    }

    if (!from.links.has(to)) {
      this.#count(from, target)
    }

    if (!from.links.has(to) && this.#refusesDials(from, target)) {
      this.clock.after(this.#latency() + this.#latency(), () => { from.tell({ type: 'unreachable', peer: to }) })

      return
    }

    // without a link one has to be opened first
    const time = this.#latency() + (from.links.has(to) ? 0 : this.#latency() + this.#latency())
    this.clock.at(this.#arrival(from, to, time), () => {
      if (this.#hears(from, target) && (from.up || !this.#streams)) {
        target.tell({ type: 'message', from: from.peer, message })
      }
    })
  }

  link (from: SimMember, to: PeerKey): void {
    const target = this.members.get(to)
    const time = this.#latency() + this.#latency()
    this.#count(from, target, true)

    if (target != null && this.#hears(from, target) && target.pausedUntil <= this.clock.now) {
      this.clock.after(time, () => {
        if (from.up && target.up) {
          const known = from.links.has(to)
          from.links.add(to)
          target.links.add(from.peer)
          from.tell({ type: 'linked', peer: to, dialled: true })

          if (!known) {
            target.tell({ type: 'linked', peer: from.peer, dialled: false })
          }
        } else {
          from.tell({ type: 'unreachable', peer: to })
        }
      })
    } else {
      const refused = target != null && this.#refusesDials(from, target)
      this.clock.after(refused ? time : DIAL_TIMEOUT, () => { from.tell({ type: 'unreachable', peer: to }) })
    }
  }

  unlink (from: SimMember, to: PeerKey): void {
    const target = this.members.get(to)
    from.links.delete(to)

    if (target?.links.delete(from.peer) === true && target.side === from.side) {
      this.clock.after(this.#latency(), () => { target.tell({ type: 'unlinked', peer: from.peer }) })
    }
  }

  /** Ends a process: with its host (`silent`), or so that its connections are closed. */
  crash (member: SimMember, exit: Exit): void {
    member.up = false

    if (exit === 'closed') {
      this.#refuses.add(member.peer)
    }

    for (const peer of member.links) {
      const other = this.members.get(peer)

      if (exit === 'closed' && other?.side === member.side) {
        other.links.delete(member.peer)
        this.clock.after(this.#latency(), () => { other.tell({ type: 'gone', peer: member.peer }) })
      }
    }

    member.links.clear()
  }

  /** How many of the living take `member` for what `fits` says. */
  count (member: SimMember, fits: (state: string | undefined) => boolean): number {
    return this.living.filter(other => other !== member && fits(other.core.members.get(member.peer)?.state)).length
  }

  /** A connection, or a try; one without a link is closed when nothing was said for a while. */
  #count (from: SimMember, to: SimMember | undefined, link = false): void {
    const pair = `${from.peer} ${to?.peer}`

    if (link || this.clock.now - (this.#dialled.get(pair) ?? -Infinity) > IDLE_TIME) {
      from.dials++

      if (to?.up === true) {
        to.dials++
      }
    }

    this.#dialled.set(pair, this.clock.now)
  }

  #arrival (from: SimMember, to: PeerKey, time: number): number {
    const pair = `${from.peer} ${to}`
    const at = this.clock.now + time

    if (!this.#streams) {
      return at
    }

    const next = Math.max(at, this.#comes.get(pair) ?? 0)
    this.#comes.set(pair, next)

    return next
  }

  #latency (): number {
    const [min, max] = this.#delay

    return min + this.random() * (max - min)
  }

  /** A process that is gone leaves a host that says so. */
  #refusesDials (from: SimMember, to: SimMember): boolean {
    return !to.up && to.side === from.side && this.#refuses.has(to.peer)
  }

  #hears (from: SimMember, to: SimMember): boolean {
    return to.up && from.side === to.side
  }
}

function messageSize (message: Message): number {
  switch (message.type) {
    case 'hello': return 20 + message.signed.envelope.byteLength
    case 'ping':
    case 'ack': return 24 + newsSize(message.news)
    case 'gossip': return 18 + newsSize(message.news)
    case 'probe': return 80
    case 'report': return 32
    case 'sync': return 24 + 4 * BUCKETS
    case 'versions': return 30 + 2 * message.buckets.length + 100 * message.members.length
    case 'want': return 20 + 54 * message.peers.length
  }
}

function newsSize (news: News[]): number {
  return news.reduce((sum, item) => sum + sizeOf(item), 0)
}
