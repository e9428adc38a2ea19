/**
 * What may happen to a colony that keeps its members' data, and what comes of
 * it.
 *
 * @module
 */

import { seededRandom } from '../../src/random.ts'
import { emptyDisk } from './contingency-member.ts'
import { ContingencyWorld } from './contingency-world.ts'
import type { ContingencyInput } from '../../src/contingency/core/outbox.ts'
import type { SimKeeper } from './contingency-member.ts'
import type { ContingencyWorldInit } from './contingency-world.ts'
import type { Random } from '../../src/random.ts'

const SECOND = 1_000
const MINUTE = 60_000

/** After the last fault, all has to be well within so many ms: three rounds in which contingents tell a ward what they have, and what follows from it. */
export const HEAL_TIME = 5 * MINUTE

export interface Outcome {
  /** What must not happen and did, what is lost, and what is not as it should be in the end. */
  faults: string[]
  staleWrites: number
  trace: number
  world: ContingencyWorld
}

function outcome (world: ContingencyWorld, limit = HEAL_TIME): Outcome {
  world.loss = 0
  const unsettled = world.settle(limit)

  return { faults: [...world.violations.map(({ time, what }) => `${time}: ${what}`), ...unsettled], staleWrites: world.staleWrites, trace: world.trace, world }
}

/** A colony in which everybody has something, and all of it is kept by others. */
export function colony (init: ContingencyWorldInit, items = 3): ContingencyWorld {
  const world = new ContingencyWorld(init)
  const random = seededRandom(init.seed * 7919)
  world.startAll()
  world.members.forEach(member => {
    for (let i = 0; i < items; i++) {
      member.put(`d${i}`, 1e5 + random() * 1e6)
    }
  })
  world.run(30 * SECOND)

  return world
}

/** Whatever may go wrong in any order, as long as no more members fail within one window than there are contingents. */
export function chaos (seed: number): Outcome {
  const random = seededRandom(seed * 104_729)
  const world = colony({ seed, size: 5 + Math.floor(random() * 6), copies: 1 + Math.floor(random() * 3), loss: random() * 0.2, duplicates: random() * 0.1, grace: 20 * SECOND })
  const all = [...world.members.values()]

  for (let i = 0; i < 12; i++) {
    const member = all[Math.floor(random() * all.length)]

    if (!member.up) {
      member.start(random() < 0.25 ? emptyDisk() : member.disk)
    } else {
      somethingHappens(world, member, random)
    }

    world.run(random() < 0.5 ? 3 * SECOND + random() * 10 * SECOND : MINUTE)
    all.forEach(one => {
      if (!one.up && random() < 0.3) {
        one.start()
      }
    })
    world.run(random() * 30 * SECOND)
  }

  all.forEach(one => {
    if (!one.up) {
      one.start()
    }
  })

  return outcome(world)
}

function somethingHappens (world: ContingencyWorld, member: SimKeeper, random: Random): void {
  // copies that are lost are made again within a window: what is noticed, the grace, and the copying
  const mayFail = world.failedSince(world.clock.now - 4 * world.grace) + [...world.members.values()].filter(({ up }) => !up).length < world.copies
  const what = Math.floor(random() * 7)
  const [first] = member.data.keys()

  if (what === 0 && mayFail) {
    world.crash(member)
  } else if (what === 1 && mayFail) {
    member.tell({ type: 'leave' })
    world.run(10 * SECOND)
    world.leave(member)
  } else if (what === 2) {
    member.put(`d${Math.floor(random() * 5)}`, random() * 1e6)
  } else if (what === 3 && first != null) {
    member.delete(first)
  } else if (what === 4) {
    world.part(peer => Number(peer.slice(1)) % 2)
    world.run(5 * SECOND + random() * MINUTE)
    world.heal()
  } else if (what === 5) {
    member.jump(random() * (random() < 0.5 ? MINUTE : 100 * 60 * MINUTE))
  }
}

export type Handover = 'a contingent leaves' | 'a contingent leaves, and the ward is gone' | 'a contingent crashes' | 'the ward comes back' | 'the ward comes back without anything'

