/**
 * What this node has that others should keep: its entries and its vault, as
 * items, and as a snapshot that others can fetch.
 *
 * An entry becomes an item when it is in the catalog. It is gone when it was
 * unshared, or changed; not when its bytes are lost: that is what others keep
 * them for. If nobody says that it has them it is gone all the same, a while
 * later: all would wait for it for ever.
 *
 * @module
 */

import { LOSS_PATIENCE } from './constants.ts'
import { entryItem, entryKey } from './item-codec.ts'
import { ItemRecords } from './item-records.ts'
import { Items } from './items.ts'
import { Losses } from './losses.ts'
import { OwnSnapshots } from './own-snapshots.ts'
import { selectItems } from './selection.ts'
import type { Blocks } from './blocks.ts'
import type { ContingencyCatalog } from './components.ts'
import type { Snapshot as CoreSnapshot } from './core/outbox.ts'
import type { EntryItem, Item, ItemKey, VaultItem } from './items.ts'
import type { VaultBackend } from './vault.ts'
import type { Entry } from '../content/entry.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import type { CID } from 'multiformats/cid'

/** That of a change of which nobody was asked to keep anything before. */
const FIRST_VERSION = 1

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
  readonly #records: ItemRecords
  readonly #snapshots: OwnSnapshots

  /** Entries whose bytes are gone, until they are told to be removed. */
  readonly #lost = new WeakSet<Entry>()
  readonly #losses = new Losses(LOSS_PATIENCE, key => { this.#giveUp(key) })
  #closed = false

  constructor (init: OwnStateInit) {
    this.#init = init
    this.#records = new ItemRecords(init.datastore, this.items, init.log)
    this.#snapshots = new OwnSnapshots({ ...init, items: this.items, write: async () => this.#records.write() })
  }

  /** Reads what there was, and brings it in line with the catalog. */
  async open (): Promise<void> {
    const { catalog } = this.#init
    await this.#records.load()
    catalog?.addEventListener('entry:added', this.#onAdded)
    catalog?.addEventListener('entry:lost', this.#onLost)
    catalog?.addEventListener('entry:removed', this.#onRemoved)

    for (const entry of catalog?.entries() ?? []) {
      this.#add(entry)
    }

    for (const item of [...this.items.values()]) {
      if (item.type === 'entry' && catalog?.has(item.cid) === false) {
        this.#lose(item)
      }
    }
  }

  /** Stops listening, and writes what is not written. */
  async close (): Promise<void> {
    const { catalog, log } = this.#init
    this.#closed = true
    this.#losses.close()
    catalog?.removeEventListener('entry:added', this.#onAdded)
    catalog?.removeEventListener('entry:lost', this.#onLost)
    catalog?.removeEventListener('entry:removed', this.#onRemoved)
    await this.#snapshots.close()
    await this.#records.write().catch((err: unknown) => { log.error('could not keep items - %e', err) })
  }

  nextVersion (): number {
    return this.#init.nextVersion()
  }

  async change (item: Item): Promise<void> {
    await this.#records.put(item)
    this.items.put(item)
    this.#snapshots.changed(item.key)
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
    return this.#snapshots.needs(cid) || this.items.needsForVault(cid)
  }

  /** `true` if the snapshot with this root holds everything there is, and nothing else. */
  isAsIn (root: string): boolean {
    return this.#snapshots.isLast(root)
  }

  /** What there is now of what somebody keeps who has a snapshot up to a quota. */
  keptBy ({ root, quota }: { root: string, quota: number }): Array<EntryItem | VaultItem> {
    const changed = this.#snapshots.recent(root)?.changed

    return changed == null ? [] : selectItems(this.items.values(), quota).items.filter(({ key }) => !changed.has(key))
  }

  /** Somebody has all of a snapshot, or a part; resolves when that is on record. */
  async promise (root: string): Promise<void> {
    const snapshot = this.#snapshots.recent(root)

    if (snapshot != null) {
      this.#records.promise(snapshot.newest)
      await this.#records.write()
    }
  }

  /**
   * Takes items that others have of this node. What was deleted since is
   * deleted here too; what is not here is known from now on, and on record
   * once it is published.
   */
  async merge (others: Iterable<Item>): Promise<void> {
    const { catalog } = this.#init
    const before = new Map([...this.items.values()].map(item => [item.key, item]))

    for (const item of this.items.merge(others)) {
      const old = before.get(item.key)
      this.#records.promise(item.version)
      this.#records.changed(item.key)
      this.#snapshots.note(item.key)

      if (item.type === 'gone' && old?.type === 'entry' && !this.items.needs(old)) {
        await catalog?.unshare(old.cid)
      }
    }
  }

  /** Has others keep a content no longer that is not in the catalog any more. */
  forget (cid: CID): number {
    const gone = [...this.items.values()].filter(item => item.type === 'entry' && item.cid.equals(cid) && this.#init.catalog?.has(cid) !== true)
    gone.forEach(({ key }) => { this.#put({ type: 'gone', key, version: this.#versionFor(key) }) })

    return gone.length
  }

  /**
   * Makes a snapshot now, of all there is.
   *
   * @throws what came in the way; it is tried again later
   */
  async publish (): Promise<void> {
    await this.#snapshots.publish()
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
    const item = this.items.get(key)
    const isLost = this.#lost.delete(entry)

    // there may be another entry that is the same
    if (this.#isHere(entry.cid, key) || this.#closed || item?.type !== 'entry') {
      return
    }

    if (isLost) {
      this.#lose(item)
    } else {
      this.#put({ type: 'gone', key, version: this.#versionFor(key) })
    }
  }

  /** The bytes of an entry are not here any more. Who was asked to keep it may have it, and not have said so yet. */
  #lose ({ key, version }: EntryItem): void {
    if (version <= this.#records.promised) {
      return
    }

    if (this.nextVersion() === FIRST_VERSION) {
      this.#giveUp(key)
    } else {
      this.#losses.add(key)
    }
  }

  /** Nobody has what was lost. It leaves no tombstone: should somebody have it after all, it is welcome. */
  #giveUp (key: ItemKey): void {
    const item = this.items.get(key)

    if (item?.type === 'entry' && item.version > this.#records.promised && !this.#isHere(item.cid, key)) {
      this.#init.log.error('%s was lost before others had it', item.name)
      this.items.remove(key)
      this.#records.changed(key)
      this.#snapshots.changed(key)
    }
  }

  #isHere (cid: CID, key: ItemKey): boolean {
    return this.#init.catalog?.get(cid).some(entry => entryKey(entry) === key) === true
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
        this.#records.changed(item.key)
        this.#snapshots.changed(item.key)
      }
    } catch (err) {
      this.#init.log.error('others will not keep an item - %e', err)
    }
  }
}
