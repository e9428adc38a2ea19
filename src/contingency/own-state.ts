/**
 * What this node has that others should keep: its entries and its vault, as
 * items in the datastore, and as a snapshot that others can fetch.
 *
 * | key | value |
 * | --- | --- |
 * | `/formicary/contingency/items/<key>` | an item |
 *
 * An entry becomes an item when it is in the catalog. It is gone when it was
 * unshared, or changed; not when its bytes are lost: that is what others keep
 * them for.
 *
 * @module
 */

import { Decoder } from '@msgpack/msgpack'
import { Key } from 'interface-datastore/key'
import { CID } from 'multiformats/cid'
import { inParallel } from '../parallel.ts'
import { CHANGE_DELAY, MAX_CHANGE_DELAY } from './constants.ts'
import { encodeItem, entryItem, entryKey, parseItem } from './item-codec.ts'
import { Items } from './items.ts'
import { selectItems } from './selection.ts'
import { buildSnapshot } from './snapshot.ts'
import type { Blocks } from './blocks.ts'
import type { ContingencyCatalog } from './components.ts'
import type { Snapshot as CoreSnapshot } from './core/outbox.ts'
import type { EntryItem, Item, ItemKey, VaultItem } from './items.ts'
import type { Snapshot } from './snapshot.ts'
import type { VaultBackend } from './vault.ts'
import type { Entry } from '../content/entry.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'

/** Blocks of a snapshot that are written at once. */
const CONCURRENCY = 16

const PREFIX = '/formicary/contingency/items/'

const decoder = new Decoder({ maxArrayLength: 16, maxMapLength: 0, maxExtLength: 0 })

export interface OwnStateInit {
  datastore: Datastore
  catalog?: ContingencyCatalog
  blocks: Blocks
  log: Logger

  /** Which entries others are to keep. */
  filter: (entry: Entry) => boolean

  /** The version of a change that is made now. */
  nextVersion: () => number

  /** There is something new to be kept, and it can be fetched. */
  onSnapshot: (snapshot: CoreSnapshot) => void

  /** Bytes that are in no catalog here, from whoever keeps them. */
  download: (cid: CID, size: number, options?: AbortOptions) => Promise<void>
}

export class OwnState implements VaultBackend {
  readonly items = new Items()
  readonly #init: OwnStateInit

  /** Keys of what has to be written. */
  readonly #dirty = new Set<ItemKey>()

  /** What has changed since each of the last snapshots, by their roots. */
  readonly #changes = new Map<string, Set<ItemKey>>()

  /** Entries whose bytes are gone, until they are told to be removed. */
  readonly #lost = new WeakSet<Entry>()
  #snapshot?: Snapshot
  #timer?: ReturnType<typeof setTimeout>
  #changedAt?: number
  #publishing?: Promise<void>
  #again = false
  #closed = false

  constructor (init: OwnStateInit) {
    this.#init = init
  }

  /** The blocks of the last snapshot, and of the one before, which somebody may be fetching. */
  readonly blocks: Array<Set<string>> = []

