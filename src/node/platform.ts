import type { FileSystem } from '../catalog/index.ts'
import type { Store } from '../store/index.ts'
import type { ContentRouting, PeerRouting } from '@libp2p/interface'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import type { Datastore } from 'interface-datastore'
import type { Libp2pInit } from 'libp2p'

/** A server that tells a node how it is seen from outside (STUN), or passes data on (TURN). */
export interface IceServer {
  /** `stun:` or `turn:` URLs. */
  urls: string | string[]

  /** For TURN. */
  username?: string

  /** For TURN. */
  credential?: string
}

/** What a platform is asked for. */
export interface PlatformInit {
  network: string
  dataDir?: string
  iceServers?: IceServer[]
}

/** What each platform brings along. */
export interface Defaults extends Required<Pick<Libp2pInit, 'transports' | 'connectionEncrypters' | 'streamMuxers'>>,
  Pick<Libp2pInit, 'connectionGater'> {
  /** Addresses to listen on. */
  listen: string[]

  /** How connections are dialled and kept, beside what all platforms have in common. */
  connectionManager?: Libp2pInit['connectionManager']

  /** `true` if a node should keep few connections. */
  light: boolean

  /** Access to paths, where there is such a thing. */
  files?: FileSystem

  /** Where records are kept; open between `open` and `close`. */
  datastore: Datastore

  /** Where bytes are kept. */
  store: Store

  /** The DHT of the colony. */
  dht: (components: KadDHTComponents) => object

  /**
   * Opens what has to be opened.
   *
   * @throws {DataDirInUseError} another node uses the same data
   */
  open (): Promise<void>

  close (): Promise<void>
}

/** What libp2p takes from the DHT. */
export type Routing = ContentRouting & PeerRouting
