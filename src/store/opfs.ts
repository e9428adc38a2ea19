/**
 * A store in the Origin Private File System, for browsers.
 *
 * Each piece is a file of its own, which the browser replaces as a whole. So a
 * page that is killed at any time leaves no torn piece: pieces that are there
 * and not marked are doubtful, and hashed again when the part goes on. And a
 * finished content is a `Blob` made of files, none of which is in memory.
 *
 * What is written has reached the browser, which brings it to the disk when it
 * likes. One store at a time may use a name; `createNode()` sees to that.
 *
 * @module
 */

import { fileIn, folderIn, hasRoom, opfsError, removeFrom } from './opfs-files.ts'
import { isLocation, locationOf, openFolders, readRecord, records, writeRecord } from './opfs-layout.ts'
import { KEPT, OpfsPart, readPieces } from './opfs-part.ts'
import { OpfsReader } from './opfs-reader.ts'
import { firstBits, hasBit } from './bits.ts'
import { hexHash, toFileKey } from './part-name.ts'
import { assertSize, MAX_KEPT_SIZE, pieceCount, pieceSize } from './range.ts'
import { numberedName, safeName } from './safe-name.ts'
import { PIECE_SIZE } from '../content/constants.ts'
import { NotFoundError, StoreFullError, StoreWriteError } from '../errors.ts'
import type { Finished, Part, PartInfo, PartInit, Reader, Store } from './index.ts'
import type { ContentRecord, Folders } from './opfs-layout.ts'
import type { AbortOptions } from '@libp2p/interface'

/** Settings of an {@link opfsStore}. */
export interface OpfsStoreInit {
  /** Any name; stores with different names have nothing in common. */
  name: string

  /**
   * The folder to keep everything in, such as one that the user has picked.
   *
   * @default the root of the Origin Private File System
   */
  folder?: FileSystemDirectoryHandle
}

/** Makes a store of private files of this site. Touches them only when it is used. */
export function opfsStore (init: OpfsStoreInit): Store {
  return new OpfsStore(init)
}

class OpfsStore implements Store {
  readonly #init: OpfsStoreInit
  #opening?: Promise<Folders>

  /** File keys of the parts that are open. */
  readonly #open = new Set<string>()

  /** Those who read, by the id of what they read, to be told when it is deleted. */
  readonly #readers = new Map<string, Set<OpfsReader>>()

  /** The last name that is being given: one after another. */
  #naming: Promise<unknown> = Promise.resolve()

  constructor (init: OpfsStoreInit) {
    this.#init = init
  }

  async part (key: string, { size, name }: PartInit, options?: AbortOptions): Promise<Part> {
    options?.signal?.throwIfAborted()
    assertSize(size)
    const fileKey = toFileKey(key)

    if (this.#open.has(fileKey)) {
      throw new StoreWriteError(`Part ${key} is open`)
    }

    this.#open.add(fileKey)

    try {
      return await this.#openPart(fileKey, { id: crypto.randomUUID(), key, name: safeName(name), size })
    } catch (err) {
      this.#open.delete(fileKey)
      throw opfsError(err, `Could not open part ${key}`)
    }
  }

  async * parts (options?: AbortOptions): AsyncGenerator<PartInfo> {
    const { parts } = await this.#folders()

    for await (const [, record] of records(parts)) {
      options?.signal?.throwIfAborted()

      if (record != null) {
        yield { key: record.key, name: record.name, size: record.size }
      }
    }
  }

  async kept (key: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    options?.signal?.throwIfAborted()
    const { parts, pieces } = await this.#folders()

    try {
      const record = await readRecord(parts, toFileKey(key))
      const folder = record == null ? undefined : await folderIn(pieces, record.id)
      const file = folder == null ? undefined : await fileIn(folder, KEPT)

      return file == null || file.size > MAX_KEPT_SIZE ? undefined : new Uint8Array(await file.arrayBuffer())
    } catch (err) {
      throw opfsError(err, `Could not read what is kept with part ${key}`)
    }
  }

  async open (location: string, options?: AbortOptions): Promise<Reader> {
    options?.signal?.throwIfAborted()
    const { finished, pieces } = await this.#folders()
    const record = isLocation(location) ? await readRecord(finished, location) : undefined
    const folder = record == null ? undefined : await folderIn(pieces, record.id)

    if (record == null || folder == null) {
      throw new NotFoundError(`There is nothing at ${location}`)
    }

    return this.#reader(record, folder)
  }

