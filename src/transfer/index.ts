/**
 * Transfer: fetch verified pieces of a content from many holders at once, and
 * serve those this node has.
 *
 * (protocol doc follows)
 *
 * @module
 */

import type { Entry } from '../content/entry.ts'
import type { OpenContent } from './contents.ts'
import type { AbortOptions, ComponentLogger, ContentRouting, PeerId, TypedEventTarget } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

/** Somebody who may have a content. */
export interface Source {
  holder: PeerId
  addresses?: Multiaddr[]
}

/** The state of a download, from time to time and at every turn. */
export interface TransferProgress {
  cid: CID
  /** Bytes in the content; `undefined` until the manifest is here. */
  size?: number
  /** Bytes verified and stored. */
  bytes: number
  /** Bytes a second, over the last seconds. */
  rate: number
  /** Peers that have sent bytes in the last seconds / that are connected in the swarm. */
  peers: number
  /** Seconds left at this rate, once it is known. */
  secondsLeft?: number
}

export type TransferProgressEvent =
  | ProgressEvent<'transfer:progress', TransferProgress>
  | ProgressEvent<'transfer:piece', { cid: CID, piece: number, from: PeerId }>
  | ProgressEvent<'transfer:peer', { cid: CID, peer: PeerId, state: 'joined' | 'left' | 'banned' }>

export interface DownloadOptions extends AbortOptions, ProgressOptions<TransferProgressEvent> {
  /** What to call the content. @default the CID */
  name?: string
  /** Folder part of the entry it becomes. */
  path?: string
  /** Size hinted by a hit; saves a round trip for small files. */
  size?: number
  /** Who has it; more are looked for. */
  sources?: Source[]
  /** How long to go on without anybody who has what is missing, in ms. `Infinity` waits for as long as it takes. @default 10_000 */
  patience?: number
}

export interface ReadOptions extends AbortOptions, ProgressOptions<TransferProgressEvent> {
  offset?: number
  length?: number
  sources?: Source[]
  name?: string
  size?: number
  patience?: number
}

export interface Transfer {
  /** Fetches, verifies and stores a content; it is in the catalog when this resolves. */
  download (cid: CID, options?: DownloadOptions): Promise<Entry>

  /** Verified bytes in order, from this node if it has them, else while they arrive. */
  read (cid: CID, options?: ReadOptions): AsyncGenerator<Uint8Array>
}
