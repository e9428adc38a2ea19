/**
 * Transfer: fetch verified pieces of a content from many holders at once, and
 * serve those this node has.
 *
 * Everybody who has pieces of a content, all or some, is a peer of its swarm.
 * Two peers speak about one content in a *session*, over a libp2p stream of
 * the protocol `/formicary/<network>/transfer/1.0.0`, in both directions at
 * once. Messages are frames of MessagePack (see `src/wire/frame.ts`):
 *
 * | message | meaning |
 * | --- | --- |
 * | `hello { root, have, size?, background? }` | first, both ways; `have` is `all`, `none`, or a bitfield; `background` is true if what I fetch may wait |
 * | `end` | nothing more will be said or answered; in place of a hello: "I do not have it" |
 * | `have { piece }` | a piece was verified and stored |
 * | `interested`, `not-interested` | the other has pieces we want, or no longer |
 * | `choke`, `unchoke` | we will not, or will, serve you now |
 * | `request { piece, begin, length }` | answered once for each block in it, by the block or by `reject` |
 * | `block { piece, begin, bytes }` | 64 KiB, but for the last of the content |
 * | `cancel { piece, begin, length }` | takes a request back; blocks under way still come, the rest is rejected |
 * | `manifest { cid }`, `node { cid, bytes? }` | an interior node of the DAG; without bytes: "I do not have it" |
 *
 * When both have said `end`, whoever opened the stream may begin the next
 * session on it, and closes it when there is none for 5 s. Of two sessions
 * with one peer about one content, the one survives that was begun by the
 * smaller PeerId.
 *
 * What is fetched: first the manifest, each node checked against the hash that
 * named it; then pieces of 1 MiB, the rarest first, from all peers at once,
 * each hashed before it is written, and marked as stored only after. A peer
 * that alone delivered a wrong piece, or a wrong node, is banned for the life
 * of this node, or until 10,000 others are. A peer that breaks the rules, or owes blocks and sends nothing
 * for 20 s, is dropped. What was stored survives a crash and is continued by
 * the next download.
 *
 * Who says `background` gives way: while others are served, it has a tenth of
 * what a node sends; and while a node downloads something else, a download in
 * the background has a tenth of what it gets, asks each peer for one block at a
 * time, and takes no more than half of the memory. With nobody else, it has all
 * there is. Whoever changes their mind begins another session.
 *
 * What has been asked for and is not here yet stays below 3 MiB a stream,
 * since libp2p resets a stream with more than 4 MiB unread.
 *
 * Non-goals: choosing what to fetch (that is `search`), and hiding who fetches
 * what.
 *
 * With a `catalog` among the components, what is shared is served, and what
 * was fetched is shared; without one, only the pieces of running downloads
 * are. What a second catalog, `kept`, has is served as well. With a content
 * routing, such as a DHT, contents are announced there and holders are found
 * there; of what is kept, that is only what `contingency` answers for, since
 * who shared it is gone.
 *
 * @module
 */

import { Transfer as TransferClass } from './transfer.ts'
import type { Entry } from '../content/entry.ts'
import type { Manifest } from '../content/index.ts'
import type { Store } from '../store/index.ts'
import type { AbortOptions, ComponentLogger, ContentRouting, Metrics, PeerId, TypedEventTarget } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

export type { Entry } from '../content/entry.ts'

/** How transfer is made. */
export interface TransferInit {
  /** Where bytes go. The same store as the catalog's, so that what was fetched can be shared. */
  store: Store

  /**
   * Where bytes go that are kept for others.
   *
   * @default `store`
   */
  keptStore?: Store

  /**
   * Name of the colony; part of the protocol id.
   *
   * @default 'formicary'
   */
  network?: string

  /**
   * Peers that are served at once; as many again in the background.
   *
   * @default 8
   */
  uploadSlots?: number

  /**
   * Most bytes a second that are sent, to all peers together.
   *
   * @default Infinity
   */
  uploadLimit?: number

  /**
   * Memory for pieces on their way, for all downloads together, in bytes.
   *
   * @default 33_554_432
   */
  memory?: number

  /**
   * Whether to tell the content routing, if there is one, what this node shares,
   * and what it answers for since those who shared it are gone.
   *
   * @default true
   */
  announce?: boolean
}

/** A content that is open for reading. */
export interface TransferContent {
  manifest: Manifest

  /** Reads bytes that are certain to be those of the content; rejects if they cannot be had. */
  read (offset: number, length: number): Promise<Uint8Array>

  /** Lets go of it. */
  close (): Promise<void>
}

/** One of the catalogs of a node: of what it shares, or of what it keeps for others. */
export type CatalogName = 'catalog' | 'kept'

/** A catalog, as transfer uses it. */
export interface TransferCatalog extends TransferEntries {
  /** Entries of one content. */
  get (cid: CID): Entry[]

  /** Resolves when it is known whether the content is there, if that is being found out. */
  settled? (cid: CID, options?: AbortOptions): Promise<void>

  /** Opens a content to serve it; `undefined` if it is not there. */
  open (cid: CID, options?: AbortOptions): Promise<TransferContent | undefined>

  /** Takes what was fetched. */
  add (entry: { manifest: Manifest, name: string, path?: string, location: string, version: string, synced?: Promise<void> }): Promise<Entry>
}

/** Entries that others may find here, as transfer uses them. */
export interface TransferEntries extends TypedEventTarget<{
  'entry:added': CustomEvent<Entry>
  'entry:removed': CustomEvent<Entry>
}> {
  /** All of them. */
  entries (): IterableIterator<Entry>
}

