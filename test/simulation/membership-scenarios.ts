/**
 * What can happen to a colony, and how long it takes until all know.
 *
 * @module
 */

import { seededRandom, shuffle } from '../../src/random.ts'
import { World } from './membership-world.ts'
import type { Exit, SimMember, WorldInit } from './membership-world.ts'

/** How long a colony runs before something happens to it, in ms. */
const WARM_UP = 20_000

/** A colony in which everybody is linked. */
export function colony (init: WorldInit): World {
  const world = new World(init)
  world.startAll()
  world.run(WARM_UP)

  return world
}

/** Ms until all know of a crash; `Infinity` after two minutes. */
export function crash (init: WorldInit, exit: Exit): number {
  const world = colony(init)
  const victim = world.list[Math.floor(world.random() * init.size)]
  const start = world.clock.now
  world.crash(victim, exit)
  const all = world.run(120_000, () => world.count(victim, state => state === 'down') < init.size - 1)

  return all ? world.clock.now - start : Infinity
}

/** Ms until 99.99 % of the others know that somebody came or went. */
export function spread (init: WorldInit, what: 'joined' | 'left'): number {
  const world = colony(init)
  const member = what === 'joined' ? world.add() : world.list[Math.floor(world.random() * init.size)]
  const others = what === 'joined' ? init.size : init.size - 1
  const start = world.clock.now

  if (what === 'joined') {
    member.start()
    world.link(member, world.list[0].peer)
  } else {
    member.leave()
  }

  const knows = what === 'joined' ? 'alive' : 'left'
  const all = world.run(120_000, () => world.count(member, state => state === knows) < Math.ceil(0.9999 * others))

  return all ? world.clock.now - start : Infinity
}

export interface Load {
  /** Messages and bytes that a member sends in a second. */
  messages: number
  bytes: number

  /** Bytes of the largest message. */
  largest: number
}

/** What a colony sends in which nothing happens. */
export function idle (init: WorldInit): Load {
  const world = colony(init)
  const { messages, bytes } = world
  world.largest = 0
  world.run(60_000)

  return {
    messages: (world.messages - messages) / init.size / 60,
    bytes: (world.bytes - bytes) / init.size / 60,
    largest: world.largest
  }
}

export interface Mistakes {
  /** Members that were well, and were declared down by somebody. */
  healthy: number

  /** Members that stood still, and were. */
  paused: number
  nodeSeconds: number
  messages: number
}

/** Who is declared down without being so, while some processes stand still over and over. */
export function mistakes (init: WorldInit, { ms, share }: { ms: number, share: number }): Mistakes {
  const world = colony({ ...init, loss: 0 })
  world.loss = init.loss ?? 0
  const slow = new Set(world.list.slice(0, Math.round(share * init.size)))
  const wrong = { healthy: 0, paused: 0 }
  world.onEvent = (observer, event) => {
    if (event.type === 'down' && !slow.has(observer)) {
      wrong[slow.has(world.members.get(event.member.peer) as SimMember) ? 'paused' : 'healthy']++
    }
  }
  slow.forEach(member => { pauseOften(world, member) })
  const { messages } = world
  world.run(ms)

  return { ...wrong, nodeSeconds: init.size * ms / 1000, messages: (world.messages - messages) / init.size / ms * 1000 }
}

/** Stands still for 5 to 20 s, runs for as long, and so on. */
function pauseOften (world: World, member: SimMember): void {
  world.clock.after(1_000 + world.random() * 20_000, () => {
    member.pausedUntil = world.clock.now + 5_000 + world.random() * 15_000
    world.clock.at(member.pausedUntil, () => { pauseOften(world, member) })
  })
}

/** Ms from the healing of a partition until everybody takes everybody for alive; `Infinity` after five minutes. */
export function partition (init: WorldInit, { ms, share }: { ms: number, share: number }): number {
  const world = colony(init)
  const apart = shuffle(world.random, [...world.list]).slice(0, Math.max(1, Math.round(share * init.size)))
  apart.forEach(member => { member.side = 1 })
  world.run(ms)
  apart.forEach(member => { member.side = 0 })
  const start = world.clock.now
  const whole = world.run(300_000, () => !isWhole(world))

  return whole ? world.clock.now - start : Infinity
}

/** `true` if all the living take each other for alive. */
export function isWhole (world: World): boolean {
  const { living } = world

  return living.every(({ core: { members } }) => members.living === living.length)
}

export interface Churn {
  /** The longest that somebody who had come or gone was not known to all, in ms. */
  slowest: number

  /** Rows in the largest table, and news waiting at most, at the end. */
  rows: number
  pending: number
  joined: number
  left: number
  crashed: number

  /** Changes that were not known to all in time. */
  late: number
}

/** Members that come and go: sessions after Weibull (k = 0.5), half of which end without a word. */
export function churn (init: WorldInit, { ms, mean, within }: { ms: number, mean: number, within: number }): Churn {
  const world = colony(init)
  const random = seededRandom(init.seed + 1)
  const result: Churn = { slowest: 0, rows: 0, pending: 0, joined: 0, left: 0, crashed: 0, late: 0 }
  const waiting = new Map<SimMember, { since: number, alive: boolean }>()

  const live = (member: SimMember): void => {
    // the mean of a Weibull distribution with k = 0.5 is twice its scale
    world.clock.after(mean / 2 * Math.log(1 / (1 - random())) ** 2, () => { end(member) })
  }
  const end = (member: SimMember): void => {
    waiting.set(member, { since: world.clock.now, alive: false })

    if (random() < 0.5) {
      member.leave()
      result.left++
    } else {
      world.crash(member, random() < 0.5 ? 'silent' : 'closed')
      result.crashed++
    }

    // as many come as go, after a while
    world.clock.after(within + 5_000 * random(), () => { come(member) })
  }
  const come = (member: SimMember): void => {
    const [known] = shuffle(random, world.living)
    waiting.set(member, { since: world.clock.now, alive: true })
    member.restart()
    world.link(member, known.peer)
    result.joined++
    live(member)
  }

  world.list.forEach(live)

  for (const end = world.clock.now + ms; world.clock.now < end;) {
    world.run(500)
    settle(world, waiting, result, within)
  }

  result.rows = Math.max(...world.living.map(({ core }) => core.members.size))
  result.pending = Math.max(...world.living.map(({ core }) => core.pending))

  return result
}

/** Sees what has become known to all by now. */
function settle (world: World, waiting: Map<SimMember, { since: number, alive: boolean }>, result: Churn, within: number): void {
  const { now } = world.clock
  // who came a moment ago does not know everybody yet
  const settled = world.living.filter(member => now - (waiting.get(member)?.since ?? -Infinity) > within)

  for (const [member, { since, alive }] of waiting) {
    const known = settled.every(other => other === member || isTaken(other, member, alive))

    if (known) {
      result.slowest = Math.max(result.slowest, now - since)
      waiting.delete(member)
    } else if (now - since > within) {
      result.late++
      waiting.delete(member)
    }
  }
}

function isTaken (by: SimMember, member: SimMember, alive: boolean): boolean {
  const state = by.core.members.get(member.peer)?.state

  return (state === 'alive' || state === 'suspected') === alive
}
