/**
 * Names that a fragment in the documentation may use without saying where
 * they come from.
 *
 * @module
 */

import type { createNode } from '../../src/index.ts'
import type { Entry } from '../../src/content/entry.ts'
import type { Hit } from '../../src/search/index.ts'
import type { Store } from '../../src/store/index.ts'
import type { PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'

declare global {
  /** A running node, and what its methods take and give. */
  const node: Awaited<ReturnType<typeof createNode>>
  const address: Multiaddr
  const bytes: Uint8Array
  const cid: CID
  const entry: Entry
  const hit: Hit
  const peerId: PeerId
  const signal: AbortSignal

  /** For those who build on the parts. */
  const stream: Stream
  const root: CID
  const answers: unknown[]
  const done: PromiseWithResolvers<void>
  const MyStore: new () => Store
  function ask (cid: CID): Promise<Uint8Array>
  function parseAnswer (value: unknown): unknown
}