/** Members of the colony; membership is one that knows them. */
export interface TransferMembership {
  /** Those that are alive, and where they can be dialled. */
  members (options: { state: 'alive' }): Iterable<{ peerId: PeerId, addresses: Multiaddr[], self: boolean }>
}

/** The parts of a libp2p node that transfer uses. */
export interface TransferComponents {
  peerId: PeerId
  registrar: Registrar
  connectionManager: ConnectionManager
  contentRouting: ContentRouting
  logger: ComponentLogger

  /** Counts bytes; without it, nothing does. */
  metrics?: Metrics

  /** What this node shares. */
  catalog?: TransferCatalog

  /** What it keeps for others: served to who asks. */
  kept?: TransferCatalog

  /** Of that, what it answers for since those who shared it are gone: only this is announced, like what it shares. */
  contingency?: TransferEntries

  /** Who else is in the colony: they are asked for contents, besides those that are connected. */
  membership?: TransferMembership
}

/** Somebody who may have a content. */
export interface Source {
  holder: PeerId

  /**
   * Where it can be dialled.
   *
   * @default what the peer store and the peer routing know
   */
  addresses?: Multiaddr[]
}

/** How far a download is. */
export interface TransferProgress {
  cid: CID

  /** Bytes in the content; not known until the manifest is here. */
  size?: number

  /** Bytes verified and stored. */
  bytes: number

  /** Bytes a second that arrived, over the last seconds. */
  rate: number

  /** Peers of the swarm that are connected. */
  peers: number

  /** Ms that are left at this rate, where that can be told. */
  msLeft?: number
}

/**
 * Progress of one download: how far it is (about ten times a second, and at
 * the end), a piece was verified and stored, a peer came, went, or was banned.
 * `from` names who sent the piece; this node had it already if that is nobody.
 */
export type TransferProgressEvent =
  | ProgressEvent<'transfer:progress', TransferProgress>
  | ProgressEvent<'transfer:piece', { cid: CID, piece: number, from: PeerId[] }>
  | ProgressEvent<'transfer:peer', { cid: CID, peer: PeerId, state: 'joined' | 'left' | 'banned' }>

/** Settings of one download. */
export interface DownloadOptions extends AbortOptions, ProgressOptions<TransferProgressEvent> {
  /**
   * What to call the content; made safe by the store.
   *
   * @default the CID
   */
  name?: string

  /** Folders the entry is to be found under, joined by `/`. The store ignores them. */
  path?: string

  /** Bytes in the content, if they are known; a wrong number costs time and nothing else. */
  size?: number

  /** Who has it; others are looked for. */
  sources?: Source[]

  /**
   * How long to go on without anybody who has what is missing, in ms;
   * `Infinity` waits until somebody has it.
   *
   * @default 15_000
   */
  patience?: number

  /**
   * Which catalog the content is added to. What the other has is copied from
   * there, so that neither loses it when the other gives it up.
   *
   * @default 'catalog'
   */
  into?: CatalogName

  /**
   * Gives way to other downloads, of this node and from those it fetches from,
   * as long as there are any. A download that somebody else waits for without
   * this does not.
   *
   * @default false
   */
  background?: boolean
}

/** Settings of one `read()`. */
export interface ReadOptions extends DownloadOptions {
  /**
   * First byte.
   *
   * @default 0
   */
  offset?: number

  /**
   * Most bytes to read.
   *
   * @default all there are
   */
  length?: number
}

/** A peer was proved to have sent wrong bytes. */
export interface BannedPeer {
  peer: PeerId
  cid: CID
}

/** What happens to transfer. */
export interface TransferEvents {
  /** A content was fetched, or copied from what is kept for others, and is in the catalog if there is one. */
  'transfer:done': CustomEvent<Entry>

  /** A peer sent bytes that are not what their hash says; nothing is fetched from it or sent to it any more. */
  'transfer:banned': CustomEvent<BannedPeer>
}

/** Fetches and serves contents. */
export interface Transfer extends TypedEventTarget<TransferEvents> {
  /** Bytes of pieces that were sent since the node was made. */
  readonly uploaded: number

  /** Bytes of pieces that arrived since the node was made. */
  readonly downloaded: number

  /**
   * Fetches, verifies and stores a content; if it is in the catalog already,
   * its entry is returned at once. Continues what an earlier download into the
   * same catalog stored. Several downloads of one content are one; those into
   * another catalog wait for it, and copy it then.
   *
   * @throws {NotFoundError} nobody has what is missing, for longer than `patience`; what is verified is kept
   * @throws {InvalidManifestError} the content is not one that this protocol carries
   * @throws {InvalidParametersError} the CID is not of the profile, or an option cannot be used, or there is no such catalog
   * @throws {StoreFullError} there is no room for the bytes; what is verified is kept
   * @throws {StoreWriteError} the bytes could not be stored; what is verified is kept
   * @throws {NotStartedError} the node is stopped; what is verified is kept
   * @throws the reason of `signal`, once it is aborted; what is verified is kept
   */
  download (cid: CID, options?: DownloadOptions): Promise<Entry>

  /**
   * Yields verified bytes in order: from this node if it has them, otherwise
   * as they arrive, these before all others. The whole content is fetched and
   * kept as by {@link Transfer.download}, unless the reader stops before, or it
   * is being fetched for another catalog already.
   *
   * @throws {ContentChangedError} the file changed while it was read
   * @throws like {@link Transfer.download}
   */
  read (cid: CID, options?: ReadOptions): AsyncGenerator<Uint8Array>
}

/** Makes transfer as a libp2p service. */
export function transfer (init: TransferInit): (components: TransferComponents) => Transfer {
  return components => new TransferClass(components, init)
}
