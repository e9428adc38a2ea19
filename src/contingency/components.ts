/**
 * The other services, as contingency uses them.
 *
 * @module
 */

import type { Entry } from '../content/entry.ts'
import type { Manifest } from '../content/index.ts'
import type { AbortOptions, ComponentLogger, Metrics, PeerId, PrivateKey, TypedEventTarget } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Datastore } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

/** A content that is open for reading. */
export interface KeptContent {
  manifest: Manifest

  /** Bytes of it; the range has to be within. */
  read (offset: number, length: number): Promise<Uint8Array>

  /** Ends reading. */
  close (): Promise<void>
}

/** The catalog of what is kept for others. */
export interface KeptCatalog {
  /** All that is kept. */
  entries (): IterableIterator<Entry>

  /** Entries of one content. */
  get (cid: CID): Entry[]

  /** Keeps bytes that are here. */
  share (what: { name: string, content: Uint8Array }, options?: AbortOptions): AsyncGenerator<Entry>

  /** Deletes a content; gives the number of its entries. */
  unshare (cid: CID): Promise<number>

  /** Opens a content for reading; `undefined` if it is not here. */
  open (cid: CID): Promise<KeptContent | undefined>
}

/** The catalog of what this node shares. */
export interface ContingencyCatalog extends TypedEventTarget<{
  'entry:added': CustomEvent<Entry>
  'entry:lost': CustomEvent<Entry>
  'entry:removed': CustomEvent<Entry>
}> {
  /** All that is shared. */
  entries (): IterableIterator<Entry>

  /** Entries of one content. */
  get (cid: CID): Entry[]

  /** Whether a content is shared. */
  has (cid: CID): boolean

  /** Resolves when it is known what became of bytes that may have changed. */
  settled (cid: CID): Promise<void>

  /** Shares a content no longer; gives the number of its entries. */
  unshare (cid: CID): Promise<number>

  /** Opens a content for reading; `undefined` if it is not here. */
  open (cid: CID): Promise<KeptContent | undefined>
}

/** Transfer, as contingency uses it. */
export interface ContingencyTransfer {
  /** Fetches a content, verified, into one of the two catalogs. */
  download (cid: CID, options: AbortOptions & ProgressOptions<ProgressEvent<'transfer:progress', { size?: number }> | ProgressEvent<'transfer:piece'> | ProgressEvent<'transfer:peer'>> & {
    name?: string
    path?: string
    size?: number
    sources?: Array<{ holder: PeerId, addresses?: Multiaddr[] }>
    patience?: number
    into?: 'catalog' | 'kept'
    background?: boolean
  }): Promise<Entry>
}

/** A member, as contingency sees it. */
export interface ContingencyMember {
  peerId: PeerId
  state: 'alive' | 'suspected' | 'down' | 'left'
  self: boolean
  storage: number
  light: boolean
  hidden: boolean

  /** When it started, in s since 1970. */
  epoch: number
  addresses: Multiaddr[]
}

/** Something has become of a member. */
export type MemberEvent = CustomEvent<{ member: ContingencyMember }>

/** Membership, as contingency uses it. */
export interface ContingencyMembership extends TypedEventTarget<{
  'member:joined': MemberEvent
  'member:suspected': MemberEvent
  'member:recovered': MemberEvent
  'member:down': MemberEvent
  'member:left': MemberEvent
  'member:updated': MemberEvent
}> {
  /** All members that are known of, this node included. */
  members (): Iterable<ContingencyMember>

  /** What is known of one. */
  get (peer: PeerId): ContingencyMember | undefined

  /** Tells all how many bytes this node would keep for others. */
  update (details: { storage: number }): Promise<void>
}

/** The parts of a libp2p node that contingency uses. */
export interface ContingencyComponents {
  peerId: PeerId
  privateKey: PrivateKey
  registrar: Registrar
  connectionManager: ConnectionManager
  datastore: Datastore
  logger: ComponentLogger

  /** Counts messages and events, and tells how safe everything is; without it, nothing does. */
  metrics?: Metrics
  membership: ContingencyMembership
  transfer: ContingencyTransfer

  /** Where what is kept for others goes. */
  kept: KeptCatalog

  /** What this node shares, and others keep. */
  catalog?: ContingencyCatalog
}
