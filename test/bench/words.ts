/**
 * Names of files as people give them, made up, and the same in every run.
 *
 * @module
 */

import { pick, randomInt, seededRandom } from '../../src/random.ts'
import type { Random } from '../../src/random.ts'

const SYLLABLES = ['ba', 'co', 'den', 'el', 'fir', 'gon', 'ha', 'is', 'jul', 'ka', 'lor', 'me', 'nor', 'os', 'pra', 'qui', 'ros', 'sa', 'tor', 'ul', 'ven', 'wil', 'xa', 'yo', 'zen', 'é', 'ñu', 'ö']
const EXTENSIONS = ['pdf', 'txt', 'mp3', 'jpg', 'mkv', 'epub']
const VOCABULARY = 5000

/** Names of three or four words of a vocabulary of 5,000, each name with a number of its own. */
export function makeNames (count: number, seed = 1): string[] {
  const random = seededRandom(seed)
  const words = Array.from({ length: VOCABULARY }, () => makeWord(random))

  return Array.from({ length: count }, (_, i) => {
    const parts = Array.from({ length: 3 + randomInt(random, 2) }, () => pick(random, words))

    return `${parts.join(' ')} ${i}.${pick(random, EXTENSIONS)}`
  })
}

/** What people type to find one of the names: two of its words, one of them, the beginning of one, or one with a typo. */
export function makeQueries (names: string[], count: number, seed = 2): string[] {
  const random = seededRandom(seed)

  return Array.from({ length: count }, (_, i) => {
    const [first, second] = (pick(random, names) ?? '').split(' ')

    switch (i % 4) {
      case 0: return `${first} ${second}`
      case 1: return first
      case 2: return first.slice(0, Math.max(3, first.length - 2))
      default: return `${first.slice(0, 2)}${first.slice(3)} ${second}`
    }
  })
}

function makeWord (random: Random): string {
  return Array.from({ length: 2 + randomInt(random, 3) }, () => pick(random, SYLLABLES)).join('')
}
