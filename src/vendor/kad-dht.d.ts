/**
 * The DHT of libp2p: the parts of `@libp2p/kad-dht` that we use.
 *
 * @module
 */

import type { ComponentLogger, Libp2pEvents, Metrics, PeerId, PeerInfo, PeerStore, PrivateKey, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Ping } from '@libp2p/ping'
import type { Datastore } from 'interface-datastore'

/** How to take part. */
export interface KadDHTInit {
  /** The id of the protocol: only nodes with the same one are asked. */
  protocol?: string

  /** `true` to ask, and not to be asked. */
  clientMode?: boolean

  /** Which addresses of a peer are kept. */
  peerInfoMapper? (peer: PeerInfo): PeerInfo
}

/** The parts of a libp2p node that the DHT uses. */
export interface KadDHTComponents {
  peerId: PeerId
  privateKey: PrivateKey
  registrar: Registrar
  addressManager: AddressManager
  peerStore: PeerStore
  metrics?: Metrics
  connectionManager: ConnectionManager
  datastore: Datastore
  events: TypedEventTarget<Libp2pEvents>
  logger: ComponentLogger
  ping: Ping
}

/** Its routing, and how it is started, are found as in any service of libp2p. */
export type KadDHT = object

export declare function kadDHT (init?: KadDHTInit): (components: KadDHTComponents) => KadDHT

/** Keeps all addresses. */
export declare function passthroughMapper (peer: PeerInfo): PeerInfo
