/**
 * Keeps a text index the same as some sources of entries, and looks queries up
 * in it, one at a time, between whatever else the node has to do.
 *
 * @module
 */

import { nameFault } from '../content/names.ts'
import { INDEX_SLICE } from './constants.ts'
import { TextIndex } from './text-index.ts'
import type { Query } from './core/messages.ts'
import type { SearchSource } from './index.ts'
import type { Match } from './text-index.ts'
import type { Entry } from '../content/entry.ts'

/** A query that waits for its turn. */
interface Lookup {
  query: Query

  /** Takes what was found; not called after `close`. */
  found (matches: Match[]): void

  /** Nobody waits for it any more. */
  isOver (): boolean
}

/** Gives way to what has arrived meanwhile; browsers have no `setImmediate`. */
const nextTurn: (then: () => void) => unknown = typeof setImmediate === 'function' ? setImmediate : then => setTimeout(then, 0)

/** What a node shares, and keeps for others, to be searched. */
export class LocalIndex {
  readonly #index = new TextIndex()
  readonly #sources: SearchSource[]
  readonly #waiting: Lookup[] = []
  #ready = false
  #busy = false
  #closed = false

  /** Begins to index all entries of the sources, and follows what happens to them. */
  constructor (sources: SearchSource[] = []) {
    this.#sources = sources
    // listening begins first, so that nothing is missed between
    sources.forEach(source => {
      source.addEventListener('entry:added', this.#onAdded)
      source.addEventListener('entry:removed', this.#onRemoved)
    })
    this.#fill(entriesOf(sources))
  }

  /** Entries that can be found. */
  get size (): number {
    return this.#index.size
  }

  /** Looks up when it is its turn, and everything is indexed; `urgent` goes before what others ask. */
  lookUp (lookup: Lookup, urgent: boolean): void {
    if (urgent) {
      this.#waiting.unshift(lookup)
    } else {
      this.#waiting.push(lookup)
    }

    this.#next()
  }

  /** Ends everything; what waits is forgotten. */
  close (): void {
    this.#closed = true
    this.#waiting.length = 0
    this.#sources.forEach(source => {
      source.removeEventListener('entry:added', this.#onAdded)
      source.removeEventListener('entry:removed', this.#onRemoved)
    })
  }

  readonly #onAdded = ({ detail }: CustomEvent<Entry>): void => { this.#add(detail) }
  readonly #onRemoved = ({ detail }: CustomEvent<Entry>): void => { this.#index.remove(detail) }

  /** A name that others refuse would cost us the stream it is sent on. */
  #add (entry: Entry): void {
    if (nameFault(entry.name) == null) {
      this.#index.add(entry)
    }
  }

  #fill (entries: Iterator<Entry>): void {
    for (let i = 0; i < INDEX_SLICE && !this.#closed; i++) {
      const next = entries.next()

      if (next.done === true) {
        this.#ready = true
        this.#next()

        return
      }

      this.#add(next.value)
    }

    if (!this.#closed) {
      nextTurn(() => { this.#fill(entries) })
    }
  }

  #next (): void {
    if (this.#busy || !this.#ready || this.#waiting.length === 0) {
      return
    }

    this.#busy = true
    nextTurn(() => {
      this.#busy = false
      const lookup = this.#waiting.shift()

      if (lookup?.isOver() === false) {
        const { text, filter, limit } = lookup.query
        lookup.found(this.#index.search(text, filter, limit))
      }

      this.#next()
    })
  }
}

function * entriesOf (sources: SearchSource[]): Generator<Entry> {
  for (const source of sources) {
    yield * source.entries()
  }
}
