import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Addresses that this version of libp2p can read. */
export function readAddresses (addresses: Uint8Array[]): Multiaddr[] {
  return addresses.flatMap(bytes => {
    try {
      return [multiaddr(bytes)]
    } catch {
      return []
    }
  })
}

/** `true` if they are the same, in the same order. */
export function sameAddresses (a: Uint8Array[], b: Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, i) => String(bytes) === String(b[i]))
}
