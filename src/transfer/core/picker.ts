/**
 * Rarest first: which piece to begin next.
 *
 * Fetching what the fewest have keeps every piece alive and spreads the work
 * (Legout et al., IMC 2006). Pieces lie in one bucket for each availability,
 * with their place remembered, so that a change of availability costs O(1).
 *
 * @module
 */

import { randomInt } from '../../random.ts'
import type { Bitfield } from './bitfield.ts'
import type { Random } from '../../random.ts'

/** So many pieces are chosen at random before the rarest go first: something to trade soon matters more (libtorrent). */
const RANDOM_FIRST = 4

/** Who has a piece, as far as the picker cares. */
type Has = (piece: number) => boolean

/** Keeps the pieces nobody has begun, by how many have them. */
export class Picker {
  readonly #random: Random

  /** How many of the peers that do not have everything have a piece. */
  readonly #availability: Uint16Array

  /** Where a piece lies in its bucket; -1 if it was taken. */
  readonly #places: Int32Array
  readonly #buckets: number[][] = []

  /** Peers that have everything; they change no order, so they are only counted. */
  #seeds = 0
  #left = 0
  #taken = 0

  /** @param done - pieces that are not to be picked */
  constructor (size: number, random: Random, done?: Bitfield) {
    this.#random = random
    this.#availability = new Uint16Array(size)
    this.#places = new Int32Array(size).fill(-1)

    for (let piece = 0; piece < size; piece++) {
      if (done?.has(piece) !== true) {
        this.put(piece)
      }
    }
  }

  /** Pieces that can be picked. */
  get left (): number {
    return this.#left
  }

  /** How many peers have a piece. */
  availability (piece: number): number {
    return this.#availability[piece] + this.#seeds
  }

  /** A peer came (`by` 1) or went (`by` -1). */
  count (have: Bitfield, by: 1 | -1): void {
    if (have.full) {
      this.#seeds += by
      return
    }

    for (let piece = 0; piece < have.size; piece++) {
      if (have.has(piece)) {
        this.#change(piece, by)
      }
    }
  }

  /** A peer got a piece. Call it after the piece was added to `have`. */
  add (piece: number, have: Bitfield): void {
    this.#change(piece, 1)

    if (have.full) {
      for (let other = 0; other < have.size; other++) {
        this.#change(other, -1)
      }

      this.#seeds++
    }
  }

  /** Makes a piece available to be picked, again. */
  put (piece: number): void {
    if (this.#places[piece] === -1) {
      this.#insert(piece)
      this.#left++
    }
  }

  /** Takes a piece out, because it was begun. */
  take (piece: number): void {
    if (this.#places[piece] !== -1) {
      this.#remove(piece)
      this.#left--
      this.#taken++
    }
  }

  /** `true` if a piece can be picked. */
  has (piece: number): boolean {
    return this.#places[piece] !== -1
  }

  /** One of the rarest pieces that `has` holds; it is not taken out. */
  pick (has: Has): number | undefined {
    if (this.#taken < RANDOM_FIRST) {
      const piece = this.#pickAny(has)

      if (piece !== undefined) {
        return piece
      }
    }

    for (const bucket of this.#buckets) {
      const piece = this.#pickFrom(bucket, has)

      if (piece !== undefined) {
        return piece
      }
    }

    return undefined
  }

  /** A few throws of the dice; the buckets are searched if none hits. */
  #pickAny (has: Has): number | undefined {
    for (let i = 0; i < 8; i++) {
      const piece = randomInt(this.#random, this.#places.length)

      if (this.#places[piece] !== -1 && has(piece)) {
        return piece
      }
    }

    return undefined
  }

  #pickFrom (bucket: number[] | undefined, has: Has): number | undefined {
    if (bucket === undefined || bucket.length === 0) {
      return undefined
    }

    const start = randomInt(this.#random, bucket.length)

    for (let i = 0; i < bucket.length; i++) {
      const piece = bucket[(start + i) % bucket.length]

      if (has(piece)) {
        return piece
      }
    }

    return undefined
  }

  #change (piece: number, by: 1 | -1): void {
    const waiting = this.#places[piece] !== -1

    if (waiting) {
      this.#remove(piece)
    }

    this.#availability[piece] += by

    if (waiting) {
      this.#insert(piece)
    }
  }

  #insert (piece: number): void {
    const bucket = this.#buckets[this.#availability[piece]] ??= []
    this.#places[piece] = bucket.length
    bucket.push(piece)
  }

  #remove (piece: number): void {
    const bucket = this.#buckets[this.#availability[piece]]
    const place = this.#places[piece]
    const last = bucket.pop()

    if (last !== undefined && last !== piece) {
      bucket[place] = last
      this.#places[last] = place
    }

    this.#places[piece] = -1
  }
}
