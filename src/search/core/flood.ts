/**
 * Flooding with a hop budget: how a query spreads, and how its answers find
 * the way back.
 *
 * Whoever is to be answered is an *asker*, known by a number the driver gives:
 * a neighbour's stream with a query on it, or a user of this node. What this
 * node asks of a neighbour is an *ask*, known by a number given here.
 *
 * A query that is new here, or has more hops left than when it came before,
 * goes on to all neighbours but those known to have it, and is looked up here.
 * Hits go to the asker as they come, each once, at most as many as it wants.
 * It is over when everybody has answered, when there are enough hits, when its
 * time is up, or when the asker withdraws; what is still being asked is then
 * dropped, and so on all the way down.
 *
 * @module
 */

import { DUPLICATE_PRICE, HOP_MARGIN_RATIO, MAX_ACTIVE, MAX_ACTIVE_PER_NEIGHBOUR, MAX_HOP_MARGIN, MIN_TIMEOUT } from '../constants.ts'
import { decodeMarks, encodeMarks, markOf } from './asked.ts'
import { Budgets } from './budget.ts'
import { keyOf } from './messages.ts'
import { Seen } from './seen.ts'
import { addCost, addUnanswered, inParts, isComplete, makeTask, NO_COST, takeFresh } from './task.ts'
import type { Answer, Cost, Query, WireHit } from './messages.ts'
import type { Task } from './task.ts'
import type { Core, PeerKey } from '../../core.ts'

/** What the driver tells. */
export type FloodInput =
  | { type: 'neighbour', peer: PeerKey }
  | { type: 'gone', peer: PeerKey }
  /** A query came; without `from`, it is one of this node's own. */
  | { type: 'query', asker: number, from?: PeerKey, query: Query }
  /** The asker does not want an answer any more. */
  | { type: 'withdraw', asker: number }
  /** What a `lookup` found, best first. */
  | { type: 'found', asker: number, hits: WireHit[] }
  | { type: 'answer', ask: number, answer: Answer }
  /** The stream of an ask broke, or never came about. */
  | { type: 'failed', ask: number }
  | { type: 'timer', id: string }

/** What the driver is to do. */
export type FloodOutput =
  | { type: 'ask', ask: number, to: PeerKey, query: Query }
  /** End an ask that nobody waits for; with a `fault`, because the neighbour broke the rules. */
  | { type: 'drop', ask: number, fault?: string }
  /** Look into the index, once what is to be sent is on its way. */
  | { type: 'lookup', asker: number, query: Query }
  | { type: 'answer', asker: number, answer: Answer }
  /** What a query of this node has cost up to now. */
  | { type: 'cost', asker: number, cost: Cost }
  | { type: 'timer', id: string, after: number }

/** Something we asked. */
interface Ask {
  task: Task
  to: PeerKey

  /** Hits that came back. */
  hits: number
}

const DEADLINE = 'deadline'

/** The rules of search for one node. */
export class Flood implements Core<FloodInput, FloodOutput> {
  readonly #neighbours = new Set<PeerKey>()
  readonly #seen = new Seen()
  readonly #budgets = new Budgets()
  readonly #tasks = new Map<number, Task>()
  readonly #asks = new Map<number, Ask>()

  /** Queries being answered, by the neighbour they came from. */
  readonly #active = new Map<PeerKey, number>()
  readonly #self: string
  #lastAsk = 0

  /** When the timer is due, in ms. */
  #due = Infinity

  /** @param self - the PeerId of this node, as the bytes of its multihash: nobody knows better what it holds */
  constructor (self: Uint8Array) {
    this.#self = keyOf(self)
  }