export const HANDOVERS: Handover[] = ['a contingent leaves', 'a contingent leaves, and the ward is gone', 'a contingent crashes', 'the ward comes back', 'the ward comes back without anything']

export interface HandoverInit {
  seed: number
  loss?: number

  /** After which step of the handover whoever did it crashes, and whether it comes back without what it had. */
  crashAt?: number
  isEmptied?: boolean
}

/** One handover; `steps` is what all members together did for it. */
export function handover (what: Handover, { seed, loss = 0, crashAt = -1, isEmptied = false }: HandoverInit): Outcome & { steps: number } {
  let from = Infinity
  let steps = 0
  const crashes: ContingencyWorldInit['crashes'] = member => {
    if (world.clock.now < from || steps++ !== crashAt) {
      return false
    }

    world.crash(member)
    world.clock.after(8 * SECOND, () => { member.start(isEmptied ? emptyDisk() : member.disk) })

    return true
  }
  const world: ContingencyWorld = new ContingencyWorld({ seed, size: 5, loss, duplicates: loss / 2, grace: 20 * SECOND, crashes })
  const ward = world.get('p0')
  world.startAll()
  ward.put('d0', 1e6)
  ward.put('d1', 1e5)
  world.run(30 * SECOND)
  const begin = (): void => { from = world.clock.now }
  happen(world, what, ward, begin)
  world.run(MINUTE)
  from = Infinity
  world.members.forEach(member => {
    if (!member.up) {
      member.start()
    }
  })

  return { ...outcome(world), steps }
}

function happen (world: ContingencyWorld, what: Handover, ward: SimKeeper, begin: () => void): void {
  const contingent = world.get(ward.core.ward.assignment?.contingents[0] as string)

  switch (what) {
    case 'a contingent leaves':
      begin()
      leave(world, contingent)
      break
    case 'a contingent leaves, and the ward is gone':
      world.crash(ward)
      world.run(10 * SECOND)
      begin()
      leave(world, contingent)
      break
    case 'a contingent crashes':
      begin()
      world.crash(contingent)
      break
    default:
      world.crash(ward)
      world.run(50 * SECOND)
      begin()
      ward.start(what === 'the ward comes back' ? ward.disk : emptyDisk())
  }
}

/** It goes as soon as it may, or when its time is over. */
function leave (world: ContingencyWorld, member: SimKeeper): void {
  member.tell({ type: 'leave' })
  const end = world.clock.now + 15 * SECOND

  while (member.up && !member.hasLeft && world.clock.now < end) {
    world.run(100)
  }

  if (member.up) {
    world.leave(member)
  }
}

/** From a crash, and from the first suspicion of a contingent, until one answers for the ward, in ms. */
export function serving (seed: number): { sinceCrash: number, sinceSuspicion: number } {
  const world = colony({ seed, size: 8 })
  const ward = world.get('p0')
  const crashedAt = world.clock.now
  let suspectedAt = Infinity
  let servedAt = Infinity

  for (const peer of ward.core.ward.assignment?.contingents ?? []) {
    const contingent = world.get(peer)
    const tell = contingent.tell.bind(contingent)
    contingent.tell = (input: ContingencyInput) => {
      suspectedAt = Math.min(suspectedAt, input.type === 'member' && input.peer === ward.peer && input.state === 'suspected' ? world.clock.now : Infinity)
      tell(input)
    }
  }

  world.onServe = (peer, on) => { servedAt = peer === ward.peer && on ? Math.min(servedAt, world.clock.now) : servedAt }
  world.crash(ward)
  world.run(10 * SECOND)

  return { sinceCrash: servedAt - crashedAt, sinceSuspicion: servedAt - suspectedAt }
}

/**
 * How many have everything of a ward that is gone for good, among them one in
 * the place of the ward itself, some time after the grace.
 */
