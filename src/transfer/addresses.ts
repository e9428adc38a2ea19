import type { PeerKey } from '../core.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Addresses that say whose they are. */
export function withPeer (addresses: Multiaddr[], peer: PeerKey): Multiaddr[] {
  return addresses.map(address => address.getComponents().some(({ name }) => name === 'p2p') ? address : address.encapsulate(`/p2p/${peer}`))
}
