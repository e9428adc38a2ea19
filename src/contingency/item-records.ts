/**
 * The items of this node in the datastore.
 *
 * | key | value |
 * | --- | --- |
 * | `/formicary/contingency/items/<key>` | an item |
 * | `/formicary/contingency/promised` | the highest version that others were known to have |
 *
 * @module
 */

import { Decoder, encode } from '@msgpack/msgpack'
import { Key } from 'interface-datastore/key'
import { encodeItem, parseItem } from './item-codec.ts'
import type { Item, ItemKey, Items } from './items.ts'
import type { Logger } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'

const PREFIX = '/formicary/contingency/items/'
const PROMISED = new Key('/formicary/contingency/promised', false)

const decoder = new Decoder({ maxArrayLength: 16, maxMapLength: 0, maxExtLength: 0 })

export class ItemRecords {
  readonly #datastore: Datastore
  readonly #items: Items
  readonly #log: Logger

  /** Keys of what has to be written. */
  readonly #dirty = new Set<ItemKey>()
  #promised = 0

  /** What is on record of {@link promised}. */
  #recorded?: number

  /** What is being written: one thing after another. */
  #writing: Promise<void> = Promise.resolve()

  constructor (datastore: Datastore, items: Items, log: Logger) {
    this.#datastore = datastore
    this.#items = items
    this.#log = log
  }

  /** Items up to this version others were known to have at some time, or gave. */
  get promised (): number {
    return this.#promised
  }

  /** Reads all there is. */
  async load (): Promise<void> {
    for await (const { key, value } of this.#datastore.query({ prefix: PREFIX })) {
      try {
        this.#items.put(parseItem(decoder.decode(value)))
      } catch (err) {
        this.#log.error('dropping record %k - %e', key, err)
        await this.#datastore.delete(key)
      }
    }

    this.#promised = await this.#readPromised()
  }

  /** Without a record, everything may have been promised. */
  async #readPromised (): Promise<number> {
    try {
      const promised: unknown = decoder.decode(await this.#datastore.get(PROMISED))

      return typeof promised === 'number' && promised >= 0 ? promised : this.#items.newest
    } catch {
      return this.#items.newest
    }
  }

  /** An item has changed; it is written with the next others. */
  changed (key: ItemKey): void {
    this.#dirty.add(key)
  }

  /** Others have items up to this version; that is written before any of these items, or with it. */
  promise (version: number): void {
    this.#promised = Math.max(this.#promised, version)
  }

  /** Writes an item that does not count yet. */
  async put (item: Item): Promise<void> {
    await this.#datastore.put(keyOf(item.key), encodeItem(item))
  }

  /** Writes what changed, after all that is being written. */
  async write (): Promise<void> {
    const writing = this.#writing.then(async () => this.#write())
    this.#writing = writing.catch(() => {})
    await writing
  }

  async #write (): Promise<void> {
    const keys = [...this.#dirty]
    const promised = this.#promised
    const batch = this.#datastore.batch()

    for (const key of keys) {
      const item = this.#items.get(key)

      if (item == null) {
        batch.delete(keyOf(key))
      } else {
        batch.put(keyOf(key), encodeItem(item))
      }
    }

    if (keys.length === 0 && promised === this.#recorded) {
      return
    }

    // what changes while it is written is written again
    this.#dirty.clear()

    try {
      batch.put(PROMISED, encode(promised))
      await batch.commit()
      this.#recorded = promised
    } catch (err) {
      keys.forEach(key => this.#dirty.add(key))
      throw err
    }
  }
}

function keyOf (key: ItemKey): Key {
  return new Key(`${PREFIX}${key}`, false)
}