export function wholeAgain (seed: number): number {
  const world = colony({ seed, size: 8 })
  const ward = world.get(`p${seed % 8}`)
  world.crash(ward)
  world.run(2 * world.grace)

  return Math.min(...[...ward.data.keys()].map(name => world.holders(ward.peer, name).length))
}

/** Bytes that are copied because a member was away for most of the grace. */
export function shortAbsence (seed: number): number {
  const world = colony({ seed, size: 8 })
  const member = world.get(`p${seed % 8}`)
  const before = world.bytesCopied
  world.crash(member)
  world.run(world.grace * 0.8)
  member.start()
  world.run(2 * MINUTE)

  return world.bytesCopied - before
}

/**
 * Bytes that travel when a contingent was away while something was added, and
 * then leaves; and how much of what those lacked who have it in the end.
 */
export function handoverBytes (seed: number): { moved: number, lacking: number } {
  const world = colony({ seed, size: 8 }, 10)
  const ward = world.get('p0')
  const contingent = world.get(ward.core.ward.assignment?.contingents[0] as string)
  world.crash(contingent)
  world.run(10 * SECOND)
  ward.put('d10', 1e6)
  world.run(10 * SECOND)
  const before = world.copiedOf.get('p0') ?? 0
  let lacking = missing(contingent, ward)
  contingent.start()
  world.run(20 * SECOND)
  const others = [...world.members.values()].map(member => [member, missing(member, ward)] as const)
  leave(world, contingent)
  world.run(10 * SECOND)
  lacking += others.reduce((sum, [member, bytes]) => sum + (member.up && member !== ward && missing(member, ward) === 0 ? bytes : 0), 0)

  return { moved: (world.copiedOf.get('p0') ?? 0) - before, lacking }
}

function missing (member: SimKeeper, ward: SimKeeper): number {
  return [...ward.disk.own].reduce((sum, [name, { size, gone }]) => sum + (gone || member.disk.copies.get(ward.peer)?.has(name) === true ? 0 : size), 0)
}

/** How many times the mean number of wards the busiest of equal members has. */
export function busiest (seed: number, size: number, copies: number): number {
  const world = colony({ seed, size, copies }, 1)
  const wards = [...world.members.values()].map(({ disk }) => disk.copies.size)
  const mean = wards.reduce((sum, count) => sum + count, 0) / size

  if (mean !== copies) {
    throw new Error(`Each has ${mean} contingents`)
  }

  return Math.max(...wards) / mean
}

/**
 * Two nodes have one key, and each something of its own. Who keeps it for one
 * may delete what the other had alone, as the other has it still: so what counts
 * is that both have everything in the end. Each gets half of what is sent to
 * both, so that it takes longer.
 */
export function twoWithOneKey (seed: number): Outcome & { epochs: number } {
  const world = colony({ seed, size: 6, grace: 20 * SECOND })
  const one = world.get('p0')
  const other = world.twin('p0')
  other.start(emptyDisk())
  other.put('of the other', 1e5)
  world.run(20 * SECOND)
  one.put('of the one', 1e5)
  other.put('of the other, again', 1e5)
  world.run(12 * MINUTE)
  const epoch = one.core.ward.nextEpoch
  world.run(5 * MINUTE)
  world.violations.length = 0
  const { faults, ...rest } = outcome(world, 3 * HEAL_TIME)
  const names = ['d0', 'd1', 'd2', 'of the one', 'of the other', 'of the other, again']

  for (const { data } of [one, other]) {
    faults.push(...names.filter(name => !data.has(name)).map(name => `${name} is missing`))
  }

  return { ...rest, faults, epochs: one.core.ward.nextEpoch - epoch }
}

