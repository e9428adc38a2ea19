/**
 * Fetching what a ward has: the root of its snapshot, the pages that have
 * changed, and the contents that are missing, the important ones first.
 *
 * @module
 */

import { CID } from 'multiformats/cid'
import { ProtocolError } from '../errors.ts'
import { inParallel } from '../parallel.ts'
import { selectItems } from './selection.ts'
import { readPage, readRoot } from './snapshot.ts'
import type { Blocks } from './blocks.ts'
import type { ContingencyTransfer } from './components.ts'
import type { EntryItem, Item, VaultItem } from './items.ts'
import type { PeerKey } from '../core.ts'
import type { AbortOptions, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Contents that are fetched at once for one ward. */
const CONCURRENCY = 4

/** Bytes of pages that are taken whatever the quota is: those of 100,000 items. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024

/** How long to look for somebody who has something, in ms: the ward tries again. */
const PATIENCE = 10_000

/** What is in a snapshot, as far as a quota goes. */
export interface Contents {
  /** Everything the ward has, tombstones among it. */
  items: Item[]

  /** What of it is kept. */
  selected: Array<EntryItem | VaultItem>

  /** CIDs of all that has to be kept: root, pages and contents. */
  cids: Set<string>

  /** What each page has, by CID, for the next snapshot, which has most of them too. */
  pages: Map<string, Page>
}

interface Page {
  items: Item[]
  bytes: number

  /** Which of how many it is: as another one, the same bytes would be wrong. */
  number: number
  count: number
}

/** Settings of a look into a snapshot. */
interface ReadOptions extends AbortOptions {
  /** An earlier one of the same ward: only pages that have changed are read. */
  previous?: Contents
}

export interface FetchingInit {
  blocks: Blocks
  transfer: ContingencyTransfer

  /** Who may have it, as sources. */
  source: (peer: PeerKey) => { holder: PeerId, addresses?: Multiaddr[] }
}

export interface SnapshotToFetch {
  root: string
  rootSize: number

  /** Bytes of contents, at most. */
  quota: number

  /** Who may have it; nothing is fetched without them. */
  sources?: PeerKey[]
}

/** Is told what a fetch brings here, before it does. */
export interface FetchListener {
  /** CIDs of the root and its pages. */
  onPages (cids: Set<string>): void

  /** CIDs of all that has to be kept; the contents are fetched when it resolves. */
  onContents (cids: Set<string>): Promise<void>
}

export class Fetching {
  readonly #init: FetchingInit

  constructor (init: FetchingInit) {
    this.#init = init
  }

  /**
   * Fetches what is missing of a snapshot, and everything in it. The listener
   * is told what will be needed, as soon as that is known.
   *
   * @throws {InvalidMessageError} it is not a snapshot
   * @throws {ProtocolError} the ward lied about a size
   * @throws {NotFoundError} nobody who can be reached has some of it
   * @throws {StoreFullError} there is no room
   */
  async fetch (snapshot: SnapshotToFetch, { onPages, onContents }: FetchListener, { previous, ...options }: ReadOptions = {}): Promise<Contents> {
    const contents = await this.readAll(snapshot, { ...options, previous, onPages })
    await onContents(contents.cids)
    const missing = distinct(contents.selected).filter(({ cid }) => !this.#init.blocks.has(cid))
    let lost: unknown
    await inParallel(missing, CONCURRENCY, async ({ cid, size }) => {
      await this.download(cid, size, { ...options, sources: snapshot.sources ?? [], background: true }).catch((err: unknown) => {
        if ((err as Error).name !== 'NotFoundError') {
          throw err
        }

        // the rest is not to wait for what nobody may have any more
        lost = err
      })
    }, options)

    if (lost != null) {
      throw lost
    }

    return contents
  }

  /** What is in a snapshot, of which the root and the pages are fetched if need be. */
  async readAll ({ root, rootSize, quota, sources }: SnapshotToFetch, { onPages, previous, ...options }: ReadOptions & Partial<FetchListener> = {}): Promise<Contents> {
    const rootCid = CID.parse(root)
    onPages?.(new Set([root]))
    await this.#need(rootCid, rootSize, sources, options)
    const { pages, items: most } = readRoot(await this.#init.blocks.read(rootCid))
    onPages?.(new Set([rootCid, ...pages].map(String)))
    const read: Page[] = []
    let pageBytes = 0
    let count = 0
    await inParallel(pages.entries(), CONCURRENCY, async ([number, cid]) => {
      const known = previous?.pages.get(cid.toString())
      const isSame = known?.number === number && known.count === pages.length && this.#init.blocks.has(cid)
      const page = isSame ? known : await this.#readPage(cid, number, pages.length, sources, options)
      pageBytes += page.bytes
      count += page.items.length
      read[number] = page

      if (pageBytes > MAX_PAGE_BYTES + quota) {
        throw new ProtocolError('The list of what is to be kept is larger than that')
      }

      if (count > most) {
        throw new ProtocolError(`There are more than the ${most} items that the root tells of`)
      }
    }, options)
    const all = read.flatMap(({ items }) => items)
    const selected = selectItems(all, quota).items

    return {
      items: all,
      selected,
      cids: new Set([rootCid, ...pages, ...selected.map(({ cid }) => cid)].map(String)),
      pages: new Map(pages.map((cid, number) => [cid.toString(), read[number]]))
    }
  }

  async #readPage (cid: CID, number: number, count: number, sources: PeerKey[] | undefined, options: AbortOptions): Promise<Page> {
    await this.#need(cid, undefined, sources, options)
    const bytes = await this.#init.blocks.read(cid)

    return { items: readPage(bytes, number, count), bytes: bytes.byteLength, number, count }
  }

  /**
   * Fetches one content, which is kept then.
   *
   * @param size - what the ward says of it; another size is a lie, which might fill the disk
   */
  async download (cid: CID, size: number | undefined, { sources, background, signal }: { sources: PeerKey[], background?: boolean } & AbortOptions): Promise<void> {
    const { transfer, source } = this.#init
    const wrong = new AbortController()

    await transfer.download(cid, {
      name: String(cid),
      size,
      sources: sources.map(source),
      into: 'kept',
      background,
      patience: PATIENCE,
      signal: signal == null ? wrong.signal : AbortSignal.any([signal, wrong.signal]),
      onProgress: event => {
        if (event.type === 'transfer:progress' && size != null && event.detail.size != null && event.detail.size !== size) {
          wrong.abort(new ProtocolError(`${cid} has ${event.detail.size} bytes, not ${size}`))
        }
      }
    })
  }

  async #need (cid: CID, size: number | undefined, sources: PeerKey[] | undefined, options: AbortOptions): Promise<void> {
    if (!this.#init.blocks.has(cid) && sources != null) {
      await this.download(cid, size, { ...options, sources })
    }
  }
}

function distinct (items: Array<EntryItem | VaultItem>): Array<EntryItem | VaultItem> {
  return [...new Map(items.map(item => [String(item.cid), item])).values()]
}
