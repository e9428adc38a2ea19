/**
 * Which words are in which entries.
 *
 * The words are in the radix tree of `minisearch`, which finds them by their
 * beginning and with typos; what is remembered of each is ours. The whole of
 * `minisearch` was tried with 100,000 entries: as quick for most queries (p95
 * 2 ms), but twice the memory (97 MiB of heap against 42), and a word that all
 * entries have, such as that of a shared folder, took 150 ms against 10, in
 * which the node does nothing else. It also ranks by how rare words are here,
 * which cannot be compared with the ranks of other nodes.
 *
 * @module
 */

import SearchableMap from 'minisearch/SearchableMap'

/**
 * Entries a word is in, as `2 * slot`, plus 1 if it is in the name and not
 * only in the path. In no order, so that taking one out moves one other.
 */
type Postings = number[]

/** How well a word of a query fits: each step is better than all before, and in the name 1 better than in the path. */
const TYPO = 1
const BEGINNING = 3
const WORD = 5

/** What is better than any word: a name that is the whole query. */
export const NAME = 7

/** Added to each if it is so in the name. */
const IN_NAME = 1

/** Words of this length may have one typo, and twice as long, two. */
const TYPO_LENGTH = 4

/** Words that one word of a query is compared with, at most; a single letter begins thousands. */
const MAX_ALIKE = 2_000

/** Keeps words of entries. An entry is known by its slot, a small number. */
export class Dictionary {
  readonly #words = new SearchableMap<Postings>()

  /** Different words there are. */
  get size (): number {
    return this.#words.size
  }

  /** Notes that an entry has a word, which it had not. */
  add (word: string, slot: number, inName: boolean): void {
    const posting = postingOf(slot, inName)
    const postings = this.#words.get(word)

    if (postings == null) {
      this.#words.set(word, [posting])
    } else {
      postings.push(posting)
    }
  }

  /** Takes back what was noted with the same arguments. */
  remove (word: string, slot: number, inName: boolean): void {
    const posting = postingOf(slot, inName)
    const postings = this.#words.get(word) ?? []
    const last = postings.pop()

    if (last != null && last !== posting) {
      postings[postings.indexOf(posting)] = last
    }

    if (postings.length === 0) {
      this.#words.delete(word)
    }
  }

  /**
   * How well the worst of the words fits each entry, by slot, for so many
   * slots; 0 where one does not fit at all, and nothing where one fits none.
   */
  fits (words: string[], slots: number): Uint8Array {
    const worst = new Uint8Array(slots)

    for (const [i, word] of words.entries()) {
      const fits = i === 0 ? worst : new Uint8Array(worst.length)
      let found = false

      for (const [postings, fit] of alikeOf(this.#words, word)) {
        found = true
        mark(fits, postings, fit)
      }

      if (!found) {
        return new Uint8Array(0)
      }

      for (let slot = 0; i > 0 && slot < worst.length; slot++) {
        worst[slot] = Math.min(worst[slot], fits[slot])
      }
    }

    return worst
  }
}

function postingOf (slot: number, inName: boolean): number {
  return 2 * slot + (inName ? IN_NAME : 0)
}

/** Postings of words that are like a word of a query, and how well each fits. */
function * alikeOf (dictionary: SearchableMap<Postings>, word: string): Generator<[Postings, number]> {
  // a number with a typo is another number
  if (word.length >= TYPO_LENGTH && !/\p{N}/u.test(word)) {
    for (const [postings] of dictionary.fuzzyGet(word, word.length >= 2 * TYPO_LENGTH ? 2 : 1).values()) {
      yield [postings, TYPO]
    }
  }

  let alike = 0

  for (const [, postings] of dictionary.atPrefix(word)) {
    if (++alike > MAX_ALIKE) {
      break
    }

    yield [postings, BEGINNING]
  }

  const same = dictionary.get(word)

  if (same != null) {
    yield [same, WORD]
  }
}

/** Notes a fit that is better than those noted before, but for one in the name. */
function mark (fits: Uint8Array, postings: Postings, fit: number): void {
  for (const posting of postings) {
    const slot = posting >>> 1
    fits[slot] = Math.max(fits[slot], fit + (posting & IN_NAME))
  }
}
