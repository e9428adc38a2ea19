/**
 * What the catalog needs of a file system.
 *
 * @module
 */

import type { sharePaths } from './shared-paths.ts'
import type { Reader } from '../store/index.ts'
import type { AbortOptions } from '@libp2p/interface'

/** A file that was not shared. */
export interface Skipped {
  /** Where it is. */
  path: string

  /**
   * Why: hidden, a link that leads out of the folder, a link to what is in
   * the folder anyway, cannot be read, neither file nor folder, written to all
   * the time, larger than a content can be, or with a name that is not Unicode
   * or has control characters.
   */
  reason: 'hidden' | 'outside' | 'duplicate' | 'unreadable' | 'not-a-file' | 'changing' | 'too-large' | 'bad-name'

  /** What the file system said, if it did. */
  cause?: Error
}

/** The state of a file. */
export interface FileInfo {
  /** Bytes in it. */
  size: number

  /** Changes whenever the bytes may have changed: made of the size and the time of modification. */
  version: string

  /** When the bytes were last changed, in ms since 1970. */
  modified: number
}

/** A file that was found in a folder. */
export interface FoundFile {
  type: 'file'

  /** What to open it by. */
  path: string

  /** Its own name. */
  name: string

  /** Folders between the root of the walk, which is the first of them, and the file, joined by `/`. */
  folders: string

  /** Its state when it was found. */
  info: FileInfo
}

/** What a walk finds. */
export type Found = FoundFile | { type: 'skipped', skipped: Skipped }

/** Settings of a walk. */
export interface WalkOptions extends AbortOptions {
  /**
   * Includes what begins with a dot.
   *
   * @default false
   */
  hidden?: boolean

  /**
   * Walks only this part of the root, which may be a file. Finds nothing if it
   * is gone, hidden, or reached through a link.
   *
   * @default all of it
   */
  within?: string
}

/** A file that is open for reading. */
export interface FileReader extends Reader {
  /** Its state when it was opened. */
  readonly info: FileInfo

  /**
   * Fills `target` with bytes from `offset`.
   *
   * @throws {ContentChangedError} the bytes end before
   */
  readInto (offset: number, target: Uint8Array): Promise<void>
}

/** Who wants to know of changes. */
export interface WatchListener {
  /** Something changed at a path, which may be gone, new, or a folder. Called often while a file is written. */
  onChange (path: string): void

  /** Changes may be missed from now on. Called once; close the watch and begin another. */
  onError (error: Error): void
}

/** Settings of a watch. */
export interface WatchOptions extends AbortOptions {
  /**
   * Watches also folders that begin with a dot.
   *
   * @default false
   */
  hidden?: boolean
}

/** A watch that is on. */
export interface Watching {
  /** Ends it. Closing twice is fine. */
  close (): void
}

/** Gives access to files by path. `nodeFiles` is the one for Node. */
export interface FileSystem {
  /**
   * The one absolute path of what `path` leads to, with all links followed,
   * as far as it exists.
   */
  resolve (path: string): Promise<string>

  /** `true` if `path` is `folder` or lies in it. Both are resolved. */
  covers (folder: string, path: string): boolean

  /**
   * Finds all files in a folder, or the one at the path, and says what it
   * skips. Links are not followed.
   *
   * @throws {NotFoundError} there is nothing at `root`
   */
  walk (root: string, options?: WalkOptions): AsyncIterable<Found>

  /** The state of a file; `undefined` if there is none any more, or only a link in its place. */
  stat (path: string): Promise<FileInfo | undefined>

  /** `true` if there is anything at a path. */
  exists (path: string): Promise<boolean>

  /**
   * Opens a file. Never waits for anything, as opening a pipe would.
   *
   * @throws {NotFoundError} there is no file
   */
  open (path: string): Promise<FileReader>

  /**
   * Watches a file or all of a folder. What changes after this resolved is
   * reported.
   *
   * @throws {NotFoundError} there is nothing at `root`
   */
  watch (root: string, listener: WatchListener, options?: WatchOptions): Promise<Watching>

  /**
   * What a catalog does with paths. Comes with the file system because who has
   * none, such as a page, need not load it; take that of `nodeFiles()`.
   */
  readonly sharePaths: typeof sharePaths
}
