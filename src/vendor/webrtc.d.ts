/**
 * WebRTC as transports of libp2p: the parts of `@libp2p/webrtc` that we use.
 *
 * @module
 */

import type { ComponentLogger, Libp2pEvents, Metrics, PeerId, PrivateKey, Transport, TypedEventTarget, Upgrader } from '@libp2p/interface'
import type { ConnectionManager, Registrar, TransportManager } from '@libp2p/interface-internal'

/** The data channels below streams. */
export interface DataChannelOptions {
  /**
   * Bytes that may wait to be sent before a stream says it is full.
   *
   * @default 2_097_152
   */
  maxBufferedAmount?: number
}

interface Init {
  /** What connections are made with; `iceServers: []`, or public servers are asked for one's address. */
  rtcConfiguration?: RTCConfiguration | (() => RTCConfiguration | Promise<RTCConfiguration>)

  dataChannel?: DataChannelOptions

  /** How many streams a peer may open before the connection stands. */
  maxEarlyStreams?: number
}

/** How to make connections that a relay introduces. */
export type WebRTCInit = Init

/** How to make connections to an address with the hash of a certificate. */
export interface WebRTCDirectInit extends Init {
  /**
   * What a listener in Node shows; asked for once, each time the node starts. Browsers do not listen.
   *
   * @default a new one with each start
   */
  certificate?: () => TransportCertificate | Promise<TransportCertificate>
}

/** A certificate, and its key, as PEM. */
export interface TransportCertificate {
  privateKey: string
  pem: string

  /** The hash of the certificate, as in addresses. */
  certhash: string
}

/** The parts of a libp2p node that `webRTC()` uses. */
export interface WebRTCComponents {
  peerId: PeerId
  registrar: Registrar
  upgrader: Upgrader
  transportManager: TransportManager
  connectionManager: ConnectionManager
  metrics?: Metrics
  logger: ComponentLogger
  events: TypedEventTarget<Libp2pEvents>
}

/** The parts of a libp2p node that `webRTCDirect()` uses. */
export interface WebRTCDirectComponents {
  peerId: PeerId
  privateKey: PrivateKey
  upgrader: Upgrader
  metrics?: Metrics
  logger: ComponentLogger
}

/** Between nodes that no address leads to, such as two pages: a relay both are connected to carries the first messages. */
export declare function webRTC (init?: WebRTCInit): (components: WebRTCComponents) => Transport

/** From anywhere to a node with an address, as in `/udp/4001/webrtc-direct/certhash/…`. Only Node can listen. */
export declare function webRTCDirect (init?: WebRTCDirectInit): (components: WebRTCDirectComponents) => Transport