  /** Queries being answered, asks without an answer, and query ids remembered. */
  get sizes (): { tasks: number, asks: number, seen: number } {
    return { tasks: this.#tasks.size, asks: this.#asks.size, seen: this.#seen.size }
  }

  handle (input: FloodInput, now: number): FloodOutput[] {
    switch (input.type) {
      case 'neighbour':
        this.#neighbours.add(input.peer)

        return []
      case 'gone': return this.#onGone(input.peer)
      case 'query': return this.#onQuery(input.asker, input.from, input.query, now)
      case 'withdraw': return this.#onWithdraw(input.asker, now)
      case 'found': return this.#onFound(input.asker, input.hits)
      case 'answer': return this.#onAnswer(input.ask, input.answer)
      case 'failed': return this.#onFailed(input.ask)
      case 'timer': return this.#onTimer(now)
    }
  }

  #onQuery (asker: number, from: PeerKey | undefined, query: Query, now: number): FloodOutput[] {
    const id = keyOf(query.id)
    const before = this.#seen.get(id, now)
    const isNew = before == null || before.hops < query.hops

    if (from != null && !(this.#budgets.take(from, isNew ? 1 : DUPLICATE_PRICE, now) && (!isNew || this.#hasRoom(from)))) {
      return [done(asker, { ...NO_COST, unanswered: 1 })]
    }

    if (!isNew) {
      return [done(asker, NO_COST)]
    }

    const sighting = this.#seen.note(id, query.hops, now)
    const looking = !sighting.answered
    sighting.answered = true
    const task = makeTask({ asker, from, query, looking }, now)
    this.#begin(task)

    return [
      ...this.#passOn(task),
      ...looking ? [{ type: 'lookup' as const, asker, query }] : [],
      ...this.#arm(task.deadline, now),
      ...this.#settle(task)
    ]
  }

  #passOn (task: Task): FloodOutput[] {
    const { id, hops } = task.query
    const timeout = Math.floor(task.query.timeout - Math.min(MAX_HOP_MARGIN, task.query.timeout * HOP_MARGIN_RATIO))

    if (hops === 0 || timeout < MIN_TIMEOUT) {
      return []
    }

    // what was asked already has the query with as many hops as it would get from here
    const asked = decodeMarks(task.query.asked)
    const others = [...this.#neighbours].filter(peer => peer !== task.from && !asked.has(markOf(peer, id)))
    const known = [...others, ...task.from == null ? [] : [task.from]].map(peer => markOf(peer, id))
    const query = { ...task.query, hops: hops - 1, timeout, asked: encodeMarks([...known, ...asked]) }

    return others.map(to => {
      const ask = ++this.#lastAsk
      this.#asks.set(ask, { task, to, hits: 0 })
      task.asks.add(ask)
      task.cost.messages++
      task.cost.hops = 1

      return { type: 'ask', ask, to, query }
    })
  }

  #onFound (asker: number, hits: WireHit[]): FloodOutput[] {
    const task = this.#tasks.get(asker)

    if (task?.looking !== true) {
      return []
    }

    task.looking = false
    task.cost.members++
    const early = task.early.splice(0)

    return [...this.#give(task, hits), ...this.#give(task, early), ...this.#settle(task)]
  }

  #onAnswer (id: number, answer: Answer): FloodOutput[] {
    const ask = this.#asks.get(id)

    if (ask == null) {
      return []
    }

    if (answer.type === 'done') {
      addCost(ask.task, answer)

      return this.#endAsk(id, ask)
    }

    const { task } = ask
    const hits = answer.hits.filter(({ holder }) => keyOf(holder) !== this.#self)
    // an empty message counts as well, or there could be any number of them
    ask.hits += Math.max(1, answer.hits.length)

    if (ask.hits > task.query.limit) {
      addUnanswered(task, 1)

      return [{ type: 'drop', ask: id, fault: 'It gave more hits than it was asked for' }, ...this.#endAsk(id, ask)]
    }

    if (task.from == null && task.looking) {
      task.early.push(...hits)

      return []
    }

    return [...this.#give(task, hits), ...this.#settle(task)]
  }

  #onFailed (id: number): FloodOutput[] {
    const ask = this.#asks.get(id)

    if (ask == null) {
      return []
    }

    addUnanswered(ask.task, 1)

    return this.#endAsk(id, ask)
  }

  #endAsk (id: number, { task }: Ask): FloodOutput[] {
    this.#asks.delete(id)
    task.asks.delete(id)
    const end = this.#settle(task)

    // a user sees what it costs meanwhile; the end tells it anyway
    return end.length > 0 || task.from != null ? end : [{ type: 'cost', asker: task.asker, cost: { ...task.cost } }]
  }

  #onWithdraw (asker: number, now: number): FloodOutput[] {
    const task = this.#tasks.get(asker)

    if (task == null) {
      return []
    }

    const sighting = this.#seen.get(keyOf(task.query.id), now)

    if (task.looking && sighting != null) {
      sighting.answered = false
    }

    return this.#end(task)
  }

