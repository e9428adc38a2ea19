/**
 * Entries and their bytes: opens them, and finds out when they part.
 *
 * @module
 */

import { ContentChangedError, NotFoundError } from '../errors.ts'
import { isChange, OpenedContent } from './opened.ts'
import { Slots } from './slots.ts'
import type { Skipped } from './files.ts'
import type { HashedReader } from './hasher.ts'
import type { CatalogParts } from './parts.ts'
import type { Item } from './records.ts'
import type { Manifest } from '../content/index.ts'
import type { Reader } from '../store/index.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Files hashed again at once, beside what the user shares. */
const REFRESH_CONCURRENCY = 2

/** Opens items, checks them, and hashes them again. */
export class Freshness {
  readonly #parts: CatalogParts
  readonly #slots = new Slots(REFRESH_CONCURRENCY)
  readonly #opened = new Set<OpenedContent>()
  readonly #refreshing = new Map<Item, Promise<void>>()

  /** Tells of a file that is gone whether that was seen to happen in a watched folder. */
  wasDeleted: (path: string) => Promise<boolean> = async () => false

  constructor (parts: CatalogParts) {
    this.#parts = parts
  }

  /** Opens the bytes of an item; `undefined` if they are not what they were. */
  async open (item: Item, options: AbortOptions): Promise<OpenedContent | undefined> {
    const reader = await this.#openItem(item, options).catch(goneAsUndefined)

    if (reader == null) {
      await this.#remove(item)

      return undefined
    }

    try {
      const manifest = await this.#manifest(item, reader, options)
      options.signal?.throwIfAborted()

      if (manifest != null) {
        return this.#serve(item, manifest, reader)
      }
    } catch (err) {
      await reader.close()
      throw err
    }

    await reader.close()
    this.refresh(item)

    return undefined
  }

  /** Takes an item out, and adds it again as soon as it is hashed. */
  refresh (item: Item): void {
    if (!this.#parts.entries.hide(item)) {
      return
    }

    const { promise, resolve } = Promise.withResolvers<void>()
    this.#refreshing.set(item, promise)

    this.#parts.tasks.background(`hashing ${item.location} again`, async signal => {
      try {
        await this.#slots.run(async () => this.#parts.locks.run(item.location, async () => {
          await this.#rehash(item, signal)
        }, { signal }), { signal })
      } finally {
        this.#refreshing.delete(item)
        resolve()
      }
    })
  }

  /** Resolves when no item of a content is being hashed again. */
  async settled (cid: CID): Promise<void> {
    await Promise.all(Array.from(this.#refreshing).filter(([{ entry }]) => entry.cid.equals(cid)).map(async ([, promise]) => promise))
  }

  /** Looks at an item, and removes it or hashes it again if it is not what it was. */
  async check (item: Item, options: AbortOptions): Promise<void> {
    const version = await this.#versionOf(item, options)
    options.signal?.throwIfAborted()

    if (version == null) {
      await this.#remove(item)
    } else if (version !== item.version) {
      this.refresh(item)
    }
  }

  /** Looks at all items but some, one after another so that nothing else has to wait. */
  async checkAll (except: (item: Item) => boolean, options: AbortOptions): Promise<void> {
    for (const item of [...this.#parts.entries.all()]) {
      options.signal?.throwIfAborted()

      if (!except(item)) {
        await this.check(item, options).catch((err: Error) => {
          options.signal?.throwIfAborted()
          this.#parts.skipped({ path: item.location, reason: 'unreadable', cause: err })
        })
      }
    }
  }

  /** Closes all that was opened and not closed. */
  async close (): Promise<void> {
    await Promise.all([...this.#opened].map(async opened => opened.close()))
  }

  #serve (item: Item, manifest: Manifest, reader: Reader): OpenedContent {
    const opened = new OpenedContent({
      manifest,
      reader,
      version: item.version,
      onChanged: () => { this.refresh(item) },
      onClose: () => { this.#opened.delete(opened) }
    })
    this.#opened.add(opened)

    return opened
  }

  async #manifest ({ entry, where, location, version }: Item, reader: Reader, options: AbortOptions): Promise<Manifest | undefined> {
    if (where === 'blob') {
      return this.#parts.blobs.manifest(location)
    }

    const current = await reader.version().catch(goneAsUndefined)

    return current === version ? this.#parts.records.manifest(entry.cid, entry.size, options) : undefined
  }

  /** @throws {NotFoundError} the bytes are gone */
  async #openItem (item: Item, options: AbortOptions): Promise<HashedReader> {
    const { store, files, blobs } = this.#parts

    if (item.where === 'blob') {
      return blobs.open(item.location)
    }

    if (item.where === 'store') {
      return store.open(item.location, options)
    }

    if (files == null) {
      throw new NotFoundError('There are no files here')
    }

    return files.open(item.location)
  }

  async #versionOf (item: Item, options: AbortOptions): Promise<string | undefined> {
    if (item.where === 'file') {
      return (await this.#parts.files?.stat(item.location))?.version
    }

    const reader = await this.#openItem(item, options).catch(goneAsUndefined)

    try {
      return await reader?.version().catch(goneAsUndefined)
    } finally {
      await reader?.close()
    }
  }

  /** Removes an item whose bytes are gone; they are lost, unless who watches the file knows that it was deleted. */
  async #remove (item: Item): Promise<void> {
    const deleted = item.where === 'file' && await this.wasDeleted(item.location).catch(() => false)
    await this.#parts.entries.remove(item, deleted ? 'meant' : 'lost')
  }

  /** `true` if another catalog has bytes where those of an item of the store were. */
  #areOthers ({ where, location }: Item, version?: string): boolean {
    return where === 'store' && this.#parts.claims.areOthers(location, version)
  }

  async #rehash (item: Item, signal: AbortSignal): Promise<void> {
    const { entries, hasher, skipped } = this.#parts
    const found = await this.#versionOf(item, { signal })

    if (found == null || this.#areOthers(item, found)) {
      await this.#remove(item)

      return
    }

    try {
      const { manifest, version, modified } = await hasher.hashFile(async () => this.#openItem(item, { signal }), { signal })
      const entry = { ...item.entry, cid: manifest.root, size: manifest.size, ...(modified != null && { modified }) }

      if (!entry.cid.equals(item.entry.cid) && this.#areOthers(item)) {
        await entries.remove(item, 'lost')
      } else {
        await entries.add({ ...item, entry, version }, { manifest, signal, insteadOf: item })
      }
    } catch (err) {
      signal.throwIfAborted()

      if ((err as Error).name === NotFoundError.name) {
        await this.#remove(item)
      } else {
        entries.missed(item)
        // its record stays, to try again after a restart
        skipped({ path: item.location, reason: skipReason(err as Error), cause: err as Error })
      }
    }
  }
}

/** Why a file that could not be hashed is not shared. */
export function skipReason (err: Error): Skipped['reason'] {
  return err.name === ContentChangedError.name ? 'changing' : 'unreadable'
}

function goneAsUndefined (err: Error): undefined {
  if (!isChange(err)) {
    throw err
  }
}
