import { waitFor } from '../delay.ts'
import { partKey } from './catalogs.ts'
import { LocalCopy } from './local-copy.ts'
import type { Catalogs } from './catalogs.ts'
import type { CatalogName, DownloadOptions } from './index.ts'
import type { LocalCopyInit } from './local-copy.ts'
import type { Entry } from '../content/entry.ts'
import type { CID } from 'multiformats/cid'
import type { Store } from '../store/index.ts'

/** What {@link Copies} work with. */
export interface CopiesInit extends Pick<LocalCopyInit, 'log'> {
  /** Where the bytes of a catalog go. */
  storeOf (into: CatalogName): Store

  /** `true` if nothing may be copied now: the content is being fetched, or the node has stopped. */
  isBusy (cid: CID): boolean

  /** Makes an entry of what was copied. */
  onFinished (into: CatalogName, ...args: Parameters<LocalCopyInit['onFinished']>): Promise<Entry>
}

/** The copies that are under way from one catalog to the other, one for each content and catalog. */
export class Copies {
  readonly #init: CopiesInit

  /** By the key of their part. */
  readonly #copies = new Map<string, LocalCopy>()

  constructor (init: CopiesInit) {
    this.#init = init
  }

  /** All of them. */
  get underway (): LocalCopy[] {
    return [...this.#copies.values()]
  }

  /** Waits until a content is copied; `undefined` if no other catalog has it, or it is busy. */
  async copy (cid: CID, into: CatalogName, catalogs: Catalogs, options: DownloadOptions): Promise<Entry | undefined> {
    const joined = await this.#join(cid, into, catalogs, options)

    if (joined == null) {
      return
    }

    try {
      return await waitFor(joined.copy.done, options.signal)
    } finally {
      joined.leave()
      joined.copy.endIfUnwanted()
    }
  }

  /** Resolves when a copy that is being given up has let go of its part. */
  async settled (cid: CID, into: CatalogName): Promise<void> {
    const key = partKey(cid, into)

    for (let ending = this.#copies.get(key); ending?.ending === true; ending = this.#copies.get(key)) {
      await ending.done.catch(() => {})
    }
  }

  /** Waits with others for a copy that is under way, or for a new one. */
  async #join (cid: CID, into: CatalogName, catalogs: Catalogs, options: DownloadOptions): Promise<{ copy: LocalCopy, leave: () => void } | undefined> {
    const key = partKey(cid, into)
    await this.settled(cid, into)
    const content = this.#copies.has(key) ? undefined : await catalogs.openBeside(cid, into, { signal: options.signal ?? undefined })
    let copy = this.#copies.get(key)

    if (content != null && copy == null && !this.#init.isBusy(cid)) {
      const { log, onFinished } = this.#init
      const store = this.#init.storeOf(into)
      const { name, path } = options
      copy = this.#add(key, new LocalCopy({ content, store, key, name, path, log, onFinished: async (...args) => onFinished(into, ...args) }))
    } else {
      await content?.close()
    }

    return copy == null || copy.ending ? undefined : { copy, leave: copy.users.add(options) }
  }

  #add (key: string, copy: LocalCopy): LocalCopy {
    this.#copies.set(key, copy)
    void copy.done.catch(() => {}).finally(() => { this.#copies.delete(key) })

    return copy
  }
}