  async delete (location: string, options?: AbortOptions): Promise<void> {
    options?.signal?.throwIfAborted()
    const { finished, pieces } = await this.#folders()
    const record = isLocation(location) ? await readRecord(finished, location) : undefined

    if (record != null) {
      await this.#attempt('delete a content', async () => {
        await removeFrom(finished, location)
        this.#readers.get(record.id)?.forEach(reader => { reader.deleted = true })
        await removeFrom(pieces, record.id)
      })
    }
  }

  #reader ({ id, size }: ContentRecord, pieces: FileSystemDirectoryHandle): OpfsReader {
    const readers = this.#readers.get(id) ?? new Set()
    const reader: OpfsReader = new OpfsReader({
      id,
      size,
      pieces,
      onClose: () => {
        if (readers.delete(reader) && readers.size === 0) {
          this.#readers.delete(id)
        }
      }
    })
    this.#readers.set(id, readers.add(reader))

    return reader
  }

  async #openPart (fileKey: string, fresh: ContentRecord): Promise<Part> {
    const folders = await this.#folders()
    const known = await readRecord(folders.parts, fileKey)
    const record = known ?? fresh

    if (record.size !== fresh.size) {
      throw new StoreWriteError(`Part ${record.key} was begun with ${record.size} bytes, not ${fresh.size}`)
    }

    const pieces = await folders.pieces.getDirectoryHandle(record.id, { create: true })
    const none = firstBits(0, pieceCount(record.size))
    const found = known == null ? { present: none, marked: none, idle: none } : await readPieces(pieces, record.size)

    try {
      await assertRoom(pieces, missing(record.size, found.present))

      if (known == null) {
        await writeRecord(folders.parts, fileKey, record)
      }
    } catch (err) {
      if (known == null) {
        await removeFrom(folders.pieces, record.id).catch(() => {})
      }

      throw err
    }

    return new OpfsPart({
      ...found,
      size: record.size,
      pieces,
      name: async () => this.#inTurn(async () => giveName(folders, record, known != null)),
      unname: async ({ location }) => { await removeFrom(folders.finished, location) },
      forget: async () => { await removeFrom(folders.parts, fileKey) },
      remove: async () => {
        // a crash between giving the name and forgetting the part leaves both
        if (known == null || await locationOf(folders, record.id) == null) {
          await removeFrom(folders.pieces, record.id)
        }
      },
      onClose: () => { this.#open.delete(fileKey) }
    })
  }

  async #folders (): Promise<Folders> {
    this.#opening ??= this.#openFolders()

    try {
      return await this.#opening
    } catch (err) {
      this.#opening = undefined
      throw opfsError(err, 'Could not open the private files of this site')
    }
  }

  async #openFolders (): Promise<Folders> {
    return openFolders(this.#init.folder ?? await navigator.storage.getDirectory(), this.#init.name)
  }

  async #inTurn<T> (task: () => Promise<T>): Promise<T> {
    const turn = this.#naming.then(task)
    this.#naming = turn.catch(() => {})

    return turn
  }

  async #attempt (what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (err) {
      throw opfsError(err, `Could not ${what}`)
    }
  }
}

/** Gives a content the first name that nobody has, or the one that it got before a crash. */
async function giveName (folders: Folders, record: ContentRecord, continued: boolean): Promise<Finished> {
  const before = continued ? await locationOf(folders, record.id) : undefined
  const given = before == null ? undefined : await readRecord(folders.finished, before)

  if (before != null && given != null) {
    return { location: before, name: given.name, version: record.id }
  }

  for (let n = 1, name = record.name; ; name = numberedName(record.name, ++n)) {
    const location = hexHash(name)

    if (await readRecord(folders.finished, location) == null) {
      await writeRecord(folders.finished, location, { ...record, name })

      return { location, name, version: record.id }
    }
  }
}

/** Bytes of a part that have no file yet. */
function missing (size: number, present: Uint8Array): number {
  let bytes = 0

  for (let piece = 0; piece < pieceCount(size); piece++) {
    bytes += hasBit(present, piece) ? 0 : pieceSize(size, piece)
  }

  return bytes
}

/**
 * Chrome says that 10 GiB are free, whatever is, so as not to tell one user
 * from another; but a file that is to be longer than there is room for is
 * refused at once. It takes no room until it is written.
 *
 * @throws {StoreFullError} there is no room for so many bytes
 */
async function assertRoom (folder: FileSystemDirectoryHandle, bytes: number): Promise<void> {
  const { quota, usage } = await navigator.storage.estimate().catch(() => ({ quota: undefined, usage: undefined }))

  if (quota != null && usage != null && bytes > quota - usage) {
    throw new StoreFullError(`There is no room for ${bytes} bytes: ${Math.max(0, quota - usage)} of ${quota} are free for this site`)
  }

  if (bytes > PIECE_SIZE && !await hasRoom(folder, bytes)) {
    throw new StoreFullError(`There is no room for ${bytes} bytes: the browser gives this site no more`)
  }
}
