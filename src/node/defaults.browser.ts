/**
 * What a node is made of in a browser: WebSockets and WebRTC, and what the
 * browser keeps.
 *
 * @module
 */

import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { WebRTC, WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import { browserStorage } from './browser-storage.ts'
import { joinedSends } from './joined-sends.ts'
import { lazyDht } from './lazy-dht.ts'
import { safeYamux } from './safe-yamux.ts'
import { sayGoodbyeOnPageHide, watchVisibility } from './visibility.ts'
import { webRtcTransports } from './web-rtc.ts'
import type { Defaults, PlatformInit } from './platform.ts'
import type { Membership } from '../membership/index.ts'
import type { Address } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long one address of a peer is tried, in ms; libp2p's default of 6 s would leave no time for the next. */
const ADDRESS_DIAL_TIMEOUT = 3_000

/** In this order: over WebRTC, a relay's handshake finds the best of all ways, which an address alone does not tell. */
const PREFERRED = [WebSocketsSecure, WebSockets, WebRTC]

/** The parts that differ by platform. */
export async function platformDefaults ({ network, dataDir, iceServers }: PlatformInit): Promise<Defaults> {
  return {
    kept: await browserStorage(dataDir),
    listen: ['/p2p-circuit', '/webrtc'],
    libp2p: {
      transports: [joinedSends(webSockets()), ...webRtcTransports(iceServers)],
      connectionEncrypters: [noise()],
      streamMuxers: [safeYamux()],
      connectionGater: { denyDialMultiaddr: isBlocked },
      connectionManager: { addressDialTimeout: ADDRESS_DIAL_TIMEOUT, addressSorter: (a, b) => Math.sign(rank(a) - rank(b)) as -1 | 0 | 1 }
    },
    light: true,
    watch: watchPage,
    dht: lazyDht(network)
  }
}

/** Tells others when the page is hidden, and when it goes. Workers have no page. */
function watchPage (membership: Membership): () => void {
  if (globalThis.document == null) {
    return () => {}
  }

  const ends = [watchVisibility(membership, document), sayGoodbyeOnPageHide(membership, window)]

  return () => { ends.forEach(end => { end() }) }
}

/** Browsers refuse connections that are not encrypted from pages that are, but to this machine; trying writes errors to the console. */
function isBlocked (address: Multiaddr): boolean {
  const { protocol } = globalThis.location ?? {}

  return protocol === 'https:' && WebSockets.matches(address) && !WebSocketsSecure.matches(address) && !isLoopback(address)
}

function isLoopback (address: Multiaddr): boolean {
  const [{ value = '' }] = address.getComponents()

  return value === 'localhost' || value === '::1' || value.startsWith('127.')
}

function rank ({ multiaddr }: Address): number {
  const found = PREFERRED.findIndex(matcher => matcher.exactMatch(multiaddr))

  return found < 0 ? PREFERRED.length : found
}
