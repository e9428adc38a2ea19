/**
 * The catalogs of a node as one: what it shares, and what it keeps for others.
 * Everybody is served from both; what is fetched goes into one of them.
 *
 * @module
 */

import { optionalComponent } from '../components.ts'
import type { CatalogName, TransferCatalog, TransferComponents, TransferContent } from './index.ts'
import type { Entry } from '../content/entry.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Told of what is added to any of the catalogs, and removed from any. */
export interface CatalogsListener {
  added (event: CustomEvent<Entry>): void
  removed (event: CustomEvent<Entry>): void
}

/** The key of the part of a content. A part is finished by who began it: parts of different catalogs have nothing to do with each other. */
export function partKey (cid: CID, into: CatalogName): string {
  return into === 'catalog' ? String(cid) : `${into}${cid}`
}

/** The catalogs there are. */
export class Catalogs {
  readonly #catalogs = new Map<CatalogName, TransferCatalog>()

  constructor (components: Pick<TransferComponents, 'catalog' | 'kept'>) {
    const { catalog, kept } = {
      catalog: optionalComponent(() => components.catalog),
      kept: optionalComponent(() => components.kept)
    }

    // what the node shares itself is looked at first
    if (catalog != null) {
      this.#catalogs.set('catalog', catalog)
    }

    if (kept != null) {
      this.#catalogs.set('kept', kept)
    }
  }

  /** Begins to listen to all of them; returns what ends that. */
  listen ({ added, removed }: CatalogsListener): () => void {
    this.#catalogs.forEach(catalog => {
      catalog.addEventListener('entry:added', added)
      catalog.addEventListener('entry:removed', removed)
    })

    return () => {
      this.#catalogs.forEach(catalog => {
        catalog.removeEventListener('entry:added', added)
        catalog.removeEventListener('entry:removed', removed)
      })
    }
  }

  /** One of them, if it is there. */
  named (name: CatalogName): TransferCatalog | undefined {
    return this.#catalogs.get(name)
  }

  /** All entries. */
  * entries (): Generator<Entry> {
    for (const catalog of this.#catalogs.values()) {
      yield * catalog.entries()
    }
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
