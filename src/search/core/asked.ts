/**
 * Who has a query already, as far as its sender knows, so that it is not sent
 * to them again. Where everybody is connected with everybody, as in a small
 * colony, n members are asked with n messages so, rather than n².
 *
 * A member is told by a mark of 32 bits, which two members share by chance
 * once in four billion, and in one query only: it depends on the query's id.
 *
 * @module
 */

import { MAX_ASKED } from '../constants.ts'
import type { PeerKey } from '../../core.ts'

/** Bytes in a mark. */
export const MARK_SIZE = 4

/** The mark of a member in a query: FNV-1a of both. */
export function markOf (peer: PeerKey, id: Uint8Array): number {
  let hash = 0x811c9dc5

  for (const byte of id) {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }

  for (let i = 0; i < peer.length; i++) {
    hash = Math.imul(hash ^ peer.charCodeAt(i), 0x01000193)
  }

  return hash >>> 0
}

/** Marks as they travel; where there are too many, the first. */
export function encodeMarks (marks: Iterable<number>): Uint8Array {
  const some = [...marks].slice(0, MAX_ASKED)
  const bytes = new Uint8Array(some.length * MARK_SIZE)
  const view = new DataView(bytes.buffer)
  some.forEach((mark, i) => { view.setUint32(i * MARK_SIZE, mark) })

  return bytes
}

/** Marks that came. */
export function decodeMarks (bytes: Uint8Array): Set<number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

  return new Set(Array.from({ length: bytes.byteLength / MARK_SIZE }, (_, i) => view.getUint32(i * MARK_SIZE)))
}
