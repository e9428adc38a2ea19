import { TypedEventEmitter } from 'main-event'
import { CustomProgressEvent } from 'progress-events'
import { waitFor } from '../delay.ts'
import { InvalidParametersError, NotFoundError, NotStartedError } from '../errors.ts'
import { Claims } from './claims.ts'
import { Entries } from './entries.ts'
import { openFirst, toFile } from './first.ts'
import { Freshness } from './freshness.ts'
import { Hasher } from './hasher.ts'
import { mediaTypeOf } from './media-type.ts'
import { DEFAULT_RECORDS, Records } from './records.ts'
import { assertName, SharedBytes } from './shared-bytes.ts'
import { SharedBlobs } from './shared-blobs.ts'
import { Locks } from './slots.ts'
import { Tasks } from './tasks.ts'
import type { Skipped } from './files.ts'
import type { CatalogComponents, CatalogEvents, CatalogInit, Catalog as CatalogInterface, Entry, FileOptions, NewEntry, OpenContent, Shareable, ShareOptions } from './index.ts'
import type { CatalogParts } from './parts.ts'
import type { Item } from './records.ts'
import type { SharedPaths, SharePathOptions } from './shared-paths.ts'
import type { AbortOptions, Startable } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Pieces hashed at once. Node's pool has four threads; one is left to others. */
const HASH_CONCURRENCY = 3

/** Keys of the datastore that records may be below. */
const RECORDS = /^(\/[\w-]+)+$/

/** What there is between `start()` and `stop()`. */
interface Running extends CatalogParts {
  freshness: Freshness
  bytes: SharedBytes

  /** Where there are paths. */
  paths?: SharedPaths
}

export class Catalog extends TypedEventEmitter<CatalogEvents> implements CatalogInterface, Startable {
  readonly [Symbol.toStringTag] = '@formicary/catalog'

  readonly #components: CatalogComponents
  readonly #init: CatalogInit
  readonly #hasher: Hasher
  #running?: Promise<Running>

  /** The same, once records are loaded. */
  #loaded?: Running

  constructor (components: CatalogComponents, init: CatalogInit) {
    super()
    const concurrency = init.hashConcurrency ?? HASH_CONCURRENCY

    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new InvalidParametersError('hashConcurrency should be a whole number from 1')
    }

    if (!RECORDS.test(init.records ?? DEFAULT_RECORDS)) {
      throw new InvalidParametersError('records should be a path such as /formicary/catalog')
    }

