/**
 * The reference for what libp2p itself can do in a page, or with one: a bare
 * node, and bytes over one of its streams that are neither hashed nor kept.
 * Runs in pages and in Node.
 *
 * @module
 */

import { webRTC, webRTCDirect } from '#webrtc'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { Key } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import type { Connection, Libp2p, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import type { ServiceFactoryMap } from 'libp2p'

const PROTOCOL = '/bench/bare/1.0.0'

/** Bytes given to a stream at once: the fastest in all tries, on every transport. */
const SEND_SIZE = 256 * 1024

const MIB = 1024 * 1024

/** A libp2p node with the transports of a page, and nothing else that could take time; with a datastore, it is somebody new who keeps his key there. */
export async function createBare (listen: string[], services: ServiceFactoryMap = {}, datastore?: Datastore): Promise<Libp2p> {
  const rtcConfiguration = { iceServers: [] }
  const privateKey = await generateKeyPair('Ed25519')
  await datastore?.put(new Key('/bare/identity'), privateKeyToProtobuf(privateKey))
  const node = await createLibp2p({
    privateKey,
    datastore,
    addresses: { listen },
    transports: [webSockets(), circuitRelayTransport(), webRTC({ rtcConfiguration }), webRTCDirect({ rtcConfiguration })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ...services }
  })
  await node.handle(PROTOCOL, answer)

  return node
}

/** Sends as many MiB as it is asked for. */
async function answer (stream: Stream): Promise<void> {
  const { promise: asked, resolve } = Promise.withResolvers<number>()
  stream.addEventListener('message', ({ data }) => { resolve(data.subarray()[0]) }, { once: true })
  const mib = await asked
  const bytes = new Uint8Array(MIB)
  bytes.forEach((_, i) => { bytes[i] = i * 31 })

  for (let sent = 0; sent < mib * MIB; sent += SEND_SIZE) {
    const at = sent % MIB

    if (!stream.send(bytes.subarray(at, at + SEND_SIZE))) {
      await drained(stream)
    }
  }

  await stream.close()
}

/** Waits for the next 'drain' event. `stream.onDrain()` would not: after its first time it resolves at once. */
async function drained (stream: Stream): Promise<void> {
  while (stream.writableNeedsDrain) {
    await new Promise<void>((resolve, reject) => {
      const onDrain = (): void => {
        stream.removeEventListener('close', onClose)
        resolve()
      }
      const onClose = (evt: StreamCloseEvent): void => {
        stream.removeEventListener('drain', onDrain)
        reject(evt.error ?? new Error('The stream closed'))
      }
      stream.addEventListener('drain', onDrain, { once: true })
      stream.addEventListener('close', onClose, { once: true })
    })
  }
}

/** Ms until so many MiB have come over a new stream of a connection, and were dropped. */
export async function receive (connection: Connection, mib: number): Promise<number> {
  const start = performance.now()
  const stream = await connection.newStream(PROTOCOL)
  const { promise: whole, resolve, reject } = Promise.withResolvers<void>()
  let left = mib * MIB
  stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
    left -= data.byteLength

    if (left === 0) {
      resolve()
    }
  })
  stream.addEventListener('close', ({ error }) => { reject(error ?? new Error(`The stream closed with ${left} bytes left`)) })
  stream.send(Uint8Array.of(mib))
  await whole
  const ms = performance.now() - start
  await stream.close()

  return ms
}

/** A connection that can carry data. */
export async function dialBare (node: Libp2p, address: string): Promise<Connection> {
  const connection = await node.dial(multiaddr(address))

  if (connection.limits != null) {
    throw new Error('The connection is one through the relay')
  }

  return connection
}