  #onGone (peer: PeerKey): FloodOutput[] {
    this.#neighbours.delete(peer)
    const lost = [...this.#asks].filter(([, { to }]) => to === peer)
    const unwanted = [...this.#tasks.values()].filter(({ from }) => from === peer)

    // it may still be connected, and only not speak the protocol any more: what is open is ended
    return [
      ...unwanted.flatMap(task => this.#finish(task)),
      ...lost.flatMap(([ask]) => [{ type: 'drop' as const, ask }, ...this.#onFailed(ask)])
    ]
  }

  #onTimer (now: number): FloodOutput[] {
    this.#due = Infinity
    const late = [...this.#tasks.values()].filter(({ deadline }) => deadline <= now)
    const outputs = late.flatMap(task => {
      addUnanswered(task, task.asks.size)

      return this.#finish(task)
    })
    const next = [...this.#tasks.values()].reduce((min, { deadline }) => Math.min(min, deadline), Infinity)

    return [...outputs, ...next === Infinity ? [] : this.#arm(next, now)]
  }

  /** One timer for all: that of the query whose time is up first. */
  #arm (deadline: number, now: number): FloodOutput[] {
    if (deadline >= this.#due) {
      return []
    }

    this.#due = deadline

    return [{ type: 'timer', id: DEADLINE, after: Math.max(0, deadline - now) }]
  }

  #give (task: Task, hits: WireHit[]): FloodOutput[] {
    const { asker } = task

    return inParts(takeFresh(task, hits)).map(hits => ({ type: 'answer', asker, answer: { type: 'hits', hits } }))
  }

  /** Ends a task that has nothing to wait for. */
  #settle (task: Task): FloodOutput[] {
    return isComplete(task) && this.#tasks.has(task.asker) ? this.#finish(task) : []
  }

  #finish (task: Task): FloodOutput[] {
    const { asker, cost, early } = task

    return [...this.#give(task, early), done(asker, cost), ...this.#end(task)]
  }

  #begin (task: Task): void {
    this.#tasks.set(task.asker, task)

    if (task.from != null) {
      this.#active.set(task.from, (this.#active.get(task.from) ?? 0) + 1)
    }
  }

  #end (task: Task): FloodOutput[] {
    const asks = [...task.asks]
    asks.forEach(ask => { this.#asks.delete(ask) })
    task.asks.clear()

    if (this.#tasks.delete(task.asker) && task.from != null) {
      const left = (this.#active.get(task.from) ?? 1) - 1

      if (left === 0) {
        this.#active.delete(task.from)
      } else {
        this.#active.set(task.from, left)
      }
    }

    return asks.map(ask => ({ type: 'drop', ask }))
  }

  #hasRoom (from: PeerKey): boolean {
    return this.#tasks.size < MAX_ACTIVE && (this.#active.get(from) ?? 0) < MAX_ACTIVE_PER_NEIGHBOUR
  }
}

function done (asker: number, cost: Cost): FloodOutput {
  return { type: 'answer', asker, answer: { type: 'done', ...cost } }
}
