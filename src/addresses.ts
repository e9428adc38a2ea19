/**
 * Multiaddrs on their way between members.
 *
 * @module
 */

import { multiaddr } from '@multiformats/multiaddr'
import type { PeerKey } from './core.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Most addresses that a member tells of itself, and the longest of them, in bytes. */
export interface AddressLimits {
  count: number
  size: number
}

/** Addresses as bytes; of very many the first. */
export function writeAddresses (addresses: Multiaddr[], { count, size }: AddressLimits): Uint8Array[] {
  return addresses.map(({ bytes }) => bytes).filter(({ byteLength }) => byteLength <= size).slice(0, count)
}

/** Addresses from bytes. A node of a later version may have some that cannot be read here, and others that can. */
export function readAddresses (addresses: Uint8Array[]): Multiaddr[] {
  return addresses.flatMap(bytes => {
    try {
      return [multiaddr(bytes)]
    } catch {
      return []
    }
  })
}

/** Addresses that say whose they are. */
export function withPeer (addresses: Multiaddr[], peer: PeerKey): Multiaddr[] {
  return addresses.map(address => address.getComponents().at(-1)?.name === 'p2p' ? address : address.encapsulate(`/p2p/${peer}`))
}
