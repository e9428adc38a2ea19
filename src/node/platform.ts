import type { FileSystem } from '../catalog/index.ts'
import type { Membership } from '../membership/index.ts'
import type { Store } from '../store/index.ts'
import type { KadDHTComponents } from '#kad-dht'
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

/** What becomes of what a node keeps. */
export interface StorageReport {
  /** Where the bytes of contents are: `memory` without `dataDir`, or in a browser that gives no private files, as some do in private windows. */
  store: 'disk' | 'opfs' | 'memory' | 'custom'

  /** `true` if it outlives the process, and nobody but the user takes it away. A browser may, when room is short, unless the user has allowed it to stay. */
  persisted: boolean

  /**
   * Bytes there can be in all: a browser gives each site a part of the disk.
   *
   * @default unknown
   */
  quota?: number

  /**
   * Bytes of them that are taken, roughly.
   *
   * @default unknown
   */
  usage?: number
}

/** What a node keeps, and where. */
export interface Kept {
  /** Where records are kept; open between `open` and `close`. */
  datastore: Datastore

  /** Where bytes are kept. */
  store: Store

  /** Where bytes are kept that are others'. */
  keptStore: Store

  /** Bytes that are kept for others, at most, unless told otherwise. */
  room: number

  /**
   * Opens what has to be opened.
   *
   * @throws {DataDirInUseError} another node uses the same data
   */
  open (): Promise<void>

  close (): Promise<void>

  /** How it stands now. */
  report (): Promise<StorageReport>
}

/** What a platform is asked for. */
export interface PlatformInit {
  network: string
  dataDir?: string
  iceServers?: IceServer[]
}

/** What each platform brings along. */
export interface Defaults {
  /** Addresses to listen on. */
  listen: string[]

  /** How peers are reached. */
  libp2p: Pick<Libp2pInit, 'transports' | 'connectionEncrypters' | 'streamMuxers' | 'connectionGater' | 'connectionManager'>

  /** What outlives the process, if anything does. */
  kept: Kept

  /** `true` if a node should keep few connections. */
  light: boolean

  /** Access to paths, where there is such a thing. */
  files?: FileSystem

  /** Tells membership what happens to the process, or the page, while the node runs; returns what ends that. */
  watch? (membership: Membership): () => void

  /** The DHT of the colony. */
  dht: (components: KadDHTComponents) => object
}
