/**
 * Members that come in through one that is killed a moment later.
 *
 * @module
 */

import { isWhole } from './membership-scenarios.ts'
import { World } from './membership-world.ts'
import type { SimMember } from './membership-world.ts'

/** How long to wait until all know, in ms. */
const PATIENCE = 60_000

/** From when on a newcomer takes itself to be in. */
export type IsIn = (newcomer: SimMember, door: SimMember) => boolean

/** As `Entrance` has it: the member that was dialled is known, and both have what the other knew. */
export const isIn: IsIn = ({ core }, door) => core.members.get(door.peer) != null && !core.introductions.has(door.peer)

/** A colony, and how many come in at about the same time. */
export interface EnterInit {
  seed: number
  size: number

  /** @default 1 */
  newcomers?: number
}

/**
 * Ms from when the door is killed, which happens up to 500 ms after the last of
 * them came in through it, until all others know each other; `Infinity` if that
 * takes more than a minute.
 */
export function enter ({ seed, size, newcomers = 1 }: EnterInit, isInNow = isIn): number {
  const world = new World({ seed, size, streams: true })
  world.startAll()
  world.run(10_000)
  const [door] = world.list
  const coming = Array.from({ length: newcomers }, () => world.add())
  coming.forEach(newcomer => {
    newcomer.start()
    world.clock.after(100 * world.random(), () => { world.link(newcomer, door.peer) })
  })
  world.run(PATIENCE, () => coming.some(newcomer => !isInNow(newcomer, door)))
  // half of them at once: what can go wrong goes wrong then
  world.run(500 * Math.max(0, 2 * world.random() - 1))
  world.crash(door, 'closed')
  const start = world.clock.now

  return world.run(PATIENCE, () => !isWhole(world)) ? world.clock.now - start : Infinity
}
