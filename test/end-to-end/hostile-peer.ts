/**
 * A peer in Node that speaks the protocols of a colony as nobody honest does.
 *
 * @module
 */

import { identify } from '@libp2p/identify'
import { encode } from '@msgpack/msgpack'
import { createLibp2p } from 'libp2p'
import { membershipProtocol } from '../../src/membership/constants.ts'
import { fastNoise } from '../../src/node/fast-noise.ts'
import { safeYamux } from '../../src/node/safe-yamux.ts'
import { boundedWebSockets } from '../../src/node/web-sockets.ts'
import { webRtcTransports } from '../../src/node/web-rtc.ts'
import { searchProtocol } from '../../src/search/constants.ts'
import { transferProtocol } from '../../src/transfer/constants.ts'
import { encodeFrame } from '../../src/wire/frame.ts'
import type { Libp2p, Stream } from '@libp2p/interface'

/** What it does with a stream that a page opened, or that it opened itself. */
export type Attack = (stream: Stream) => void

const PROTOCOLS = [membershipProtocol('formicary'), searchProtocol('formicary'), transferProtocol('formicary')]

/** Bytes sent at once. */
const CHUNK = 64 * 1024

/** Most bytes that one attack sends on a stream. */
const MOST = 32 * 1024 * 1024

export function frame (message: unknown): Uint8Array {
  return encodeFrame(encode(message)).subarray()
}

/** Listens where pages can dial it, over WebSockets and WebRTC direct. */
export async function startHostile (attack: Attack): Promise<Libp2p> {
  const peer = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/udp/0/webrtc-direct'] },
    transports: [boundedWebSockets(), ...webRtcTransports([])],
    connectionEncrypters: [fastNoise()],
    streamMuxers: [safeYamux()],
    services: { identify: identify() }
  })

  for (const protocol of PROTOCOLS) {
    await peer.handle(protocol, stream => { attack(stream) }, { maxInboundStreams: 10_000, maxOutboundStreams: 10_000 })
  }

  return peer
}

/** Opens so many streams of each protocol with all who are connected, and attacks on each. */
export async function attackAll (peer: Libp2p, streams: number, attack: Attack): Promise<void> {
  for (const connection of peer.getConnections()) {
    for (const protocol of PROTOCOLS) {
      for (let i = 0; i < streams && connection.status === 'open'; i++) {
        await connection.newStream(protocol, { maxOutboundStreams: 10_000, signal: AbortSignal.timeout(2_000) }).then(attack, () => {})
      }
    }
  }
}

/** Sends the same again and again, as fast as it is taken, until it was broken off with or has sent a lot. */
export function repeat (message: Uint8Array): Attack {
  // in large parts, or sending would cost more than reading
  const bytes = new Uint8Array(Math.max(1, Math.floor(CHUNK / message.length)) * message.length)

  for (let at = 0; at < bytes.length; at += message.length) {
    bytes.set(message, at)
  }

  return stream => {
    let sent = 0
    const send = (): void => {
      while (stream.writeStatus === 'writable' && sent < MOST && stream.status === 'open') {
        sent += bytes.length

        if (!stream.send(bytes)) {
          return
        }
      }
    }
    stream.addEventListener('drain', send)
    stream.addEventListener('message', () => {})
    send()
  }
}

/** Sends something once, and nothing after. */
export function once (...messages: Uint8Array[]): Attack {
  return stream => {
    stream.addEventListener('message', () => {})
    messages.forEach(message => {
      if (stream.writeStatus === 'writable') {
        stream.send(message)
      }
    })
  }
}
