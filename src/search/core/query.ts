/**
 * What the text of a query asks for.
 *
 * @module
 */

import { CID } from 'multiformats/cid'
import { MAX_QUERY_LENGTH, MAX_QUERY_WORDS } from '../constants.ts'
import { foldName, wordsOf } from './words.ts'

/** A content, a whole name, or words that must all match. */
export type Wanted =
  | { type: 'cid', cid: CID }
  | { type: 'name', name: string }
  | { type: 'words', name: string, words: string[] }

const QUOTED = /^["“”](.+)["“”]$/su

/** Shorter than any CID, so that no word is taken for one. */
const MIN_CID_LENGTH = 40

/** Says what is wrong with the text of a query; `undefined` if it can be used. */
export function queryFault (text: string): string | undefined {
  if (text.trim() === '') {
    return 'the query is empty'
  }

  if (text.length > MAX_QUERY_LENGTH) {
    return `the query is longer than ${MAX_QUERY_LENGTH} characters`
  }

  if (!text.isWellFormed()) {
    return 'the query is not Unicode'
  }
}

/** Understands the text of a query. `name` is folded as by {@link foldName}. */
export function understand (text: string): Wanted {
  const trimmed = text.trim()
  const cid = parseCid(trimmed)

  if (cid != null) {
    return { type: 'cid', cid }
  }

  const quoted = QUOTED.exec(trimmed)

  if (quoted != null) {
    return { type: 'name', name: foldName(quoted[1]) }
  }

  const name = foldName(trimmed)
  const words = [...wordsOf(trimmed)].slice(0, MAX_QUERY_WORDS)

  // what has no letters and no digits can only be a name itself
  return words.length === 0 ? { type: 'name', name } : { type: 'words', name, words }
}

function parseCid (text: string): CID | undefined {
  if (text.length < MIN_CID_LENGTH || /\s/.test(text)) {
    return
  }

  try {
    return CID.parse(text).toV1()
  } catch {
    // just a long word
  }
}
