/**
 * Which of a node's addresses others are told.
 *
 * @module
 */

import { multiaddr } from '@multiformats/multiaddr'
import { WebRTC, WebRTCDirect, WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Addresses of one relay that a way through it is told with. */
const PER_RELAY = 2

/**
 * Leaves out addresses that are of no use to others. A relay with three
 * addresses gives six ways to this node: through each for data, which nothing
 * of this library uses, and through each for the handshake of WebRTC. Two of
 * the latter do: one that browsers can dial, and one more.
 */
export function reachable (addresses: Multiaddr[]): Multiaddr[] {
  const through = new Map<string, Multiaddr[]>()
  const others: Multiaddr[] = []

  for (const address of addresses) {
    const relay = relayOf(address)

    if (relay == null) {
      others.push(address)
    } else if (WebRTC.exactMatch(address)) {
      through.set(relay, [...through.get(relay) ?? [], address])
    }
  }

  return [...others, ...[...through.values()].flatMap(ways => ways.sort((a, b) => rank(a) - rank(b)).slice(0, PER_RELAY))]
}

/** The name of the relay that an address leads through. */
function relayOf (address: Multiaddr): string | undefined {
  const components = address.getComponents()
  const circuit = components.findIndex(({ name }) => name === 'p2p-circuit')

  return circuit < 0 ? undefined : components[circuit - 1]?.value ?? ''
}

/** Encrypted WebSockets can be dialled from any page, others from pages that are not encrypted themselves, TCP from none. */
const RELAYS = [WebSocketsSecure, WebSockets, WebRTCDirect]

function rank (address: Multiaddr): number {
  const relay = multiaddr(address.toString().split('/p2p-circuit')[0])
  const found = RELAYS.findIndex(matcher => matcher.matches(relay))

  return found < 0 ? RELAYS.length : found
}
