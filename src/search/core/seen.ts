/**
 * Which queries came by, so that none goes in circles.
 *
 * @module
 */

import { SEEN_COUNT, SEEN_TIME } from '../constants.ts'

/** What is remembered of a query. */
export interface Sighting {
  /** Most hops it had left. */
  hops: number

  /** It was looked up here, and the answer is on its way. */
  answered: boolean

  /** When it came, in ms. */
  at: number
}

/** Remembers queries by their id, a bounded number for a bounded time; the oldest go first. */
export class Seen {
  readonly #sightings = new Map<string, Sighting>()

  get size (): number {
    return this.#sightings.size
  }

  get (id: string, now: number): Sighting | undefined {
    const sighting = this.#sightings.get(id)

    return sighting == null || sighting.at + SEEN_TIME < now ? undefined : sighting
  }

  /** Notes a query, or that it came with more hops. */
  note (id: string, hops: number, now: number): Sighting {
    const sighting = { hops, answered: this.get(id, now)?.answered === true, at: now }
    this.#sightings.delete(id)
    this.#sightings.set(id, sighting)

    for (const [oldest, { at }] of this.#sightings) {
      if (at + SEEN_TIME >= now && this.#sightings.size <= SEEN_COUNT) {
        break
      }

      this.#sightings.delete(oldest)
    }

    return sighting
  }
}
