/**
 * Colonies of which most members are pages in browsers: few links each, and
 * timers that hardly run while nobody sees them.
 *
 * @module
 */

import { colony, isWhole } from './membership-scenarios.ts'
import type { Exit, SimMember, World, WorldInit } from './membership-world.ts'

const MINUTE = 60_000

/** How often the timers of a tab fire that was hidden for long, in ms. */
const TICK = MINUTE

/** How long links take to settle, in ms. */
const SETTLE = MINUTE

/** A colony whose links have settled. */
export function settled (init: WorldInit): World {
  const world = colony(init)
  world.run(SETTLE)

  return world
}

export function lightOnes (world: World): SimMember[] {
  return world.living.filter(({ traits }) => traits.light === true)
}

export function fullOnes (world: World): SimMember[] {
  return world.living.filter(({ traits }) => traits.light !== true)
}

export interface Shape {
  /** Most and fewest links of a light member. */
  most: number
  least: number

  /** Light members without a link to one that is not. */
  astray: number
  connected: boolean
}

/** How the living are linked. */
export function shape (world: World): Shape {
  const light = lightOnes(world)
  const counts = light.map(({ links }) => links.size)
  const full = new Set(fullOnes(world).map(({ peer }) => peer))

  return {
    most: Math.max(...counts),
    least: Math.min(...counts),
    astray: light.filter(({ links }) => ![...links].some(peer => full.has(peer))).length,
    connected: isConnected(world)
  }
}

function isConnected (world: World): boolean {
  const [first] = world.living
  const reached = new Set([first.peer])
  const next = [first]

  for (let member = next.pop(); member != null; member = next.pop()) {
    for (const peer of member.links) {
      const other = world.members.get(peer)

      if (other?.up === true && !reached.has(peer)) {
        reached.add(peer)
        next.push(other)
      }
    }
  }

  return reached.size === world.living.length
}

/** Lets `ms` pass; the most connections that a light member opened or took, for an hour. */
export function dialsPerHour (world: World, ms: number): number {
  const before = new Map(lightOnes(world).map(member => [member, member.dials]))
  world.run(ms)

  return Math.max(...[...before].map(([member, dials]) => (member.dials - dials) * 60 * MINUTE / ms))
}

export interface Hidden {
  /** Who was declared down by whom, though all were there. */
  down: string[]

  /** Times somebody was suspected. */
  suspected: number

  /** `true` if all were known to all soon after the pages were seen again. */
  whole: boolean
}

/** Some pages that nobody sees for ten minutes. With `frozen` they hear nothing but once a minute, either. */
export function hiddenOnes (init: WorldInit, count: number, frozen = false): Hidden {
  const world = settled(init)
  const hidden = lightOnes(world).slice(0, count)
  const down: string[] = []
  let suspected = 0
  world.onEvent = ({ peer }, event) => {
    if (event.type === 'down') {
      down.push(`${event.member.peer} by ${peer}`)
    }

    suspected += Number(event.type === 'suspected' && peer === world.list[0].peer)
  }
  const end = world.clock.now + 10 * MINUTE

  for (const member of hidden) {
    member.hide(TICK)

    if (frozen) {
      world.clock.after(1_000 + world.random() * TICK, () => { freeze(world, member, end) })
    }
  }

  world.run(10 * MINUTE)
  hidden.forEach(member => { member.show() })
  const whole = world.run(20_000, () => !isWhole(world))

  return { down, suspected, whole }
}

/** Runs for a tenth of a second in each minute. */
function freeze (world: World, member: SimMember, end: number): void {
  if (world.clock.now < end) {
    member.pausedUntil = Math.min(end, world.clock.now + TICK - 100)
    world.clock.at(member.pausedUntil + 100, () => { freeze(world, member, end) })
  }
}

/** Ms until all others that are seen know that a light member crashed, which is hidden, or not; `Infinity` after five minutes. */
export function lightCrash (init: WorldInit, exit: Exit, { hidden }: { hidden: boolean }): number {
  const world = settled(init)
  const [victim, ...others] = lightOnes(world)

  if (hidden) {
    victim.hide(TICK)
    others.slice(0, 9).forEach(member => { member.hide(TICK) })
    world.run(5 * MINUTE)
  }

  const start = world.clock.now
  world.crash(victim, exit)
  const seen = world.living.filter(({ traits }) => traits.hidden !== true)
  const all = world.run(5 * MINUTE, () => seen.some(({ core }) => core.members.get(victim.peer)?.state !== 'down'))

  return all ? world.clock.now - start : Infinity
}

export interface Stir {
  /** The most connections that a light member opened or took, for an hour. */
  dials: number

  /** Shape of the colony at the end. */
  end: Shape

  /** `true` if all were known to all soon after. */
  whole: boolean
}

/** Pages that come and go, each after a few minutes, half of them without a word; those that stay are counted. */
export function pagesComeAndGo (init: WorldInit, ms: number): Stir {
  const world = settled(init)
  const { random } = world
  const moving = lightOnes(world).slice(0, Math.round(init.size / 3))
  const end = world.clock.now + ms
  const visit = (member: SimMember): void => {
    world.clock.after(MINUTE + random() * 4 * MINUTE, () => {
      if (world.clock.now > end) {
        return
      }

      if (random() < 0.5) {
        member.leave()
      } else {
        world.crash(member, 'closed')
      }

      world.clock.after(20_000, () => {
        member.restart()
        world.link(member, fullOnes(world)[0].peer)
        visit(member)
      })
    })
  }
  moving.forEach(visit)
  const before = new Map(lightOnes(world).filter(member => !moving.includes(member)).map(member => [member, member.dials]))
  world.run(ms)
  const dials = Math.max(...[...before].map(([member, count]) => (member.dials - count) * 60 * MINUTE / ms))
  world.run(5 * MINUTE + SETTLE)

  return { dials, end: shape(world), whole: isWhole(world) }
}

/** Half of those that are not light die at once; what is left a minute after. */
export function hubsDie (init: WorldInit, exit: Exit): Stir {
  const world = settled(init)
  fullOnes(world).forEach((member, i) => {
    if (i % 2 === 0) {
      world.crash(member, exit)
    }
  })
  const dials = dialsPerHour(world, MINUTE)

  return { dials: dials / 60, end: shape(world), whole: isWhole(world) }
}
