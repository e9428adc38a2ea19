/**
 * The catalogs of a node as one: what it shares, and what it keeps for others.
 * Everybody is served from both; what is fetched goes into one of them.
 *
 * @module
 */

import { optionalComponent } from '../components.ts'
import type { CatalogName, TransferCatalog, TransferComponents, TransferContent, TransferEntries } from './index.ts'
import type { Entry } from '../content/entry.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Told of what becomes of entries. */
export interface CatalogsListener {
  /** This node shares it, or answers for who did and is gone. */
  offered (event: CustomEvent<Entry>): void

  /** It does not answer for it any more. */
  withdrawn (event: CustomEvent<Entry>): void

  /** It is in one of the catalogs no more. */
  removed (event: CustomEvent<Entry>): void
}

/** The key of the part of a content. A part is finished by who began it: parts of different catalogs have nothing to do with each other. */
export function partKey (cid: CID, into: CatalogName): string {
  return into === 'catalog' ? String(cid) : `${into}${cid}`
}

/** The catalogs there are. */
export class Catalogs {
  readonly #catalogs = new Map<CatalogName, TransferCatalog>()

  /** What this node answers for; most of what is kept concerns only those for whom it is. */
  readonly #contingency?: TransferEntries

  /** How many entries of that have a content, by CID. */
  readonly #answered = new Map<string, number>()

  constructor (components: Pick<TransferComponents, 'catalog' | 'kept' | 'contingency'>) {
    const { catalog, kept, contingency } = {
      catalog: optionalComponent(() => components.catalog),
      kept: optionalComponent(() => components.kept),
      contingency: optionalComponent(() => components.contingency)
    }
    this.#contingency = contingency

    // what the node shares itself is looked at first
    if (catalog != null) {
      this.#catalogs.set('catalog', catalog)
    }

    if (kept != null) {
      this.#catalogs.set('kept', kept)
    }
  }

  /** Begins to listen to all of them; returns what ends that. */
  listen ({ offered, withdrawn, removed }: CatalogsListener): () => void {
    for (const entry of this.#contingency?.entries() ?? []) {
      this.#count(entry, 1)
    }

    const ends = [
      ...this.#all.map(catalog => listenTo(catalog, 'entry:removed', removed)),
      listenTo(this.#catalogs.get('catalog'), 'entry:added', offered),
      listenTo(this.#contingency, 'entry:added', event => {
        this.#count(event.detail, 1)
        offered(event)
      }),
      listenTo(this.#contingency, 'entry:removed', event => {
        this.#count(event.detail, -1)
        withdrawn(event)
      })
    ]

    return () => {
      ends.forEach(end => { end() })
      this.#answered.clear()
    }
  }

  #count ({ cid }: Entry, more: number): void {
    const key = String(cid)
    const count = (this.#answered.get(key) ?? 0) + more

    if (count > 0) {
      this.#answered.set(key, count)
    } else {
      this.#answered.delete(key)
    }
  }

  /** All entries that others may find here. */
  * offered (): Generator<Entry> {
    yield * this.#catalogs.get('catalog')?.entries() ?? []
    yield * this.#contingency?.entries() ?? []
  }

  /** `true` if others may find a content here. */
  offers (cid: CID): boolean {
    return (this.#catalogs.get('catalog')?.get(cid) ?? []).length > 0 || this.#answered.has(String(cid))
  }

  /** One of them, if it is there. */
  named (name: CatalogName): TransferCatalog | undefined {
    return this.#catalogs.get(name)
  }

  /** `true` if any of them has a content. */
  has (cid: CID): boolean {
    return this.#all.some(catalog => catalog.get(cid).length > 0)
  }

  /** Opens a content, from the first that has it and can read it. */
  async open (cid: CID, options?: AbortOptions): Promise<TransferContent | undefined> {
    return openFirst(this.#all, cid, options)
  }

  /** Opens a content that another catalog has, now or when what may have changed there is hashed again. */
  async openBeside (cid: CID, name: CatalogName, options?: AbortOptions): Promise<TransferContent | undefined> {
    const others = [...this.#catalogs].filter(([other]) => other !== name).map(([, catalog]) => catalog)
    await Promise.all(others.map(async other => other.settled?.(cid, options)))

    // where it cannot be read it is as if it were not there: others of the colony may have it
    return openFirst(others, cid, options).catch(() => undefined)
  }

  /** Entries of a content in one of them that can be read, now or when what may have changed is hashed again. */
  async readable (cid: CID, name: CatalogName, options?: AbortOptions): Promise<Entry[]> {
    const catalog = this.#catalogs.get(name)

    if (catalog == null) {
      return []
    }

    if (!await isReadable(catalog, cid)) {
      await catalog.settled?.(cid, options)

      if (!await isReadable(catalog, cid)) {
        return []
      }
    }

    return catalog.get(cid)
  }

  get #all (): TransferCatalog[] {
    return [...this.#catalogs.values()]
  }
}

/** Begins to listen to entries; returns what ends that. */
function listenTo (entries: TransferEntries | undefined, type: 'entry:added' | 'entry:removed', listener: (event: CustomEvent<Entry>) => void): () => void {
  entries?.addEventListener(type, listener)

  return () => { entries?.removeEventListener(type, listener) }
}

async function openFirst (catalogs: TransferCatalog[], cid: CID, options?: AbortOptions): Promise<TransferContent | undefined> {
  let error: unknown

  for (const catalog of catalogs) {
    try {
      const content = await catalog.open(cid, options)

      if (content != null) {
        return content
      }
    } catch (err) {
      error = err
    }
  }

  if (error != null) {
    throw error
  }
}

async function isReadable (catalog: TransferCatalog, cid: CID): Promise<boolean> {
  const content = await catalog.open(cid)
  await content?.close()

  return content != null
}