/** A partition that lasts so long that both sides appoint: the ward on one, and its contingents on the other. */
export function bothSidesAppoint (seed: number): Outcome {
  const world = colony({ seed, size: 9, grace: 20 * SECOND })
  const ward = world.get('p0')
  const contingents = ward.core.ward.assignment?.contingents ?? []
  const others = [...world.members.keys()].filter(peer => peer !== 'p0' && !contingents.includes(peer))
  world.part(peer => contingents.includes(peer) || others.indexOf(peer) % 2 === 0 ? 1 : 0)
  world.run(MINUTE)
  ward.put('d3', 1e5)
  world.run(MINUTE)
  const takeovers = contingents.filter(peer => world.get(peer).disk.kept.get('p0')?.appointment.takeover != null).length
  world.heal()
  const { faults, ...rest } = outcome(world)

  return { ...rest, faults: [...faults, ...takeovers > 0 ? [] : ['nobody took over']] }
}

/** A ward comes back with what it had some time ago, when it had deleted one thing less, and had one thing less. */
export function oldCatalog (seed: number): Outcome {
  const world = colony({ seed, size: 6, grace: 20 * SECOND })
  const ward = world.get('p0')
  const { kept, own, copies, ward: record } = ward.disk
  const backup = { ward: record, kept: new Map(kept), own: new Map(own), copies: new Map([...copies].map(([peer, names]) => [peer, new Set(names)])) }
  ward.delete('d0')
  ward.put('d3', 1e5)
  ward.put('d1', 2e5)
  world.run(20 * SECOND)
  world.crash(ward)
  world.run(MINUTE)
  ward.start(backup)
  ward.put('d4', 1e5)
  const { faults, ...rest } = outcome(world)
  const names = [...ward.data.keys()].sort().join(' ')

  return { ...rest, faults: [...faults, ...names === 'd1 d2 d3 d4' ? [] : [`it has ${names}`]] }
}

export interface Churn {
  exits: number
  crashes: number

  /** Members whose data was on no disk any more after a crash, the ward's own and those of members that are away included. */
  lost: number

  /** Samples, once a minute, of members that are away and whose data nobody could serve, and of all that are away. */
  unserved: number
  away: number
}

/**
 * Members that stay for an exponential time of `session` on average, and then
 * leave properly or crash, half of the time each, and are back after as long
 * on average. Half of those that crash have lost their disk.
 */
export function sessions (seed: number, size: number, hours: number, session: number): Churn {
  const world = colony({ seed, size }, 1)
  const random = seededRandom(seed * 31)
  const churn: Churn = { exits: 0, crashes: 0, lost: 0, unserved: 0, away: 0 }
  const end = world.clock.now + hours * 60 * MINUTE
  const later = (run: () => void): void => { world.clock.after(-Math.log(1 - random()) * session, run) }
  const stay = (member: SimKeeper): void => { later(() => { exit(member) }) }
  const exit = (member: SimKeeper): void => {
    churn.exits++

    if (random() < 0.5) {
      churn.crashes++
      world.crash(member)
      churn.lost += random() < 0.5 ? loseDisk(world, member) : 0
      later(() => { comeBack(member) })
    } else {
      member.tell({ type: 'leave' })
      world.clock.after(10 * SECOND, () => {
        world.leave(member)
        later(() => { comeBack(member) })
      })
    }
  }
  const comeBack = (member: SimKeeper): void => {
    member.start()

    if (member.data.size === 0 && !world.acknowledged.has(member.peer)) {
      member.put('d0', 1e6)
    }

    stay(member)
  }
  world.members.forEach(stay)

  while (world.clock.now < end) {
    world.run(MINUTE)
    const away = [...world.members.values()].filter(({ up }) => !up)
    churn.away += away.length
    churn.unserved += away.filter(({ peer }) => world.holders(peer, 'd0').length === 0).length
  }

  return churn
}

/** Returns how many members' data was on that disk alone. What is lost is made anew. */
function loseDisk (world: ContingencyWorld, member: SimKeeper): number {
  const wards = [member.peer, ...member.disk.copies.keys()].filter(peer => world.acknowledged.has(peer))
  member.disk = emptyDisk()
  const lost = wards.filter(ward => !world.everybody.some(({ peer, disk }) => (peer === ward ? disk.own.has('d0') : disk.copies.get(ward)?.has('d0') === true)))
  lost.forEach(ward => world.acknowledged.delete(ward))

  return lost.length
}
