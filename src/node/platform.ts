import type { FileSystem } from '../catalog/index.ts'
import type { Store } from '../store/index.ts'
import type { Datastore } from 'interface-datastore'
import type { Libp2pInit } from 'libp2p'

/** What each platform brings along. */
export interface Defaults extends Required<Pick<Libp2pInit, 'transports' | 'connectionEncrypters' | 'streamMuxers'>> {
  /** Addresses to listen on. */
  listen: string[]

  /** Access to paths, where there is such a thing. */
  files?: FileSystem

  /** Where records are kept; open between `open` and `close`. */
  datastore: Datastore

  /** Where bytes are kept. */
  store: Store

  /**
   * Opens what has to be opened.
   *
   * @throws {DataDirInUseError} another node uses the same data
   */
  open (): Promise<void>

  close (): Promise<void>
}
