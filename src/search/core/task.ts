/**
 * A query that is being answered: what its asker has, and what it has cost.
 *
 * @module
 */

import { MAX_COST, MAX_HITS_PER_MESSAGE } from '../constants.ts'
import { hitKey } from './messages.ts'
import type { Cost, Query, WireHit } from './messages.ts'
import type { PeerKey } from '../../core.ts'

/** A query that is being answered. */
export interface Task {
  asker: number
  from?: PeerKey
  query: Query

  /** When its time is up, in ms. */
  deadline: number

  /** The index is being looked into. */
  looking: boolean

  /** Hits of others that came before our own, which a user gets first. */
  early: WireHit[]

  /** What was not answered yet. */
  asks: Set<number>

  /** Hits the asker has. */
  given: Set<string>
  cost: Cost
}

/** What nothing costs. */
export const NO_COST: Readonly<Cost> = { messages: 0, members: 0, hops: 0, unanswered: 0 }

/** Begins a task at `now`, in ms. */
export function makeTask (init: Pick<Task, 'asker' | 'from' | 'query' | 'looking'>, now: number): Task {
  return { ...init, deadline: now + init.query.timeout, early: [], asks: new Set(), given: new Set(), cost: { ...NO_COST } }
}

/** There is nothing to wait for any more. */
export function isComplete ({ given, query, looking, asks }: Task): boolean {
  return given.size >= query.limit || (!looking && asks.size === 0)
}

/** Hits that the asker does not have, up to the number it wants; it has them then. */
export function takeFresh ({ given, query }: Task, hits: WireHit[]): WireHit[] {
  const fresh: WireHit[] = []

  for (const hit of hits) {
    const key = hitKey(hit)

    if (given.size < query.limit && !given.has(key)) {
      given.add(key)
      fresh.push(hit)
    }
  }

  return fresh
}

/** What a neighbour says is its own claim, so it is kept within what can be. */
export function addCost ({ cost, query }: Task, of: Cost): void {
  cost.messages = Math.min(MAX_COST, cost.messages + of.messages)
  cost.members = Math.min(MAX_COST, cost.members + of.members)
  cost.unanswered = Math.min(MAX_COST, cost.unanswered + of.unanswered)
  cost.hops = Math.min(query.hops, Math.max(cost.hops, of.hops + 1))
}

/** Counts asks that got no answer. */
export function addUnanswered ({ cost }: Task, count: number): void {
  cost.unanswered = Math.min(MAX_COST, cost.unanswered + count)
}

/** Hits as messages can carry them. */
export function inParts (hits: WireHit[]): WireHit[][] {
  return Array.from({ length: Math.ceil(hits.length / MAX_HITS_PER_MESSAGE) }, (_, i) => hits.slice(i * MAX_HITS_PER_MESSAGE, (i + 1) * MAX_HITS_PER_MESSAGE))
}
