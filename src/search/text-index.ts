/**
 * The index of what this node shares: finds entries by words of their name and
 * path, by their whole name, and by their CID, the best ones first.
 *
 * @module
 */

import { makeFilter } from './core/filter.ts'
import { understand } from './core/query.ts'
import { foldName, wordsOf, wordsOfName } from './core/words.ts'
import { Dictionary, NAME } from './dictionary.ts'
import type { SearchFilter } from './core/filter.ts'
import type { Wanted } from './core/query.ts'
import type { KeptEntry } from './index.ts'
import type { Entry } from '../content/entry.ts'
import type { CID } from 'multiformats/cid'

/** An entry that fits, and how well; see {@link TextIndex.search} for the score. */
export interface Match {
  entry: Entry
  score: number
}

/** Ranks are sorted as one number, `(fit * FRACTIONS + part of the name) * SLOTS + slot`. */
const FRACTIONS = 1024
const SLOTS = 2 ** 32

/** Words of an entry that can be found; only a path of very many folders has more. */
const MAX_WORDS = 128

/** Finds entries by words of their name and path, by name, and by CID. */
export class TextIndex {
  readonly #words = new Dictionary()
  readonly #slots = new Map<Entry, number>()
  readonly #byCid = new Map<string, Set<Entry> | Entry>()

  /** By slot; a slot that is free has none. */
  readonly #entries: Array<Entry | undefined> = []
  readonly #wordCounts: number[] = []

  /** Of folded names. Words do not do to find a whole name: where they are cut depends on its case. */
  readonly #nameHashes: number[] = []
  readonly #free: number[] = []

  /** Entries that can be found. */
  get size (): number {
    return this.#slots.size
  }

  /** Different words there are. */
  get words (): number {
    return this.#words.size
  }

  /** Adds an entry, which is known by its identity; adding it again changes nothing. */
  add (entry: Entry): void {
    if (this.#slots.has(entry)) {
      return
    }

    const slot = this.#free.pop() ?? this.#entries.length
    this.#entries[slot] = entry
    this.#wordCounts[slot] = wordsOf(entry.name).size
    this.#nameHashes[slot] = hashOf(foldName(entry.name))
    this.#slots.set(entry, slot)
    this.#addCid(entry)

    for (const [word, inName] of wordsOfEntry(entry)) {
      this.#words.add(word, slot, inName)
    }
  }

  /** Removes an entry; `false` if it is not here. */
  remove (entry: Entry): boolean {
    const slot = this.#slots.get(entry)

    if (slot == null) {
      return false
    }

    for (const [word, inName] of wordsOfEntry(entry)) {
      this.#words.remove(word, slot, inName)
    }

    this.#removeCid(entry)
    this.#slots.delete(entry)
    this.#entries[slot] = undefined
    this.#free.push(slot)

    return true
  }

  /**
   * The best entries for a query, best first, at most `limit`.
   *
   * All words must match. The score is 7 if the query is the name, or a CID;
   * otherwise that of the word that fits worst: 5 if the word is the same, 3
   * if it is the beginning of one, 1 if it is one with a typo, and 1 more if
   * that is so in the name and not only in the path. A fraction below 1 tells
   * how much of the name was asked for. It depends on nothing but the query
   * and the entry, so that scores of several nodes can be compared.
   *
   * What is kept for somebody else is left out where an entry of the node's
   * own has the same content and fits as well.
   */
  search (query: string, filter: SearchFilter, limit: number): Match[] {
    const wanted = understand(query)
    const passes = makeFilter(filter)

    if (wanted.type === 'words') {
      return this.#byWords(wanted, passes, limit)
    }

    const found = wanted.type === 'cid' ? this.#withCid(wanted.cid) : this.#withName(wanted.name)
    const fits = (entry: Entry): boolean => passes(entry) && (wanted.type === 'cid' || foldName(entry.name) === wanted.name)
    const matches: Match[] = []

    for (const entry of found) {
      if (matches.length === limit) {
        break
      }

      if (passes(entry) && !this.#isCovered(entry, fits)) {
        matches.push({ entry, score: NAME })
      }
    }

    return matches
  }

  #byWords ({ name, words }: Wanted & { type: 'words' }, passes: (entry: Entry) => boolean, limit: number): Match[] {
    const fits = this.#words.fits(words, this.#entries.length)
    const hash = hashOf(name)
    const ranks: number[] = []
    const matches = (entry: Entry): boolean => fits[this.#slots.get(entry) as number] > 0 && passes(entry)

    for (let slot = 0; slot < fits.length; slot++) {
      const entry = this.#entries[slot]

      if (fits[slot] > 0 && entry != null && passes(entry) && !this.#isCovered(entry, matches)) {
        const isName = this.#nameHashes[slot] === hash && foldName(entry.name) === name
        const part = Math.min(1, words.length / this.#wordCounts[slot])
        const rank = isName ? NAME * FRACTIONS : fits[slot] * FRACTIONS + Math.floor((FRACTIONS - 1) * part)
        ranks.push(rank * SLOTS + slot)
      }
    }

    // typed arrays sort numbers several times as fast
    const best = Float64Array.from(ranks).sort().reverse().subarray(0, limit)

    return Array.from(best, rank => ({
      entry: this.#entries[rank % SLOTS] as Entry,
      score: Math.floor(rank / SLOTS) / FRACTIONS
    }))
  }

  /** `true` for what is kept, if the node shares the same content and that fits too. */
  #isCovered (entry: Entry, fits: (entry: Entry) => boolean): boolean {
    return isKept(entry) && [...this.#withCid(entry.cid)].some(other => !isKept(other) && fits(other))
  }

  * #withName (name: string): Generator<Entry> {
    const hash = hashOf(name)

    for (let slot = 0; slot < this.#entries.length; slot++) {
      const entry = this.#entries[slot]

      if (entry != null && this.#nameHashes[slot] === hash && foldName(entry.name) === name) {
        yield entry
      }
    }
  }

  #addCid (entry: Entry): void {
    const key = keyOf(entry.cid)
    const same = this.#byCid.get(key)

    if (same instanceof Set) {
      same.add(entry)
    } else {
      this.#byCid.set(key, same == null ? entry : new Set([same, entry]))
    }
  }

  #removeCid (entry: Entry): void {
    const key = keyOf(entry.cid)
    const same = this.#byCid.get(key)

    if (!(same instanceof Set) || (same.delete(entry) && same.size === 0)) {
      this.#byCid.delete(key)
    }
  }

  #withCid (cid: CID): Iterable<Entry> {
    const same = this.#byCid.get(keyOf(cid))

    return same instanceof Set ? same : same == null ? [] : [same]
  }
}

function isKept (entry: Entry): boolean {
  return (entry as Partial<KeptEntry>).ward != null
}

/** The words of an entry, and whether they are in its name. */
function wordsOfEntry ({ name, path }: Entry): Map<string, boolean> {
  const words = new Map<string, boolean>()

  for (const [text, inName] of [[name, true], [path, false]] as const) {
    for (const word of text === '' ? [] : wordsOfName(text)) {
      if (words.size < MAX_WORDS && !words.has(word)) {
        words.set(word, inName)
      }
    }
  }

  return words
}

/** A string for a map, without the cache of 200 bytes that `cid.toString()` leaves behind. */
function keyOf (cid: CID): string {
  return String.fromCharCode(...(cid.version === 0 ? cid.toV1() : cid).bytes)
}

/** FNV-1a. */
function hashOf (text: string): number {
  let hash = 0x811c9dc5

  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }

  return hash
}