    this.#components = components
    this.#init = init
    this.#hasher = new Hasher(concurrency)
  }

  /** Entries are there when other services start. */
  async beforeStart (): Promise<void> {
    this.#running ??= this.#load().catch((err: Error) => {
      this.#running = undefined
      throw err
    })
    await this.#running
  }

  /** Uses the entries as they were, and looks in the background at what became of them. */
  async start (): Promise<void> {
    await this.beforeStart()
    const { tasks, freshness, paths } = this.#assertRunning()
    await paths?.load({ signal: tasks.signal })

    tasks.background('looking for changes', async signal => {
      await freshness.checkAll(item => item.where === 'file' && paths?.watches(item.location) === true, { signal })
    })
  }

  async stop (): Promise<void> {
    const running = await this.#running?.catch(() => {})
    this.#running = undefined
    this.#loaded = undefined
    await running?.tasks.end()
    await running?.freshness.close()
    running?.claims.end()
  }

  get size (): number {
    return this.#loaded?.entries.size ?? 0
  }

  * entries (): Generator<Entry> {
    for (const item of this.#loaded?.entries.all() ?? []) {
      yield item.entry
    }
  }

  get (cid: CID): Entry[] {
    return this.#loaded?.entries.of(cid).map(item => item.entry) ?? []
  }

  has (cid: CID): boolean {
    return this.#loaded?.entries.has(cid) === true
  }

  async * share (what: Shareable, options: ShareOptions = {}): AsyncGenerator<Entry> {
    const running = this.#assertRunning()
    const joined = { ...options, ...reporters(options), signal: untilEnd(running, options) }
    joined.signal.throwIfAborted()

    if (typeof what === 'string') {
      yield * this.#assertPaths().share(what, joined)
    } else {
      const named = what instanceof File ? { name: what.name, content: what } : what
      yield await running.tasks.run(async () => running.bytes.share(named, joined))
    }
  }

  async unshare (what: CID | string, options: AbortOptions = {}): Promise<number> {
    const running = this.#assertRunning()
    const signal = untilEnd(running, options)

    return running.tasks.run(async () => {
      const items = typeof what === 'string' ? await this.#assertPaths().unwatch(what) : running.entries.of(what, { hidden: true })
      let removed = 0

      for (const item of items) {
        signal.throwIfAborted()
        removed += await this.#remove(item, typeof what === 'string') ? 1 : 0
      }

      return removed
    })
  }

  async add ({ manifest, name, path = '', location, version, synced }: NewEntry, options: AbortOptions = {}): Promise<Entry> {
    const running = this.#assertRunning()
    assertName(name)
    const entry = { cid: manifest.root, name, path, size: manifest.size, mediaType: mediaTypeOf(name) }

    const item: Item = { entry, where: 'store', location, version }

    await running.tasks.run(async () => {
      await running.entries.add(item, { signal: untilEnd(running, options), manifest, unsure: synced != null })
    })

    if (synced != null) {
      running.tasks.background(`waiting for ${location} to be on the disk`, async signal => {
        await waitFor(synced, signal)
        await running.entries.confirm(item)
      })
    }

    return entry
  }

  async open (cid: CID, options: AbortOptions = {}): Promise<OpenContent | undefined> {
    const running = this.#assertRunning()
    const signal = untilEnd(running, options)

    return running.tasks.run(async () => openFirst(running.freshness, running.entries.of(cid), async opened => opened, signal))
  }

  async file (cid: CID, options: FileOptions = {}): Promise<File> {
    const running = this.#assertRunning()
    const signal = untilEnd(running, options)
    const items = running.entries.of(cid).sort((a, b) => Number(b.entry.name === options.name) - Number(a.entry.name === options.name))
    const file = await running.tasks.run(async () => openFirst(running.freshness, items, toFile, signal))

    if (file == null) {
      throw new NotFoundError(`${cid} is not shared by this node`)
    }

    return file
  }

  async settled (cid: CID, options: AbortOptions = {}): Promise<void> {
    const running = this.#assertRunning()
    await waitFor(running.freshness.settled(cid), untilEnd(running, options))
  }

  async #remove (item: Item, unwatched: boolean): Promise<boolean> {
    const { bytes, entries, paths } = this.#assertRunning()

    if (item.where !== 'file') {
      return item.where === 'blob' ? bytes.removeBlob(item) : bytes.remove(item)
    }

    if (!unwatched) {
      await paths?.leaveOut(item.location)
    }

    return entries.remove(item)
  }

  async #load (): Promise<Running> {
    const log = this.#components.logger.forComponent('formicary:catalog')
    const records = new Records(this.#components.datastore, log, this.#init.records)
    const entries = new Entries(records, {
      added: entry => { this.safeDispatchEvent('entry:added', { detail: entry }) },
      removed: entry => { this.safeDispatchEvent('entry:removed', { detail: entry }) },
      lost: entry => { this.safeDispatchEvent('entry:lost', { detail: entry }) }
    })
    await entries.load()
    const parts = {
      ...this.#init,
      records,
      entries,
      claims: new Claims(this.#init.store, entries, this.#init.records),
      hasher: this.#hasher,
      tasks: new Tasks(log),
      log,
      blobs: new SharedBlobs(),
      locks: new Locks(),
      skipped: (detail: Skipped) => { this.safeDispatchEvent('entry:skipped', { detail }) }
    }
    const freshness = new Freshness(parts)
    const paths = parts.files?.sharePaths(parts, parts.files, freshness)
    this.#loaded = { ...parts, freshness, bytes: new SharedBytes(parts), paths }

    return this.#loaded
  }

  #assertRunning (): Running {
    if (this.#loaded == null) {
      throw new NotStartedError('The catalog is not running')
    }

    return this.#loaded
  }

  #assertPaths (): SharedPaths {
    const { paths } = this.#assertRunning()

    if (paths == null) {
      throw new InvalidParametersError('Paths are not available here: share bytes instead')
    }

    return paths
  }
}

function untilEnd ({ tasks }: Running, { signal }: AbortOptions): AbortSignal {
  return signal == null ? tasks.signal : AbortSignal.any([tasks.signal, signal])
}

/** Progress events as callbacks. */
function reporters ({ onProgress }: ShareOptions): Pick<SharePathOptions, 'onFile' | 'onBytes' | 'onSkipped'> {
  return {
    onFile: (path, size) => { onProgress?.(new CustomProgressEvent('share:file', { path, size })) },
    onBytes: (path, bytes, size) => { onProgress?.(new CustomProgressEvent('share:bytes', { path, bytes, size })) },
    onSkipped: skipped => { onProgress?.(new CustomProgressEvent('share:skipped', skipped)) }
  }
}
