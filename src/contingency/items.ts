/**
 * What the state of a ward is made of: its entries, the values of its vault,
 * and the keys of what is gone.
 *
 * Of two items with the same key the one with the higher version counts; at
 * the same version what is there counts before what is gone, and after that
 * the bytes decide. So it does not matter in which order, or how often, the
 * items of two sides come together: both end up with the same.
 *
 * What is gone leaves a *tombstone*, or what is deleted would come back with
 * an old copy. The oldest tombstones are dropped when there are too many.
 *
 * @module
 */

import { InvalidParametersError, StoreFullError } from '../errors.ts'
import { contentKey, hashOf } from './content-key.ts'
import { checkItem, encodeItem } from './item-codec.ts'
import { Tombstones } from './tombstones.ts'
import type { CID } from 'multiformats/cid'

/** Names an item: 16 bytes, as 32 hex digits in lower case. */
export type ItemKey = string

/** Something the ward shares. Its key is that of {@link entryKey}. */
export interface EntryItem {
  type: 'entry'
  key: ItemKey

  /** Under which epoch it was changed. */
  version: number
  cid: CID
  size: number
  name: string
  path: string
  mediaType?: string
  modified?: number
}

/** A value in the vault of the ward. */
export interface VaultItem {
  type: 'vault'

  /** Made of the name and a secret of the ward. */
  key: ItemKey
  version: number

  /** Names the encrypted bytes. */
  cid: CID

  /** Bytes of the encrypted value. */
  size: number

  /** Encrypted too. */
  name: Uint8Array
}

/** Something that is not there any more. */
export interface Tombstone {
  type: 'gone'
  key: ItemKey
  version: number
}

export type Item = EntryItem | VaultItem | Tombstone

/** Items of one ward, at most, tombstones among them. */
export const MAX_ITEMS = 1_000_000

/** Tombstones of one ward, at most. Whoever was away while so many things were deleted may bring the oldest back. */
export const MAX_TOMBSTONES = 100_000

/** Bits of the key that choose the smallest group of items whose changes are told apart. */
export const GROUP_BITS = 14

/** Items whose keys begin alike. */
export interface Group {
  items: Map<ItemKey, Item>

  /** {@link Items.revision} when one of them last changed. */
  revision: number
}

/** Limits of {@link Items}. */
export interface ItemsInit {
  /** @default 1_000_000 */
  maxItems?: number

  /** @default 100_000 */
  maxTombstones?: number
}

/** A map of items in which the newest counts. */
export class Items {
  /** By the first bits of their keys. */
  readonly #groups = new Map<number, Group>()

  /** How many items need a content, by CID and size. */
  readonly #contents = new Map<string, number>()
  readonly #vault = new Map<ItemKey, VaultItem>()

  /** How many values have these bytes, by their hash. */
  readonly #vaultContents = new Map<string, number>()
  readonly #tombstones = new Tombstones()
  readonly #maxItems: number
  readonly #maxTombstones: number
  #size = 0
  #gone = 0
  #bytes = 0
  #vaultBytes = 0
  #revision = 0
  #newest = 0

  constructor ({ maxItems = MAX_ITEMS, maxTombstones = MAX_TOMBSTONES }: ItemsInit = {}) {
    this.#maxItems = maxItems
    this.#maxTombstones = maxTombstones
  }

  /** Items, tombstones among them. */
  get size (): number {
    return this.#size
  }

  /** Items without tombstones. */
  get live (): number {
    return this.#size - this.#gone
  }

  /** Bytes of all contents, each counted once. */
  get bytes (): number {
    return this.#bytes
  }

  /** Bytes of the encrypted values in the vault. */
  get vaultBytes (): number {
    return this.#vaultBytes
  }

  /** Goes up by one with each change. */
  get revision (): number {
    return this.#revision
  }

  /** Highest version there ever was. */
  get newest (): number {
    return this.#newest
  }

  get (key: ItemKey): Item | undefined {
    return this.#groups.get(groupOf(key))?.items.get(key)
  }

  /** All items, in no order. */
  * values (): Generator<Item> {
    for (const { items } of this.#groups.values()) {
      yield * items.values()
    }
  }

  /** The values of the vault, in no order. */
  vault (): IterableIterator<VaultItem> {
    return this.#vault.values()
  }

  /** `true` if these are the encrypted bytes of a value. */
  needsForVault (cid: CID): boolean {
    return this.#vaultContents.has(hashOf(cid))
  }

  /** `true` if an item has this content. */
  needs ({ cid, size }: { cid: CID, size: number }): boolean {
    return this.#contents.has(contentKey(cid, size))
  }

  /** Items by the first {@link GROUP_BITS} of their keys; do not change them. */
  groups (): ReadonlyMap<number, Group> {
    return this.#groups
  }

