/**
 * The entries of a catalog: in memory to be found, in the datastore to last.
 *
 * @module
 */

import { idOf } from './records.ts'
import { Locks } from './slots.ts'
import type { Item, Records } from './records.ts'
import type { Entry, Manifest } from '../content/index.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Who is told of changes. */
export interface EntriesListener {
  added (entry: Entry): void
  removed (entry: Entry): void

  /** Its bytes are gone, though nobody meant them to be. */
  lost (entry: Entry): void
}

/** Why an item is removed: somebody meant it to be, or its bytes are gone. */
export type Removal = 'meant' | 'lost'

/** What an item is added with. */
export interface AddOptions extends AbortOptions {
  /** Its pieces; not needed if the content is here already. */
  manifest?: Manifest

  /** Adds it only if this one is still hidden, and was not removed meanwhile. */
  insteadOf?: Item

  /** Its bytes may be lost in a power cut: until it is confirmed, it is on record as one to be hashed again. */
  unsure?: boolean
}

/** Keeps items by where they are and by their CID. */
export class Entries {
  readonly #records: Records
  readonly #listener: EntriesListener
  readonly #byId = new Map<string, Item>()

  /** Most contents have one item only, and a set takes 200 bytes. */
  readonly #byCid = new Map<string, Item | Set<Item>>()

  /** On record, but not what they were any more. */
  readonly #hidden = new Map<string, Item>()

  /** One change at a time to each id. */
  readonly #idLocks = new Locks()

  /** One change at a time to each content, so that what a new entry needs is not deleted with the last old one. */
  readonly #cidLocks = new Locks()

  constructor (records: Records, listener: EntriesListener) {
    this.#records = records
    this.#listener = listener
  }

  get size (): number {
    return this.#byId.size
  }

  /** Reads the records; nobody is told, since nothing is new. */
  async load (options?: AbortOptions): Promise<void> {
    for await (const item of this.#records.items(options)) {
      this.#insert(item)
    }
  }

  all (): IterableIterator<Item> {
    return this.#byId.values()
  }

  /** All items, but only those that match; on request also hidden ones. */
  filter (matches: (item: Item) => boolean, { hidden = false } = {}): Item[] {
    return [...this.#byId.values(), ...hidden ? this.#hidden.values() : []].filter(matches)
  }

  /** The items of a content; on request also hidden ones. */
  of (cid: CID, { hidden = false } = {}): Item[] {
    const seen = this.#byCid.get(keyOf(cid))
    const items = seen instanceof Set ? [...seen] : seen == null ? [] : [seen]

    return hidden ? [...items, ...[...this.#hidden.values()].filter(({ entry }) => entry.cid.equals(cid))] : items
  }

  has (cid: CID): boolean {
    return this.#byCid.has(keyOf(cid))
  }

  /** The file at a path. */
  file (path: string): Item | undefined {
    return this.#byId.get(path)
  }

  /**
   * Adds an item, which takes the place of an older one of the same file or
   * location; `false` if it came too late. It is on record when this resolves.
   */
  async add (item: Item, options: AddOptions = {}): Promise<boolean> {
    const id = idOf(item)

    return this.#idLocks.run(id, async () => {
      if (options.insteadOf != null && this.#hidden.get(id) !== options.insteadOf) {
        return false
      }

      const older = this.#byId.get(id) ?? this.#hidden.get(id)
      await this.#cidLocks.run(keyOf(item.entry.cid), async () => {
        if (options.manifest != null) {
          await this.#records.putManifest(options.manifest, options)
        }

        // no bytes have this version, so they would be hashed again after a restart
        if (isRecorded(item)) {
          await this.#records.putItem(options.unsure === true ? { ...item, version: '' } : item, options)
        }

        this.#take(id)
        this.#insert(item)
        this.#listener.added(item.entry)
      }, options)

      if (older != null) {
        await this.#tidy(older.entry.cid)
      }

      return true
    }, options)
  }

  /** Puts an item on record that was added as `unsure`, unless another took its place. */
  async confirm (item: Item): Promise<void> {
    const id = idOf(item)

    await this.#idLocks.run(id, async () => {
      if (this.#byId.get(id) === item) {
        await this.#records.putItem(item)
      }
    })
  }

  /**
   * Takes an item out, to be replaced or removed later: its record stays, so
   * that a crash does not lose it. `false` if it is out already.
   */
  hide (item: Item): boolean {
    const id = idOf(item)

    if (this.#byId.get(id) !== item) {
      return false
    }

    this.#take(id)
    this.#hidden.set(id, item)

    return true
  }

  /** Tells that the bytes of a hidden item cannot be had, though it stays on record. */
  missed (item: Item): void {
    if (this.#hidden.get(idOf(item)) === item) {
      this.#listener.lost(item.entry)
    }
  }

  /** Removes an item and its record, unless another took its place; `false` if it was not to be seen any more. */
  async remove (item: Item, why: Removal = 'meant'): Promise<boolean> {
    const id = idOf(item)

    return this.#idLocks.run(id, async () => {
      if (why === 'lost' && (this.#byId.get(id) === item || this.#hidden.get(id) === item)) {
        this.#listener.lost(item.entry)
      }

      const seen = this.hide(item)

      if (this.#hidden.get(id) === item) {
        this.#hidden.delete(id)

        if (isRecorded(item)) {
          await this.#records.deleteItem(item)
        }

        await this.#tidy(item.entry.cid)
      }

      return seen
    })
  }

  /** Forgets the manifest of a content that has no entry on record any more. */
  async #tidy (cid: CID): Promise<void> {
    await this.#cidLocks.run(keyOf(cid), async () => {
      if (!this.of(cid).some(isRecorded)) {
        await this.#records.deleteManifest(cid)
      }
    })
  }

  #insert (item: Item): void {
    const key = keyOf(item.entry.cid)
    const same = this.#byCid.get(key)
    this.#byId.set(idOf(item), item)

    if (same instanceof Set) {
      same.add(item)
    } else {
      this.#byCid.set(key, same == null ? item : new Set([same, item]))
    }
  }

  #take (id: string): void {
    this.#hidden.delete(id)
    const item = this.#byId.get(id)

    if (item == null) {
      return
    }

    const key = keyOf(item.entry.cid)
    const same = this.#byCid.get(key)
    this.#byId.delete(id)

    if (!(same instanceof Set) || (same.delete(item) && same.size === 0)) {
      this.#byCid.delete(key)
    }

    this.#listener.removed(item.entry)
  }
}

/** What is served from a blob ends with the process. */
function isRecorded ({ where }: Item): boolean {
  return where !== 'blob'
}

/** A string for a map, without the cache of 200 bytes that `cid.toString()` leaves behind. */
function keyOf (cid: CID): string {
  return String.fromCharCode(...cid.bytes)
}
