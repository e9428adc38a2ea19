/**
 * The other services, as contingency uses them.
 *
 * @module
 */

import type { Entry } from '../content/entry.ts'
import type { Manifest } from '../content/index.ts'
import type { AbortOptions, ComponentLogger, PeerId, PrivateKey, TypedEventTarget } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Datastore } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

/** A content that is open for reading. */
export interface KeptContent {
  manifest: Manifest
  read (offset: number, length: number): Promise<Uint8Array>
  close (): Promise<void>
}

/** The catalog of what is kept for others. */
export interface KeptCatalog {
  entries (): IterableIterator<Entry>
  get (cid: CID): Entry[]
  share (what: { name: string, content: Uint8Array }, options?: AbortOptions): AsyncGenerator<Entry>
  unshare (cid: CID): Promise<number>
  open (cid: CID): Promise<KeptContent | undefined>
}

/** The catalog of what this node shares. */
export interface ContingencyCatalog extends TypedEventTarget<{
  'entry:added': CustomEvent<Entry>
  'entry:lost': CustomEvent<Entry>
  'entry:removed': CustomEvent<Entry>
}> {
  entries (): IterableIterator<Entry>
  get (cid: CID): Entry[]
  has (cid: CID): boolean

  /** Resolves when it is known what became of bytes that may have changed. */
  settled (cid: CID): Promise<void>
  unshare (cid: CID): Promise<number>
  open (cid: CID): Promise<KeptContent | undefined>
}

/** Transfer, as contingency uses it. */
export interface ContingencyTransfer {
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

type MemberEvent = CustomEvent<{ member: ContingencyMember }>

/** Membership, as contingency uses it. */
export interface ContingencyMembership extends TypedEventTarget<{
  'member:joined': MemberEvent
  'member:suspected': MemberEvent
  'member:recovered': MemberEvent
  'member:down': MemberEvent
  'member:left': MemberEvent
  'member:updated': MemberEvent
}> {
  members (): Iterable<ContingencyMember>
  get (peer: PeerId): ContingencyMember | undefined
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
  membership: ContingencyMembership
  transfer: ContingencyTransfer

  /** Where what is kept for others goes. */
  kept: KeptCatalog

  /** What this node shares, and others keep. */
  catalog?: ContingencyCatalog
}
