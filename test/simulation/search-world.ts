/**
 * A colony of search cores under a virtual clock: each run is decided by its
 * seed alone.
 *
 * @module
 */

import { Flood } from '../../src/search/core/flood.ts'
import { keyOf } from '../../src/search/core/messages.ts'
import { pick, randomInt, seededRandom, shuffle } from '../../src/random.ts'
import { makeHit } from '../fixtures/search-shelf.ts'
import type { FloodInput, FloodOutput } from '../../src/search/core/flood.ts'
import type { Answer, Cost, Query, WireHit } from '../../src/search/core/messages.ts'
import type { Random } from '../../src/random.ts'

export interface WorldInit {
  seed: number
  nodes: number

  /** Neighbours of each node, about. */
  degree: number

  /** Ms a message takes, from `min` to `min + spread`. */
  latency?: { min: number, spread: number }

  /** Part of the nodes that never answer. */
  silent?: number
}

/** One search, and what came of it. */
export interface Search {
  origin: number
  query: Query

  /** Numbers of the nodes whose hits came. */
  found: Set<number>
  hits: number
  cost?: Cost

  /** When it ended, in ms. */
  ended?: number
}

interface SimulatedNode {
  flood: Flood
  neighbours: Set<number>
  silent: boolean
  gone: boolean

  /** The stream behind each number the core knows. */
  askers: Map<number, Stream | Search>
  asks: Map<number, Stream>
  lastAsker: number

  /** When the timer is due; earlier ones are replaced. */
  timer: number
}

/** A stream carries one query from `from` to `to`, in order both ways. */
interface Stream {
  from: number
  ask: number
  to: number
  asker?: number

  /** When the last message each way arrives, since none overtakes another. */
  there: number
  back: number
  closed: boolean
}

interface Step {
  at: number
  order: number
  run (): void
}

export class World {
  readonly nodes: SimulatedNode[]
  readonly random: Random
  now = 0

  /** Queries that were sent from one node to another. */
  sent = 0

  /** How often each node looked a query up, by node and query id. */
  readonly lookups = new Map<string, number>()

  /** Hops with which each node has passed a query on, by node and query id. */
  readonly passed = new Map<string, number[]>()

  /** A number that any difference between two runs changes. */
  trace = 0

  readonly #latency: { min: number, spread: number }
  #steps: Step[] = []
  #order = 0
  #ids = 0

  constructor ({ seed, nodes, degree, latency = { min: 10, spread: 90 }, silent = 0 }: WorldInit) {
    this.random = seededRandom(seed)
    this.#latency = latency
    this.nodes = Array.from({ length: nodes }, (_, i) => ({
      flood: new Flood(makeHit('', i).holder),
      neighbours: new Set(),
      silent: this.random() < silent,
      gone: false,
      askers: new Map(),
      asks: new Map(),
      lastAsker: 0,
      timer: Infinity
    }))
    this.#connectAll(degree)
  }

  /** A ring keeps everybody together, and chords make the degree. */
  #connectAll (degree: number): void {
    const order = shuffle(this.random, this.nodes.map((_, i) => i))
    order.forEach((node, i) => { this.connect(node, order[(i + 1) % order.length]) })

