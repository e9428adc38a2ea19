/**
 * Random numbers as an argument, so that what uses them can be replayed.
 *
 * @module
 */

/** Gives numbers evenly spread over [0, 1), like `Math.random`. */
export type Random = () => number

/**
 * A small fast generator with 128 bits of state: sfc32, by Chris Doty-Humphrey,
 * from PractRand. Not for secrets.
 */
export function seededRandom (seed: number): Random {
  let a = 0x9e3779b9
  let b = 0x243f6a88
  let c = seed >>> 0
  let counter = 1

  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum | 0

    return (sum >>> 0) / 0x1_0000_0000
  }

  // neighbouring seeds start alike; twelve rounds part them, as PractRand does
  for (let i = 0; i < 12; i++) {
    next()
  }

  return next
}

/** A whole number from 0 up to, but not including, `below`. */
export function randomInt (random: Random, below: number): number {
  return Math.floor(random() * below)
}

/** One of `items`, or `undefined` if there is none. */
export function pick<T> (random: Random, items: readonly T[]): T | undefined {
  return items[randomInt(random, items.length)]
}

/** Shuffles in place, every order being equally likely (Fisher and Yates), and returns the same array. */
export function shuffle<T> (random: Random, items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomInt(random, i + 1)
    const item = items[i]
    items[i] = items[j]
    items[j] = item
  }

  return items
}

/** Up to `count` of `items`, each at most once, in no order. */
export function sample<T> (random: Random, items: readonly T[], count: number): T[] {
  const rest = [...items]

  return Array.from({ length: Math.min(count, rest.length) }, () => rest.splice(randomInt(random, rest.length), 1)[0])
}
