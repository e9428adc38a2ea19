import type { Allowance } from './core/allowance.ts'
import type { CatalogName } from './index.ts'
import type { FinderInit } from './finder.ts'
import type { PieceBuffers } from './piece-buffers.ts'
import type { Entry, Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'
import type { Finished, Store } from '../store/index.ts'
import type { Logger } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** What a `Fetch` works with. */
export interface FetchInit extends Omit<FinderInit, 'onTick' | 'isExcluded' | 'isServed'> {
  cid: CID

  /** Which catalog it is for, and the key of its part. */
  into: CatalogName
  key: string
  name?: string
  path?: string
  size?: number
  store: Store
  buffers: PieceBuffers

  /** What downloads in the background may have, and whether this begins as one. */
  allowance: Allowance
  background: boolean
  log: Logger

  isBanned (peer: PeerKey): boolean
  ban (peer: PeerKey): void

  /** Ends the session with a peer. */
  drop (peer: PeerKey, reason: string): void

  /** Bytes of blocks have come. */
  onBytes (bytes: number, background: boolean): void

  /** Makes an entry of what was fetched. */
  onFinished (manifest: Manifest, finished: Finished, path?: string): Promise<Entry>
}