  /** Reads what there was, and brings it in line with the catalog. */
  async open (): Promise<void> {
    const { datastore, catalog, log } = this.#init

    for await (const { key, value } of datastore.query({ prefix: PREFIX })) {
      try {
        this.items.put(parseItem(decoder.decode(value)))
      } catch (err) {
        log.error('dropping record %k - %e', key, err)
        await datastore.delete(key)
      }
    }

    catalog?.addEventListener('entry:added', this.#onAdded)
    catalog?.addEventListener('entry:lost', this.#onLost)
    catalog?.addEventListener('entry:removed', this.#onRemoved)

    for (const entry of catalog?.entries() ?? []) {
      this.#add(entry)
    }
  }

  /** Stops listening, and writes what is not written. */
  async close (): Promise<void> {
    const { catalog, log } = this.#init
    this.#closed = true
    clearTimeout(this.#timer)
    catalog?.removeEventListener('entry:added', this.#onAdded)
    catalog?.removeEventListener('entry:lost', this.#onLost)
    catalog?.removeEventListener('entry:removed', this.#onRemoved)
    await this.#publishing
    await this.#write().catch((err: unknown) => { log.error('could not keep items - %e', err) })
  }

  nextVersion (): number {
    return this.#init.nextVersion()
  }

  async change (item: Item): Promise<void> {
    await this.#init.datastore.put(keyOf(item.key), encodeItem(item))
    this.items.put(item)
    this.#changed(item.key)
  }

  async keep (_key: ItemKey, bytes: Uint8Array, options?: AbortOptions): Promise<CID> {
    return this.#init.blocks.add(bytes, options)
  }

  async fetch (cid: CID, size: number, options?: AbortOptions): Promise<Uint8Array> {
    if (!this.#init.blocks.has(cid)) {
      await this.#init.download(cid, size, options)
    }

    return this.#init.blocks.read(cid)
  }

  async release (cid: CID): Promise<void> {
    await this.#init.blocks.release(cid)
  }

  /** `true` if this node needs bytes among those that are kept: those of its vault, and its snapshot. */
  needs (cid: CID): boolean {
    const text = String(cid)

    return this.blocks.some(blocks => blocks.has(text)) || this.items.needsForVault(cid)
  }

  /** `true` if the snapshot with this root holds everything there is, and nothing else. */
  isAsIn (root: string): boolean {
    return this.#snapshot?.root.toString() === root && this.#snapshot.from.revision === this.items.revision
  }

  /** What there is now of what somebody keeps who has a snapshot up to a quota. */
  keptBy ({ root, quota }: { root: string, quota: number }): Array<EntryItem | VaultItem> {
    const changes = this.#changes.get(root)

    return changes == null ? [] : selectItems(this.items.values(), quota).items.filter(({ key }) => !changes.has(key))
  }

  /**
   * Takes items that others have of this node. What was deleted since is
   * deleted here too; what is not here is known from now on.
   */
  async merge (others: Iterable<Item>): Promise<void> {
    const { catalog } = this.#init
    const before = new Map([...this.items.values()].map(item => [item.key, item]))

    for (const item of this.items.merge(others)) {
      const old = before.get(item.key)
      this.#dirty.add(item.key)
      this.#changes.forEach(keys => keys.add(item.key))

      if (item.type === 'gone' && old?.type === 'entry' && !this.items.needs(old)) {
        await catalog?.unshare(old.cid)
      }
    }

    await this.#publish()
  }

  /** Has others keep a content no longer that is not in the catalog any more. */
  forget (cid: CID): number {
    const gone = [...this.items.values()].filter(item => item.type === 'entry' && item.cid.equals(cid) && this.#init.catalog?.has(cid) !== true)
    gone.forEach(({ key }) => { this.#put({ type: 'gone', key, version: this.#versionFor(key) }) })

    return gone.length
  }

  /** Makes a snapshot now, of all there is. */
  async publish (): Promise<void> {
    clearTimeout(this.#timer)
    await this.#publish()
  }

  readonly #onAdded = ({ detail }: CustomEvent<Entry>): void => { this.#add(detail) }
  readonly #onLost = ({ detail }: CustomEvent<Entry>): void => { this.#lost.add(detail) }

  readonly #onRemoved = ({ detail }: CustomEvent<Entry>): void => {
    this.#remove(detail).catch((err: unknown) => { this.#init.log('could not find out what became of %c - %e', detail.cid, err) })
  }

  async #remove (entry: Entry): Promise<void> {
    const { catalog } = this.#init
    const key = entryKey(entry)
    // whether its bytes are lost may be found out only now
    await catalog?.settled(entry.cid)
    const same = catalog?.get(entry.cid).some(other => entryKey(other) === key)

    // there may be another entry that is the same, and what is lost is what others keep it for
    if (!this.#lost.delete(entry) && same !== true && !this.#closed && this.items.get(key)?.type === 'entry') {
      this.#put({ type: 'gone', key, version: this.#versionFor(key) })
    }
  }

  #add (entry: Entry): void {
    const key = entryKey(entry)

    if (this.#init.filter(entry) && this.items.get(key)?.type !== 'entry') {
      this.#put(entryItem(entry, this.#versionFor(key)))
    }
  }

  /** What changes twice under one epoch is still to be told apart. */
  #versionFor (key: ItemKey): number {
    return Math.max(this.nextVersion(), (this.items.get(key)?.version ?? 0) + 1)
  }

  #put (item: Item): void {
    try {
      if (this.items.put(item)) {
        this.#dirty.add(item.key)
        this.#changed(item.key)
      }
    } catch (err) {
      this.#init.log.error('others will not keep an item - %e', err)
    }
  }

  /** A snapshot is made when nothing has changed for a moment, or a while after the first change. */
  #changed (key: ItemKey): void {
    const now = performance.now()
    this.#changes.forEach(keys => keys.add(key))
    this.#changedAt ??= now
    clearTimeout(this.#timer)

    if (!this.#closed) {
      this.#timer = setTimeout(() => { void this.#publish() }, Math.max(0, Math.min(CHANGE_DELAY, this.#changedAt + MAX_CHANGE_DELAY - now)))
    }
  }

  /** One after another; whatever asks meanwhile gets one more after that. */
  async #publish (): Promise<void> {
    if (this.#publishing != null) {
      this.#again = true
      await this.#publishing

      return
    }

    this.#publishing = this.#makeSnapshots()
    await this.#publishing
  }

  async #makeSnapshots (): Promise<void> {
    try {
      do {
        this.#again = false
        await this.#makeSnapshot()
      } while (this.#again && !this.#closed)
    } catch (err) {
      this.#init.log.error('could not make a snapshot - %e', err)
      this.#retry()
    } finally {
      this.#publishing = undefined
    }
  }

  async #makeSnapshot (): Promise<void> {
    const { blocks, onSnapshot } = this.#init
    this.#changedAt = undefined
    await this.#write()

    // a node with nothing to keep has nothing to say
    if (this.items.size === 0 && this.#snapshot == null) {
      return
    }

    const snapshot = buildSnapshot(this.items, this.#snapshot)
    this.#beginChanges(snapshot.root.toString())

    await inParallel(snapshot.blocks, CONCURRENCY, async ([cid, bytes]) => {
      if (!this.#closed && !blocks.has(CID.parse(cid))) {
        await blocks.add(bytes)
      }
    })

    // the next start makes it anew
    if (this.#closed) {
      return
    }

    if (snapshot.root.toString() !== this.#snapshot?.root.toString()) {
      this.blocks.unshift(new Set(snapshot.blocks.keys()))
      const old = this.blocks.length > 2 ? this.blocks.pop() : undefined
      await Promise.all([...old ?? []].map(async cid => blocks.release(CID.parse(cid))))
    }

    this.#snapshot = snapshot
    const rootSize = snapshot.blocks.get(snapshot.root.toString())?.byteLength ?? 0
    onSnapshot({ root: snapshot.root.toString(), rootSize, size: this.items.bytes, items: this.items.size })
  }

  #beginChanges (root: string): void {
    this.#changes.delete(root)
    this.#changes.set(root, new Set())

    // others have the last, or are about to
    if (this.#changes.size > 3) {
      this.#changes.delete(this.#changes.keys().next().value as string)
    }
  }

  #retry (): void {
    if (!this.#closed) {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => { void this.#publish() }, MAX_CHANGE_DELAY)
    }
  }

  async #write (): Promise<void> {
    const { datastore } = this.#init
    const keys = [...this.#dirty]
    const batch = datastore.batch()

    for (const key of keys) {
      const item = this.items.get(key)

      if (item == null) {
        batch.delete(keyOf(key))
      } else {
        batch.put(keyOf(key), encodeItem(item))
      }
    }

    if (keys.length > 0) {
      await batch.commit()
      keys.forEach(key => { this.#dirty.delete(key) })
    }
  }
}

function keyOf (key: ItemKey): Key {
  return new Key(`${PREFIX}${key}`, false)
}
