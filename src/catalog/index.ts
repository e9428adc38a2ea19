/**
 * Catalog: what this node shares.
 *
 * An entry is a content with a name, and remembers where the bytes are. A file
 * is read once to compute its CID and is then served from where it lies;
 * nothing is copied. Entries are kept in the datastore, so after a restart
 * only what changed (by size or modification time) is read again.
 *
 * A `Blob` or `File`, as a page has it, is served from where it is as well, but
 * only until the catalog stops; `keep` gives a copy of it to the store.
 *
 * Bytes are checked at every use: when the size or modification time of a file
 * is not the one it was hashed with, the entry is hashed again before it is
 * served, and an entry whose bytes are gone is removed.
 *
 * A shared folder is shared with all in it but what is hidden, and links: one
 * that leads out of the folder would give away what nobody shared, and what
 * one inside leads to is shared anyway. A path that is a link itself stands
 * for what it leads to. What cannot be shared is reported, and stops nothing.
 *
 * The catalog has no protocol of its own. `search` answers queries from it and
 * `transfer` serves its contents and adds what was downloaded.
 *
 * @module
 */

import { Catalog as CatalogClass } from './catalog.ts'
import type { FileSystem, Skipped } from './files.ts'
import type { Entry } from '../content/entry.ts'
import type { Manifest } from '../content/index.ts'
import type { Store } from '../store/index.ts'
import type { AbortOptions, ComponentLogger, TypedEventTarget } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

export type { Entry } from '../content/entry.ts'
export type { FileInfo, FileReader, FileSystem, Found, FoundFile, Skipped, WalkOptions, Watching, WatchListener, WatchOptions } from './files.ts'

/** How a catalog is made. */
export interface CatalogInit {
  /** Where bytes that are shared by themselves, and downloads, are kept. */
  store: Store

  /**
   * Gives access to paths; without it only bytes can be shared.
   *
   * @default none
   */
  files?: FileSystem

  /**
   * Where the records are in the datastore: a path of letters, digits and
   * hyphens. Catalogs with different ones share a store and a datastore, and
   * neither sees or touches what the other has.
   *
   * @default '/formicary/catalog'
   */
  records?: string

  /**
   * How many pieces are hashed at once while sharing. Each takes a thread of
   * the pool and 1 MiB.
   *
   * @default 3
   */
  hashConcurrency?: number
}

/** The parts of a libp2p node that the catalog uses. */
export interface CatalogComponents {
  datastore: Datastore
  logger: ComponentLogger
}

/**
 * What may be shared: a path, a `File`, or bytes under a name, which must not
 * change until they are. A stream, whose size is not known, is kept in memory
 * until it ends, and may have 256 MiB; a `Blob` may have any size.
 */
export type Shareable =
  | string
  | File
  | { name: string, content: Uint8Array | AsyncIterable<Uint8Array> | Blob, modified?: number }

/**
 * Progress of one `share()`: a file is about to be read, so many of its bytes
 * are hashed, a file was not shared. `path` is the name of what has no path.
 */
export type ShareProgressEvent =
  | ProgressEvent<'share:file', { path: string, size: number }>
  | ProgressEvent<'share:bytes', { path: string, bytes: number, size: number }>
  | ProgressEvent<'share:skipped', Skipped>

/** Settings of one `share()`. */
export interface ShareOptions extends AbortOptions, ProgressOptions<ShareProgressEvent> {
  /**
   * Keeps the folder or file current until it is unshared or the catalog
   * stops: what is added, changed or removed on disk is in the catalog soon.
   * Watched paths are watched again after a restart.
   *
   * @default false
   */
  watch?: boolean

  /**
   * Includes files and folders whose name begins with a dot.
   *
   * @default false
   */
  hidden?: boolean

  /**
   * Copies a `Blob` or `File` to the store, so that it is shared again after a
   * restart, and whatever becomes of the file. Otherwise it is served from
   * where it is, until the catalog stops: a page cannot open it again. Other
   * bytes are always kept.
   *
   * @default false
   */
  keep?: boolean
}

/** Settings of one `file()`. */
export interface FileOptions extends AbortOptions {
  /**
   * The name to prefer, if the content is shared under several.
   *
   * @default any of them
   */
  name?: string
}

/** What happens to a catalog. */
export interface CatalogEvents {
  /** An entry is new. */
  'entry:added': CustomEvent<Entry>

  /** An entry is gone: unshared, deleted on disk, or about to be replaced by one with the new CID. */
  'entry:removed': CustomEvent<Entry>

