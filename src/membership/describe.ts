import { peerIdFromString } from '@libp2p/peer-id'
import { readAddresses } from '../addresses.ts'
import type { Member as Row } from './core/members.ts'
import type { Member } from './index.ts'
import type { Card } from './record.ts'
import type { PeerKey } from '../core.ts'

/** A row of the table, as users see it; `self` is this node. */
export function describe ({ peer, state, signed }: Row, self: PeerKey): Member {
  const { name, roles, storage, digest, light = false, hidden = false, metadata, addresses, epoch, reason, successor } = signed.record as Card

  return {
    peerId: peerIdFromString(peer),
    state,
    self: peer === self,
    name,
    roles: [...roles],
    storage,
    digest,
    light,
    hidden,
    metadata: metadata?.slice(),
    addresses: readAddresses(addresses),
    epoch,
    reason,
    successor: successor == null ? undefined : peerIdFromString(successor)
  }
}