  /**
   * Takes an item, unless there is a newer one.
   *
   * @returns `true` if it counts now
   * @throws {InvalidParametersError} there is no such item; nothing changed
   * @throws {StoreFullError} there are too many; nothing changed
   */
  put (item: Item): boolean {
    return this.merge([item]).length > 0
  }

  /**
   * Takes what is newer of other items.
   *
   * @returns those that count now and did not before
   * @throws {InvalidParametersError} one of them cannot be; nothing changed
   * @throws {StoreFullError} there are too many; nothing changed
   */
  merge (others: Iterable<Item>): Item[] {
    const newer = new Map<ItemKey, Item>()
    let live = this.live

    for (const item of others) {
      assertItem(item)
      const known = newer.get(item.key) ?? this.get(item.key)

      if (known == null || isNewer(item, known)) {
        newer.set(item.key, item)
        live += liveness(item) - liveness(known)
      }
    }

    if (live > this.#maxItems - this.#maxTombstones) {
      throw new StoreFullError(`There can be no more than ${this.#maxItems - this.#maxTombstones} items`)
    }

    newer.forEach(item => { this.#set(item) })
    this.#dropOldest()

    return [...newer.values()].filter(item => this.get(item.key) === item)
  }

  #set (item: Item): void {
    this.remove(item.key)
    const { items } = this.#changed(item.key)
    items.set(item.key, item)
    this.#size++
    this.#newest = Math.max(this.#newest, item.version)

    if (item.type === 'gone') {
      this.#gone++
      this.#tombstones.add(item)
    } else {
      this.#count(item, 1)
    }

    if (item.type === 'vault') {
      this.#vault.set(item.key, item)
      this.#vaultBytes += item.size
      countUp(this.#vaultContents, hashOf(item.cid), 1)
    }
  }

  /** Removes an item without a trace: if somebody else has it, it may come back. */
  remove (key: ItemKey): void {
    const item = this.get(key)

    if (item == null) {
      return
    }

    this.#changed(key).items.delete(key)
    this.#size--

    if (item.type === 'gone') {
      this.#gone--
    } else {
      this.#count(item, -1)
    }

    if (item.type === 'vault') {
      this.#vault.delete(key)
      this.#vaultBytes -= item.size
      countUp(this.#vaultContents, hashOf(item.cid), -1)
    }
  }

  #changed (key: ItemKey): Group {
    const number = groupOf(key)
    const group = this.#groups.get(number) ?? { items: new Map<ItemKey, Item>(), revision: 0 }
    this.#groups.set(number, group)
    group.revision = ++this.#revision

    return group
  }

  /** Counts an item more, or less, that needs a content. */
  #count ({ cid, size }: EntryItem | VaultItem, change: 1 | -1): void {
    const count = countUp(this.#contents, contentKey(cid, size), change)
    this.#bytes += (Math.min(1, count) - Math.min(1, count - change)) * size
  }

  #dropOldest (): void {
    while (this.#gone > this.#maxTombstones) {
      const oldest = this.#tombstones.shift()

      if (oldest != null && this.get(oldest.key) === oldest) {
        this.remove(oldest.key)
      }
    }

    // what came back leaves its tombstone among the others
    if (this.#tombstones.size > 2 * this.#gone + 1024) {
      this.#tombstones.retain(item => this.get(item.key) === item)
    }
  }
}

/** `true` if `a` counts rather than `b`. */
function isNewer (a: Item, b: Item): boolean {
  if (a.version !== b.version) {
    return a.version > b.version
  }

  if (a === b || (a.type === 'gone' && b.type === 'gone')) {
    return false
  }

  const order = liveness(a) - liveness(b)

  return (order === 0 ? compareBytes(encodeItem(a), encodeItem(b)) : order) > 0
}

function liveness (item?: Item): 0 | 1 {
  return item == null || item.type === 'gone' ? 0 : 1
}

function compareBytes (a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.byteLength, b.byteLength)

  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) {
      return a[i] - b[i]
    }
  }

  return a.byteLength - b.byteLength
}

function assertItem (item: Item): void {
  try {
    checkItem(item)
  } catch (err) {
    throw new InvalidParametersError('There can be no such item', { cause: err })
  }
}

/** Counts one more, or less; what there is none of is not in the map. */
function countUp (counts: Map<string, number>, key: string, change: 1 | -1): number {
  const count = (counts.get(key) ?? 0) + change

  if (count === 0) {
    counts.delete(key)
  } else {
    counts.set(key, count)
  }

  return count
}

function groupOf (key: ItemKey): number {
  return parseInt(key.slice(0, 4), 16) >> (16 - GROUP_BITS)
}
