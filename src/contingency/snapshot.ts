/**
 * Items as blocks that are named by their hash, so that only what changed
 * travels.
 *
 * By the first bits of their keys, items are put into 2^n *pages*, with n such
 * that a page has 64 of them or less on average. A page is the MessagePack
 * list of its items, sorted by key; the *root* is the MessagePack map
 *
 * `{ version: 1, items, bytes, pages }`
 *
 * of the number of items, the bytes of their contents, and the SHA-256 of all
 * pages, joined. Both are raw blocks of at most 1 MiB. The same items make the
 * same blocks, wherever they are, and in whatever order they came.
 *
 * A stranger may choose the names of files so that all of them belong into one
 * page. What does not fit is left out of it, and named: nothing else suffers.
 *
 * @module
 */

import { Decoder, encode } from '@msgpack/msgpack'
import { HASH_SIZE, hashSync, PIECE_SIZE } from '../content/index.ts'
import { cidAt } from '../content/node.ts'
import { InvalidMessageError } from '../errors.ts'
import { parseBytes, parseFields, parseInteger, parseList } from '../wire/parse.ts'
import { encodeItem, encodeItems, parseItem } from './item-codec.ts'
import { GROUP_BITS, MAX_ITEMS } from './items.ts'
import type { Group, Item, ItemKey, Items } from './items.ts'
import type { Parse } from '../wire/parse.ts'
import type { CID } from 'multiformats/cid'

/** Bytes of a root or a page, at most: those of one raw block. */
export const MAX_BLOCK_SIZE = PIECE_SIZE

/** Items in a page on average, at most: a change costs a page of some 10 KiB and the root, which has 32 bytes for each page. */
const PAGE_ITEMS = 64

/** Pages of {@link MAX_ITEMS}; their hashes take 512 KiB. */
const MAX_PAGES = 2 ** GROUP_BITS

/** Items that fit a page: the shortest takes 20 bytes. */
const MAX_PAGE_ITEMS = MAX_BLOCK_SIZE / 16

const VERSION = 1

/** Room for the head of a list, at most, in bytes. */
const LIST_HEAD_SIZE = 5

const decoder = new Decoder({ maxArrayLength: MAX_PAGE_ITEMS, maxMapLength: 16, maxExtLength: 0, maxStrLength: 16 * 1024, maxBinLength: MAX_BLOCK_SIZE })

/** All items of a ward as blocks. */
export interface Snapshot {
  root: CID

  /** The root and all pages, by CID. */
  blocks: Map<string, Uint8Array>

  /** Entries that found no room in their page, and are not kept by anybody. */
  omitted: ItemKey[]

  /** What the next snapshot is made from. */
  from: { items: Items, revision: number, newest: number, pages: Page[] }
}

/** A page, encoded. */
interface Page {
  cid: CID
  bytes: Uint8Array
  omitted: ItemKey[]
}

/** What a root says. */
export interface Root {
  /** Items in all pages together, at most, tombstones among them. */
  items: number

  /** Bytes of the contents of all items, each counted once, by the word of the ward. */
  bytes: number

  /** All pages, in order; some may be the same: those without items. */
  pages: CID[]
}

/**
 * Makes blocks of items.
 *
 * @param previous - an earlier snapshot of the same items; pages that have not changed since are taken from it
 */
export function buildSnapshot (items: Items, previous?: Snapshot): Snapshot {
  const count = pageCount(items.size)
  const old = previous?.from.items === items && previous.from.pages.length === count ? previous.from : undefined
  const pages = groupsOfPages(items, count).map((groups, number) => {
    return old == null || groups.some(({ revision }) => revision > old.revision) ? buildPage(groups) : old.pages[number]
  })
  const rootBytes = encode({
    version: VERSION,
    items: items.size,
    bytes: Math.min(items.bytes, Number.MAX_SAFE_INTEGER),
    pages: joinHashes(pages)
  })
  const root = cidAt(0, hashSync(rootBytes))

  return {
    root,
    blocks: new Map([[root.toString(), rootBytes], ...pages.map(({ cid, bytes }) => [cid.toString(), bytes] as const)]),
    omitted: pages.flatMap(({ omitted }) => omitted),
    from: { items, revision: items.revision, newest: items.newest, pages }
  }
}

/**
 * Reads a root, whose hash somebody has checked.
 *
 * @throws {InvalidMessageError} it is none
 */
