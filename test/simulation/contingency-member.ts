/**
 * One member of a simulated colony: the real rules, a disk that outlives it,
 * and copies that travel.
 *
 * @module
 */

import { ContingencyCore } from '../../src/contingency/core/contingency.ts'
import type { PeerKey } from '../../src/core.ts'
import type { Assignment } from '../../src/contingency/core/messages.ts'
import type { ContingencyEvent, ContingencyInput, ContingencyOutput, KeptRecord, WardRecord } from '../../src/contingency/core/outbox.ts'
import type { ContingencyWorld } from './contingency-world.ts'

/** A datum of a ward: what it is called, its bytes, and the epoch of its last change. */
export interface Datum {
  size: number
  version: number
  gone: boolean
}

/** What a disk holds. */
export interface Disk {
  ward?: WardRecord
  kept: Map<PeerKey, KeptRecord>

  /** What the member has itself, by name. */
  own: Map<string, Datum>

  /** What it keeps for others: names by ward. */
  copies: Map<PeerKey, Set<string>>
}

export function emptyDisk (): Disk {
  return { kept: new Map(), own: new Map(), copies: new Map() }
}

export class SimKeeper {
  readonly peer: PeerKey

  /** How good a contingent it is. */
  readonly weight: number
  up = false
  disk = emptyDisk()
  core!: ContingencyCore
  side = 0

  /** How far its clocks are ahead of the world's, in ms. */
  skew = 0

  /** Counts its lives, so that what was planned in an earlier one does not happen. */
  life = 0
  readonly serving = new Set<PeerKey>()
  readonly events: ContingencyEvent[] = []
  hasLeft = false
  readonly #timers = new Map<string, number>()
  readonly #fetches = new Map<PeerKey, number>()
  readonly #world: ContingencyWorld
  #leaving = false
  #busy = false
  readonly #inputs: ContingencyInput[] = []

  constructor (world: ContingencyWorld, peer: PeerKey, weight: number) {
    this.#world = world
    this.peer = peer
    this.weight = weight
  }

  start (disk = this.disk): void {
    const world = this.#world
    this.life++
    this.up = true
    this.hasLeft = false
    this.#leaving = false
    this.disk = disk
    this.#sweep()
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
      wallClock: () => world.clock.now + this.skew,
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

  /** Its clocks go ahead all at once, as after standby, and its timers with them. */
  jump (ms: number): void {
    this.skew += ms
    const timers = [...this.#timers.keys()]
    timers.forEach(id => { this.tell({ type: 'timer', id }) })
  }

  /** What it has itself, by name: versions of what is not deleted. */
  get data (): Map<string, number> {
    return new Map([...this.disk.own].filter(([, { gone }]) => !gone).map(([name, { version }]) => [name, version]))
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
      for (const output of this.core.handle(next, this.#world.clock.now + this.skew)) {
        this.#carryOut(output)

        if (this.#world.crashesAfter(this, output)) {
          break
        }
      }

      this.#leaving ||= next.type === 'leave'
      this.hasLeft ||= this.#leaving && this.core.keeper.unfinished.length === 0
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
      case 'tidy': world.onDelete(this, output.ward, () => { this.#keepOnly(output.ward, [output.root, output.before]) }); break
      case 'drop':
        this.#fetches.set(output.ward, (this.#fetches.get(output.ward) ?? 0) + 1)
        world.onDelete(this, output.ward, () => { disk.copies.delete(output.ward) })
        break
      case 'save-ward': disk.ward = output.record; break
      case 'save':
        world.onSave(this, output.ward, output.record)
        disk.kept.set(output.ward, output.record)
        break
      case 'forget': disk.kept.delete(output.ward); break
      case 'serve':
        this.serving[output.on ? 'add' : 'delete'](output.ward)
        world.onServe?.(output.ward, output.on)
        break
    }
  }

  /** Deletes what a crash left behind, unless it may be part of something that is not complete yet. */
  #sweep (): void {
    const { kept, copies } = this.disk
    const isComplete = [...kept.values()].every(({ appointment, held }) => held?.root === appointment.assignment.root)

    for (const ward of isComplete ? copies.keys() : []) {
      this.#world.onDelete(this, ward, () => { this.#keepOnly(ward, [kept.get(ward)?.held?.root, kept.get(ward)?.before?.root]) })
    }
  }

  /** Deletes what is in none of these snapshots. */
  #keepOnly (ward: PeerKey, roots: Array<string | undefined>): void {
    const wanted = roots.flatMap(root => this.#world.roots.get(root ?? '') ?? [])
    const copies = this.disk.copies.get(ward)
    copies?.forEach(name => {
      if (!wanted.some(items => items.get(name)?.gone === false)) {
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

/** A signature: here nobody forges one. */
export const SIGNED = new Uint8Array(1)

function sizeOf (items: Map<string, Datum>): number {
  return [...items.values()].reduce((sum, { size, gone }) => sum + (gone ? 0 : size), 0)
}
