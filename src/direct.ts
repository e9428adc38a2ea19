/**
 * Connections that can carry data.
 *
 * A connection through a relay is *limited*: it ends after two minutes or
 * 128 KiB, enough for two peers that cannot dial each other to agree on a
 * direct connection over WebRTC, and no more. So nothing of this library runs
 * over one; whoever wants to talk opens a direct connection, and the relay is
 * only what its handshake goes through.
 *
 * @module
 */

import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { withPeer } from './addresses.ts'
import { delay } from './delay.ts'
import type { PeerKey } from './core.ts'
import type { AbortOptions, Connection, NewStreamOptions, Stream } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A failed dial is tried once more after so many ms: two peers that dial each
 * other over WebRTC at the same time may get in each other's way, and of dials
 * from Node to browsers 2 % fail for reasons that nobody has found.
 */
const RETRY_DELAY = 250

/** How often it is looked whether there is another connection while a stream is being opened, in ms. */
const LOOK_INTERVAL = 100

/** What is needed of the connection manager. */
export type Connections = Pick<ConnectionManager, 'getConnections' | 'openConnection'>

/**
 * The connection with a peer that is not limited, if there is one. Of several
 * it is the last that was opened: a page that was loaded anew, or has crashed,
 * is back with a new one before others notice, after 7 to 14 s, that that of
 * before is gone.
 */
export function directConnection (connections: Pick<Connections, 'getConnections'>, peer: PeerKey): Connection | undefined {
  const [last] = connections.getConnections(peerIdFromString(peer)).filter(isDirect).sort((a, b) => b.timeline.open - a.timeline.open)

  return last
}

/** `true` if a connection is over WebRTC, introduced by a relay or direct: that is what carries its streams then. */
export function isWebRtc ({ multiplexer }: Pick<Connection, 'multiplexer'>): boolean {
  return multiplexer === '/webrtc'
}

/**
 * Gives a connection with a peer that is not limited, dialling it if need be.
 *
 * @param addresses - where it can be dialled; with none, what the node knows of it
 * @throws what dialling says, or the reason of `signal`
 */
export async function openDirect (connections: Connections, peer: PeerKey, addresses: Multiaddr[], options: AbortOptions = {}): Promise<Connection> {
  const open = directConnection(connections, peer)

  if (open != null) {
    return open
  }

  try {
    return await dial(connections, peer, addresses, options)
  } catch (err) {
    options.signal?.throwIfAborted()

    if (!mayWorkNow(addresses)) {
      throw err
    }

    await delay(RETRY_DELAY, options)

    return directConnection(connections, peer) ?? await dial(connections, peer, addresses, options)
  }
}

/**
 * Opens a stream with a peer over a direct connection, dialling it if need be.
 * Where the peer comes with another connection meanwhile, it is opened over
 * that: who does not answer over the first may not be there any more.
 *
 * @throws what dialling or opening says, or the reason of `signal`
 */
export async function openStream (connections: Connections, peer: PeerKey, protocol: string, addresses: Multiaddr[], { signal, ...options }: NewStreamOptions & { signal: AbortSignal }): Promise<{ stream: Stream, connection: Connection }> {
  for (;;) {
    const connection = await openDirect(connections, peer, addresses, { signal })
    const replaced = new AbortController()
    const timer = setInterval(() => {
      if (directConnection(connections, peer) !== connection) {
        replaced.abort()
      }
    }, LOOK_INTERVAL)

    try {
      return { connection, stream: await connection.newStream(protocol, { ...options, signal: AbortSignal.any([signal, replaced.signal]) }) }
    } catch (err) {
      if (signal.aborted || !replaced.signal.aborted) {
        throw err
      }
    } finally {
      clearInterval(timer)
    }
  }
}

async function dial (connections: Connections, peer: PeerKey, addresses: Multiaddr[], options: AbortOptions): Promise<Connection> {
  const direct = withPeer(addresses, peer).map(withoutRelay)
  const connection = await connections.openConnection(direct.length > 0 ? direct : peerIdFromString(peer), options)

  // what the node knew was the way through a relay alone
  return isDirect(connection) ? connection : connections.openConnection(withoutRelay(connection.remoteAddr), options)
}

function isDirect ({ status, limits }: Connection): boolean {
  return status === 'open' && limits == null
}

/** Dials over WebRTC fail now and then; who cannot be reached over TCP, cannot be reached a moment later. */
function mayWorkNow (addresses: Multiaddr[]): boolean {
  return addresses.length === 0 || addresses.some(address => address.getComponents().some(({ name }) => name === 'webrtc' || name === 'p2p-circuit'))
}

/** The address of a connection through a relay as that of one over WebRTC, of which the relay passes on the handshake. */
function withoutRelay (address: Multiaddr): Multiaddr {
  return Circuit.exactMatch(address) ? multiaddr(address.toString().replace(/\/p2p-circuit(?=\/p2p\/[^/]+$)/, '/p2p-circuit/webrtc')) : address
}