export function readRoot (bytes: Uint8Array): Root {
  return read(bytes, 'root', parseRoot)
}

/**
 * Reads the items of a page, whose hash somebody has checked.
 *
 * @param number - which page of the root it is, from 0
 * @param pages - how many pages there are
 * @throws {InvalidMessageError} it is not the only way to write a list of items that belong there
 */
export function readPage (bytes: Uint8Array, number: number, pages: number): Item[] {
  return read(bytes, 'page', value => parsePage(value, number, Math.log2(pages), bytes))
}

function read<T> (bytes: Uint8Array, what: string, parse: Parse<T>): T {
  try {
    return parse(decoder.decode(parseBytes(bytes, what, 1, MAX_BLOCK_SIZE)))
  } catch (err) {
    throw new InvalidMessageError(`This is not a ${what} of items`, { cause: err })
  }
}

function parseRoot (value: unknown): Root {
  const fields = parseFields(value, 'root')
  parseInteger(fields.version, 'root.version', VERSION, VERSION)
  const items = parseInteger(fields.items, 'root.items', 0, MAX_ITEMS)
  const size = HASH_SIZE * pageCount(items)
  const hashes = parseBytes(fields.pages, 'root.pages', size, size)

  return {
    items,
    bytes: parseInteger(fields.bytes, 'root.bytes'),
    // copied, since a view would keep the block in memory
    pages: Array.from({ length: pageCount(items) }, (_, i) => cidAt(0, hashes.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE)))
  }
}

function parsePage (value: unknown, number: number, bits: number, bytes: Uint8Array): Item[] {
  const items = parseList(value, 'page', MAX_PAGE_ITEMS, parseItem)

  items.forEach(({ key }, i) => {
    if (pageOf(key, bits) !== number) {
      throw new TypeError('An item belongs into another page')
    }

    if (i > 0 && key <= items[i - 1].key) {
      throw new TypeError('Items should be sorted, and each should be there once')
    }
  })

  if (!equals(encodeItems(items), bytes)) {
    throw new TypeError('Items should be written in the shortest way')
  }

  return items
}

/** The pages for so many items: a power of two. */
function pageCount (items: number): number {
  let count = 1

  while (count * PAGE_ITEMS < items && count < MAX_PAGES) {
    count *= 2
  }

  return count
}

function pageOf (key: ItemKey, bits: number): number {
  return parseInt(key.slice(0, 8), 16) >>> (31 - bits) >>> 1
}

/** Which groups belong to each page. */
function groupsOfPages (items: Items, count: number): Group[][] {
  const pages = Array.from({ length: count }, (): Group[] => [])

  for (const [number, group] of items.groups()) {
    pages[Math.floor(number * count / MAX_PAGES)].push(group)
  }

  return pages
}

function buildPage (groups: Group[]): Page {
  const items = groups.flatMap(group => [...group.items.values()]).sort((a, b) => a.key < b.key ? -1 : 1)
  const bytes = encodeItems(items)

  if (bytes.byteLength <= MAX_BLOCK_SIZE) {
    return { cid: cidAt(0, hashSync(bytes)), bytes, omitted: [] }
  }

  const fitting = fit(items)
  const shorter = encodeItems(items.filter(item => fitting.has(item)))

  return { cid: cidAt(0, hashSync(shorter)), bytes: shorter, omitted: items.filter(item => !fitting.has(item)).map(({ key }) => key) }
}

/** What fits a page: first what makes sure that nothing comes back, then the vault, then entries, the shortest of each first. */
function fit (items: Item[]): Set<Item> {
  const ranked = items.map(item => ({ item, size: encodeItem(item).byteLength, rank: ['gone', 'vault', 'entry'].indexOf(item.type) }))
  ranked.sort((a, b) => a.rank - b.rank || a.size - b.size || (a.item.key < b.item.key ? -1 : 1))
  const fitting = new Set<Item>()
  let room = MAX_BLOCK_SIZE - LIST_HEAD_SIZE

  for (const { item, size } of ranked) {
    if (size > room) {
      break
    }

    fitting.add(item)
    room -= size
  }

  return fitting
}

function joinHashes (pages: Page[]): Uint8Array {
  const joined = new Uint8Array(pages.length * HASH_SIZE)
  pages.forEach(({ cid }, i) => { joined.set(cid.multihash.digest, i * HASH_SIZE) })

  return joined
}

function equals (a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i])
}
