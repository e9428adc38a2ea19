import type { CID } from 'multiformats/cid'

/**
 * A content as a key of a map: its hash and its size, since one hash may come
 * with several sizes, of which all but one are wrong. A CID would keep the
 * text that is made of it, which is more than all else of an item.
 */
export function contentKey (cid: CID, size: number): string {
  return `${hashOf(cid)} ${size}`
}

/** The hash in a CID as a key of a map. */
export function hashOf (cid: CID): string {
  return String.fromCharCode(...cid.multihash.digest)
}