  /**
   * The bytes of an entry are gone, though nobody unshared it, nor was it seen
   * to be deleted in a watched folder, or replaced: a file that was missing at
   * start or when it was wanted, a disk that is not mounted, a watched folder
   * that vanished as a whole. Comes just before `entry:removed`; after it, if
   * that turned out only when the entry was being hashed again.
   */
  'entry:lost': CustomEvent<Entry>

  /** A watched or shared file cannot be used. */
  'entry:skipped': CustomEvent<Skipped>
}

/** A content that is open for reading. */
export interface OpenContent {
  /** Its pieces and their hashes. */
  readonly manifest: Manifest

  /**
   * Reads bytes of one piece or several, from where they are. The bytes
   * belong to the version that was hashed.
   *
   * @throws {ContentChangedError} they do not any more; the entry is being hashed again
   * @throws {InvalidParametersError} the content has no such bytes
   */
  read (offset: number, length: number): Promise<Uint8Array>

  /**
   * All of its bytes, without reading them now: a blob that can be read after
   * `close` too, and for as long as the bytes are where they are.
   *
   * @throws {ContentChangedError} they are not what they were; the entry is being hashed again
   */
  blob (): Promise<Blob>

  /** Lets go of it. Closing twice is fine. */
  close (): Promise<void>
}

/** Bytes in the store that become an entry. */
export interface NewEntry {
  manifest: Manifest
  name: string
  path?: string

  /** Where the store has them. */
  location: string

  /** The store's version of them. */
  version: string

  /**
   * Resolves when the bytes are certain to be kept. An entry that was added
   * before is hashed again if the process ends before.
   *
   * @default they are
   */
  synced?: Promise<void>
}

/** What this node shares. Anything asynchronous throws a `NotStartedError` while it is not running. */
export interface Catalog extends TypedEventTarget<CatalogEvents> {
  /** Entries there are. */
  readonly size: number

  /**
   * Shares a file, everything in a folder, or bytes under a name; yields each
   * entry as soon as it is in the catalog. Files that are already shared and
   * unchanged are yielded without being read.
   *
   * @throws {ContentChangedError} the file of a `Blob` was changed or removed since it was chosen
   * @throws {NotFoundError} there is nothing at the path
   * @throws {StoreFullError} there is no room for the bytes
   * @throws {StoreWriteError} the store could not take the bytes
   * @throws {InvalidParametersError} paths are not available here, or the name cannot be used
   * @throws the reason of `signal`, once it is aborted; entries yielded before stay shared
   */
  share (what: Shareable, options?: ShareOptions): AsyncGenerator<Entry>

  /**
   * Stops sharing a content (all entries with the CID), or a path with all
   * that lies under it. Files of the user are not touched; bytes that the
   * store keeps are deleted. What is unshared in a watched folder is left out
   * of it until it is shared again. Returns how many entries went.
   */
  unshare (what: CID | string, options?: AbortOptions): Promise<number>

  /** All entries, in no order. */
  entries (): IterableIterator<Entry>

  /** Entries of one content; the same bytes may be shared under several names. */
  get (cid: CID): Entry[]

  /** `true` if the content is shared. */
  has (cid: CID): boolean

  /**
   * Adds bytes that the store already has, verified, such as a download.
   *
   * @throws {InvalidParametersError} the name cannot be used
   */
  add (entry: NewEntry, options?: AbortOptions): Promise<Entry>

  /**
   * Resolves when it is known again what this node has of a content, if bytes
   * that may have changed are being hashed.
   */
  settled (cid: CID, options?: AbortOptions): Promise<void>

  /**
   * Opens a content to read it; `undefined` if it is not shared, or no longer
   * what it was. Each holds a file open until it is closed, or the catalog
   * stops.
   *
   * @throws what the file system or the store says, if the bytes are there but cannot be read
   */
  open (cid: CID, options?: AbortOptions): Promise<OpenContent | undefined>

  /**
   * A content as a `File` with the name, media type and time of its entry. Its
   * bytes are read from where they are when it is: whatever its size, it takes
   * no memory. Reading it fails once they are unshared, deleted or changed.
   *
   * @throws {NotFoundError} the content is not shared, or no longer what it was
   * @throws what the file system or the store says, if the bytes are there but cannot be read
   */
  file (cid: CID, options?: FileOptions): Promise<File>
}

/** Makes a catalog as a libp2p service. */
export function catalog (init: CatalogInit): (components: CatalogComponents) => Catalog {
  return components => new CatalogClass(components, init)
}
