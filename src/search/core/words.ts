/**
 * Words of names, paths and queries, in the form in which they are compared.
 *
 * @module
 */

/** Letters that Unicode does not decompose, and that people type without. */
const FOLDED: Readonly<Record<string, string>> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', ł: 'l', ı: 'i', þ: 'th' }

const UNDECOMPOSED = new RegExp(`[${Object.keys(FOLDED).join('')}]`, 'g')

/** Accents of Latin, Greek and Cyrillic. The vowel signs of other scripts are letters to their readers, and stay. */
const ACCENTS = /[\u0300-\u036f]/g

/** What people leave out within a word: don't, O’Neill. */
const APOSTROPHES = /['’ʼ]/g

const RUNS = /[\p{L}\p{M}\p{N}]+/gu

/** Where a run of letters and digits is cut: aB, ABc before the B, a1, 1a. */
const CUTS = /(?<=\p{Ll}\p{M}*)(?=\p{Lu})|(?<=\p{Lu}\p{M}*)(?=\p{Lu}\p{M}*\p{Ll})|(?<=[\p{L}\p{M}])(?=\p{N})|(?<=\p{N})(?=[\p{L}\p{M}])/u

/** Scripts written without spaces: their runs are cut into pairs of characters. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

const ASCII = /^[\0-\x7f]*$/

/** A name as it is compared with a quoted one: case and compatibility forms do not count. */
export function foldName (text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** Words of a query, each once. */
export function wordsOf (text: string): Set<string> {
  return collect(text, false)
}

/**
 * Words of a name or path, each once: those a query can have, and words that
 * were cut once more as a whole, so that `iphone` finds `iPhone`.
 */
export function wordsOfName (name: string): Set<string> {
  return collect(name, true)
}

function collect (text: string, whole: boolean): Set<string> {
  const words = new Set<string>()
  const ascii = ASCII.test(text)
  const compatible = (ascii ? text : text.normalize('NFKC')).replace(APOSTROPHES, '')

  for (const [run] of compatible.matchAll(RUNS)) {
    const parts = run.split(CUTS)

    for (const part of parts) {
      addPart(words, ascii ? part.toLowerCase() : foldWord(part))
    }

    if (whole && parts.length > 1) {
      words.add(ascii ? run.toLowerCase() : foldWord(run))
    }
  }

  return words
}

function addPart (words: Set<string>, word: string): void {
  if (!UNSPACED.test(word)) {
    words.add(word)

    return
  }

  const characters = [...word]

  if (characters.length === 1) {
    words.add(word)
  }

  for (let i = 1; i < characters.length; i++) {
    words.add(characters[i - 1] + characters[i])
  }
}

function foldWord (word: string): string {
  return word.toLowerCase()
    .normalize('NFD')
    .replace(ACCENTS, '')
    .normalize('NFC')
    .replace(UNDECOMPOSED, letter => FOLDED[letter])
}
