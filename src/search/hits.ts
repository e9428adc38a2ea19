/**
 * Hits as users see them, and as they travel.
 *
 * @module
 */

import { peerIdFromMultihash } from '@libp2p/peer-id'
import { CID } from 'multiformats/cid'
import { decode as decodeDigest } from 'multiformats/hashes/digest'
import { readAddresses, writeAddresses } from '../addresses.ts'
import { nameFault } from '../content/names.ts'
import { MAX_ADDRESS_SIZE, MAX_ADDRESSES, MAX_PATH_LENGTH } from './constants.ts'
import type { WireHit } from './core/messages.ts'
import type { Hit, KeptEntry } from './index.ts'
import type { Match } from './text-index.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** What is said of a holder in each of its hits. */
export type Holder = Pick<WireHit, 'holder' | 'addresses'>

/** This node as a holder. Of very many addresses the first are told. */
export function makeHolder (peerId: PeerId, addresses: Multiaddr[]): Holder {
  return {
    holder: peerId.toMultihash().bytes,
    addresses: writeAddresses(addresses, { count: MAX_ADDRESSES, size: MAX_ADDRESS_SIZE })
  }
}

/** A match of this node, to be sent. */
export function encodeHit ({ entry, score }: Match, holder: Holder): WireHit {
  const { cid, name, path, size, mediaType, modified, ward } = entry as Partial<KeptEntry> & typeof entry

  return {
    cid: cid.bytes,
    name,
    path: fitPath(path),
    size,
    ...mediaType != null && { mediaType },
    ...modified != null && { modified },
    ...holder,
    ...ward != null && { ward: ward.toMultihash().bytes },
    score
  }
}

/** What came, for a user; `undefined` if the holder has no PeerId that is known here. */
export function decodeHit (hit: WireHit, self: PeerId): Hit | undefined {
  const holder = peerIdOf(hit.holder)

  if (holder == null) {
    return
  }

  const { name, path, size, mediaType, modified, score } = hit
  // of a kind of key that is not known here: who has it matters more
  const ward = hit.ward == null ? undefined : peerIdOf(hit.ward)
  const local = holder.equals(self)

  return {
    cid: CID.decode(hit.cid),
    name,
    path,
    size,
    ...mediaType != null && { mediaType },
    ...modified != null && { modified },
    holder,
    addresses: local ? [] : readAddresses(hit.addresses),
    local,
    ...ward != null && { ward },
    score
  }
}

/** The innermost folders of a path, as many as fit; none if one of them has a name that nobody accepts. */
function fitPath (path: string): string {
  if (path === '' || path.split('/').some(folder => nameFault(folder) != null)) {
    return ''
  }

  const end = path.slice(-MAX_PATH_LENGTH)

  return end === path ? path : end.slice(end.indexOf('/') + 1)
}

function peerIdOf (bytes: Uint8Array): PeerId | undefined {
  try {
    return peerIdFromMultihash(decodeDigest(bytes))
  } catch {
    // a kind of key that libp2p does not know
  }
}