    for (let i = 0; i < this.nodes.length * (degree - 2) / 2; i++) {
      this.connect(randomInt(this.random, this.nodes.length), randomInt(this.random, this.nodes.length))
    }
  }

  connect (a: number, b: number): void {
    if (a !== b && !this.nodes[a].neighbours.has(b)) {
      for (const [one, other] of [[a, b], [b, a]]) {
        this.nodes[one].neighbours.add(other)
        this.tell(one, { type: 'neighbour', peer: String(other) })
      }
    }
  }

  /** A node stops, and those it was connected with notice at once. */
  leave (gone: number): void {
    const node = this.nodes[gone]
    node.gone = true

    for (const other of node.neighbours) {
      this.nodes[other].neighbours.delete(gone)
      this.tell(other, { type: 'gone', peer: String(gone) })
    }

    node.neighbours.clear()
  }

  /** Begins a search. */
  search (origin: number, rest: Partial<Query> = {}): Search {
    const id = new Uint8Array(16)
    new DataView(id.buffer).setUint32(0, ++this.#ids)
    const query: Query = { type: 'query', id, text: 'owls', hops: 3, limit: 1_000, timeout: 10_000, filter: {}, asked: new Uint8Array(), ...rest }
    const search: Search = { origin, query, found: new Set(), hits: 0 }
    const asker = ++this.nodes[origin].lastAsker
    this.nodes[origin].askers.set(asker, search)
    this.tell(origin, { type: 'query', asker, query })

    return search
  }

  /** The user does not want the rest. */
  withdraw (search: Search): void {
    for (const [asker, found] of this.nodes[search.origin].askers) {
      if (found === search) {
        this.nodes[search.origin].askers.delete(asker)
        this.tell(search.origin, { type: 'withdraw', asker })
      }
    }
  }

  /** Runs until nothing is left to happen, or until a time. */
  run (until = Infinity): void {
    while (this.#steps.length > 0 && this.#steps[0].at <= until) {
      const { at, run } = this.#pop()
      this.now = at
      run()
    }

    this.now = Math.max(this.now, until === Infinity ? 0 : until)
  }

  /** Nodes within so many hops of a node, that answer; those that do not, pass nothing on either. */
  ball (origin: number, hops: number): Set<number> {
    const inside = new Set([origin])
    let rim = [origin]

    for (let hop = 0; hop < hops; hop++) {
      rim = rim.flatMap(node => [...this.nodes[node].neighbours]).filter(node => !inside.has(node) && !this.nodes[node].silent)
      rim.forEach(node => { inside.add(node) })
      rim = [...new Set(rim)]
    }

    return inside
  }

  tell (to: number, input: FloodInput): void {
    const node = this.nodes[to]

    if (node.gone) {
      return
    }

    this.#note(to, input.type)

    for (const output of node.flood.handle(input, this.now)) {
      this.#carryOut(to, output)
    }
  }

  #carryOut (at: number, output: FloodOutput): void {
    const node = this.nodes[at]
    this.#note(at, output.type)

    switch (output.type) {
      case 'ask':
        this.#ask(at, output.ask, Number(output.to), output.query)
        break
      case 'drop':
        this.#close(node.asks.get(output.ask))
        break
      case 'lookup':
        this.#count(at, output.query)
        this.#after(1, () => { this.tell(at, { type: 'found', asker: output.asker, hits: [this.#hitOf(at)] }) })
        break
      case 'answer':
        this.#answer(at, output.asker, output.answer)
        break
      case 'timer': {
        const due = node.timer = this.now + output.after
        this.#after(output.after, () => {
          if (node.timer === due) {
            this.tell(at, { type: 'timer', id: output.id })
          }
        })
      }
    }
  }

  #hitOf (node: number): WireHit {
    return makeHit('owls.txt', node)
  }

  #count (node: number, { id }: Query): void {
    const key = `${node}/${keyOf(id)}`
    this.lookups.set(key, (this.lookups.get(key) ?? 0) + 1)
  }

  #ask (from: number, ask: number, to: number, query: Query): void {
    const stream: Stream = { from, ask, to, there: this.now, back: this.now, closed: false }
    const key = `${from}/${to}/${keyOf(query.id)}`
    this.passed.set(key, [...this.passed.get(key) ?? [], query.hops])
    this.nodes[from].asks.set(ask, stream)
    this.sent++
    this.#there(stream, () => {
      const node = this.nodes[to]

      if (node.gone) {
        this.#close(stream)
        this.tell(from, { type: 'failed', ask })
      } else if (!node.silent && !stream.closed) {
        stream.asker = ++node.lastAsker
        node.askers.set(stream.asker, stream)
        this.tell(to, { type: 'query', asker: stream.asker, from: String(from), query })
      }
    })
  }

  /** The asker breaks a stream off, and the other side hears of it later. */
  #close (stream?: Stream): void {
    if (stream == null || stream.closed) {
      return
    }

    stream.closed = true
    this.nodes[stream.from].asks.delete(stream.ask)
    this.#there(stream, () => {
      if (stream.asker != null && this.nodes[stream.to].askers.delete(stream.asker)) {
        this.tell(stream.to, { type: 'withdraw', asker: stream.asker })
      }
    })
  }

  #answer (from: number, asker: number, answer: Answer): void {
    const target = this.nodes[from].askers.get(asker)

    if (answer.type === 'done') {
      this.nodes[from].askers.delete(asker)
    }

    if (target == null) {
      return
    }

    if ('origin' in target) {
      this.#take(target, answer)

      return
    }

    target.back = Math.max(target.back, this.now + this.#delay())
    this.#at(target.back, () => {
      if (!target.closed && !this.nodes[from].gone) {
        if (answer.type === 'done') {
          this.nodes[target.from].asks.delete(target.ask)
        }

        this.tell(target.from, { type: 'answer', ask: target.ask, answer })
      }
    })
  }

  #take (search: Search, answer: Answer): void {
    if (answer.type === 'done') {
      const { type: _, ...cost } = answer
      search.cost = cost
      search.ended = this.now
    } else {
      search.hits += answer.hits.length
      answer.hits.forEach(({ holder }) => { search.found.add(holder[2] << 8 | holder[3]) })
    }
  }

  #there (stream: Stream, run: () => void): void {
    stream.there = Math.max(stream.there, this.now + this.#delay())
    this.#at(stream.there, run)
  }

  #delay (): number {
    return this.#latency.min + randomInt(this.random, this.#latency.spread + 1)
  }

  #after (ms: number, run: () => void): void {
    this.#at(this.now + ms, run)
  }

  /** A heap would be quicker; the array is short enough. */
  #at (at: number, run: () => void): void {
    const step = { at, order: this.#order++, run }
    let low = 0
    let high = this.#steps.length

    while (low < high) {
      const middle = (low + high) >> 1

      if (this.#steps[middle].at <= at) {
        low = middle + 1
      } else {
        high = middle
      }
    }

    this.#steps.splice(low, 0, step)
  }

  #pop (): Step {
    return this.#steps.shift() as Step
  }

  #note (node: number, what: string): void {
    let hash = this.trace

    for (const character of `${this.now}/${node}/${what}`) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0
    }

    this.trace = hash
  }
}

/** Some nodes of a world, each once. */
export function pickNodes (world: World, count: number): number[] {
  return shuffle(world.random, world.nodes.map((_, i) => i)).slice(0, count)
}

/** One node of a world. */
export function pickNode (world: World): number {
  return pick(world.random, world.nodes.map((_, i) => i)) ?? 0
}
