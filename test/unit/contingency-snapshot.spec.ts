import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { encodeItem, entryItem, keyOfBytes, toWire } from '../../src/contingency/item-codec.ts'
import { Items } from '../../src/contingency/items.ts'
import { buildSnapshot, MAX_BLOCK_SIZE, readPage, readRoot } from '../../src/contingency/snapshot.ts'
import { hashSync } from '../../src/content/index.ts'
import { cidAt } from '../../src/content/node.ts'
import { randomInt, seededRandom, shuffle } from '../../src/random.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { cidOf, entryOf, goneOf, keyOf, randomItems, vaultOf } from '../fixtures/items.ts'
import type { Item } from '../../src/contingency/items.ts'
import type { Snapshot } from '../../src/contingency/snapshot.ts'

function itemsOf (all: Iterable<Item>): Items {
  const items = new Items()
  items.merge(all)

  return items
}

/** Many items of every type, quickly. */
function many (count: number, from = 0): Item[] {
  return Array.from({ length: count }, (_, i) => {
    const name = `${from + i}`

    return [entryOf(name), vaultOf(name), goneOf(name)][i % 3]
  })
}

function block (snapshot: Snapshot, cid = snapshot.root): Uint8Array {
  return snapshot.blocks.get(String(cid)) ?? new Uint8Array()
}

/** All items of the blocks, read the way a contingent does. */
function readAll (snapshot: Snapshot): Item[] {
  const { pages } = readRoot(block(snapshot))

  return pages.flatMap((cid, number) => readPage(block(snapshot, cid), number, pages.length))
}

function contentOf (items: Iterable<Item>): string[] {
  return [...items].map(item => `${item.key} ${keyOfBytes(encodeItem(item))}`).sort()
}

describe('contingency snapshot', () => {
  it('gives back what it was made of', () => {
    for (const count of [0, 1, 64, 65, 1000, 3000]) {
      const items = itemsOf(many(count))
      const snapshot = buildSnapshot(items)
      const { items: size, bytes, pages } = readRoot(block(snapshot))

      expect({ size, bytes }).to.deep.equal({ size: count, bytes: items.bytes })
      expect(pages.length).to.equal(2 ** Math.max(0, Math.ceil(Math.log2(count / 64))))
      expect(contentOf(readAll(snapshot))).to.deep.equal(contentOf(items.values()))
    }
  })

  it('gives back every field', () => {
    const all: Item[] = [
      entryOf('Ünïcödé 👩‍🚀.png', { path: 'a/b', mediaType: 'image/png', modified: -1, version: 2 ** 40, size: 2 ** 40 }),
      vaultOf('b', { name: new Uint8Array([0, 255]), size: 5_000_000 }),
      goneOf('c', Number.MAX_SAFE_INTEGER)
    ]

    expect(readAll(buildSnapshot(itemsOf(all)))).to.have.deep.members(all)
  })

  it('names every block by its hash, in one raw block', () => {
    const snapshot = buildSnapshot(itemsOf(many(1000)))
    const { pages } = readRoot(block(snapshot))

    expect(new Set(snapshot.blocks.keys())).to.deep.equal(new Set([snapshot.root, ...pages].map(String)))

    for (const [cid, bytes] of snapshot.blocks) {
      expect(cid).to.equal(String(cidAt(0, hashSync(bytes))))
      expect(bytes.byteLength).to.be.at.most(MAX_BLOCK_SIZE)
    }
  })

  it('has one root for the same items, whatever their order and history', () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = seededRandom(seed)
      const all = [...many(randomInt(random, 300)), ...randomItems(random, 40)]
      const [a, b] = [itemsOf(all), new Items()]
      let snapshot: Snapshot | undefined

      for (const item of shuffle(random, [...all])) {
        b.put(item)
        snapshot = randomInt(random, 10) === 0 ? buildSnapshot(b, snapshot) : snapshot
      }

      expect(String(buildSnapshot(b, snapshot).root), `seed ${seed}`).to.equal(String(buildSnapshot(a).root))
    }
  })

  it('differs in one page and the root after one change', () => {
    const items = itemsOf(many(3000))
    const before = buildSnapshot(items)
    items.put(entryOf('1500', { version: 2 }))
    const after = buildSnapshot(items, before)
    const fresh = [...after.blocks.keys()].filter(cid => !before.blocks.has(cid))
    const reused = after.from.pages.filter(page => before.from.pages.includes(page))

    expect(fresh).to.have.length(2)
    expect(reused).to.have.length(after.from.pages.length - 1)
    expect(String(buildSnapshot(itemsOf(items.values())).root)).to.equal(String(after.root))
  })

  it('notices a tombstone that was let go', () => {
    const items = new Items({ maxTombstones: 2 })
    items.merge([goneOf('a', 1), goneOf('b', 2)])
    const before = buildSnapshot(items)
    items.put(goneOf('c', 3))

    expect(contentOf(readAll(buildSnapshot(items, before)))).to.deep.equal(contentOf([goneOf('b', 2), goneOf('c', 3)]))
  })

  it('takes no page of other items', () => {
    const before = buildSnapshot(itemsOf(many(10)))
    const items = itemsOf(many(10, 10))

    expect(String(buildSnapshot(items, before).root)).to.equal(String(buildSnapshot(items).root))
  })

  it('holds a hundred thousand items, and changes one of them in a few blocks', function () {
    this.timeout(60_000)
    const items = itemsOf(many(100_000))
    const begin = Date.now()
    const before = buildSnapshot(items)
    const built = Date.now()
    items.put(goneOf('7', 2))
    const after = buildSnapshot(items, before)
    console.log(`      ${before.from.pages.length} pages in ${built - begin} ms, one of them again in ${Date.now() - built} ms`)

    expect(after.from.pages.filter((page, i) => page !== before.from.pages[i])).to.have.length(1)
    expect(block(after).byteLength).to.be.below(128 * 1024)
  })

  it('leaves out what does not fit a page, names it, and keeps all else', () => {
    const path = Array.from({ length: 16 }, () => 'x'.repeat(255)).join('/')
    const crowd: Item[] = []

    // 303 items make 8 pages, and these all belong into the first
    for (let number = 0; crowd.length < 300; number++) {
      const item = entryItem({ cid: cidOf('a'), size: 1, name: `${number}`, path }, 1)

      if (item.key < '2') {
        crowd.push(item)
      }
    }

    const others = [vaultOf('value', { key: keyOf('value', '0') }), { ...goneOf('gone'), key: keyOf('gone', '0') }, entryOf('short')]
    const items = itemsOf([...crowd, ...others])
    const snapshot = buildSnapshot(items)
    const read = readAll(snapshot)

    expect(readRoot(block(snapshot)).pages).to.have.length(8)
    expect(snapshot.omitted.length).to.be.within(40, 60)
    expect(read).to.include.deep.members(others)
    expect([...read.map(({ key }) => key), ...snapshot.omitted]).to.have.members([...items.values()].map(({ key }) => key))
    expect(Math.max(...[...snapshot.blocks.values()].map(({ byteLength }) => byteLength))).to.be.within(MAX_BLOCK_SIZE - 5000, MAX_BLOCK_SIZE)
    expect(buildSnapshot(items, snapshot).omitted).to.deep.equal(snapshot.omitted)
  })
})

describe('contingency snapshot: hostile blocks', () => {
  const items = itemsOf(many(100))
  const good = buildSnapshot(items)
  const rootBytes = block(good)
  const { pages } = readRoot(rootBytes)
  const page = readPage(block(good, pages[1]), 1, 2)
  const fields = { version: 1, items: 100, bytes: 5, pages: new Uint8Array(64) }
  const vault = page.find(item => item.type === 'vault') as Item
  const wire = toWire(vault)
  const entry = toWire(page.find(item => item.type === 'entry') as Item)
  const ELSEWHERE = 'an item of another page'
  const replaced = (list: unknown[], at: number, value: unknown): unknown[] => list.with(at, value)

  const ROOTS: Array<[string, unknown]> = [
    ['a list', []],
    ['nothing', null],
    ['another version', { ...fields, version: 2 }],
    ['no count', { ...fields, items: undefined }],
    ['a count below nothing', { ...fields, items: -1 }],
    ['more items than there may be', { ...fields, items: 1_000_001 }],
    ['half a byte', { ...fields, bytes: 0.5 }],
    ['a page too few', { ...fields, pages: new Uint8Array(32) }],
    ['a page too many', { ...fields, pages: new Uint8Array(96) }],
    ['a hash that is cut off', { ...fields, pages: new Uint8Array(63) }],
    ['pages as text', { ...fields, pages: 'x'.repeat(64) }],
    ['more than a block', { ...fields, more: new Uint8Array(MAX_BLOCK_SIZE) }]
  ]

  for (const [what, value] of ROOTS) {
    it(`of a root with ${what} are refused`, () => {
      expect(() => readRoot(encode(value))).to.throw().with.property('name', 'InvalidMessageError')
    })
  }

  const PAGES: Array<[string, unknown]> = [
    ['a map', {}],
    ['an item twice', [wire, wire]],
    ['the wrong order', page.map(toWire).reverse()],
    [ELSEWHERE, readPage(block(good, pages[0]), 0, 2).map(toWire)],
    ['an item of no type', [replaced(wire, 0, 3)]],
    ['an item that is a map', [{ type: 1 }]],
    ['an item with more to say', [[...wire, 1]]],
    ['an item with far more to say', [[...entry, 1]]],
    ['a key that is too short', [replaced(wire, 2, new Uint8Array(15))]],
    ['a key as text', [replaced(wire, 2, vault.key)]],
    ['a version below nothing', [replaced(wire, 1, -1)]],
    ['a version that is no number', [replaced(wire, 1, 'x')]],
    ['a size over the limit', [replaced(entry, 3, 2 ** 41)]],
    ['a size that is no number', [replaced(entry, 3, null)]],
    ['a CID of another kind', [replaced(entry, 2, new Uint8Array(36))]],
    ['a CID that is cut off', [replaced(entry, 2, cidOf('a').bytes.slice(1))]],
    ['a name that leads elsewhere', [replaced(entry, 5, '../x')]],
    ['a path that leads elsewhere', [replaced(entry, 4, '/etc')]],
    ['a name that is no text', [replaced(entry, 5, 7)]],
    ['a media type that is none', [replaced(entry, 6, 'film')]],
    ['half a millisecond', [replaced(entry, 7, 0.5)]],
    ['a sealed name without end', [replaced(wire, 5, new Uint8Array(600))]]
  ]

  for (const [what, value] of PAGES) {
    it(`of a page with ${what} are refused`, () => {
      expect(() => readPage(encode(value), what === ELSEWHERE ? 1 : 0, what === ELSEWHERE ? 2 : 1)).to.throw().with.property('name', 'InvalidMessageError')
    })
  }

  it('are told from good ones', () => {
    expect(readRoot(encode(fields)).pages).to.have.length(2)
    expect(readPage(encode([wire]), 0, 1)).to.deep.equal([vault])
    expect(readPage(encode([entry]), 0, 1)).to.have.length(1)
  })

  it('of the same items written in another way are refused', () => {
    const written = encode([wire])
    // the version 1 as a byte of its own
    const longer = Uint8Array.from([...written.subarray(0, 3), 0xcc, ...written.subarray(3)])

    expect(readPage(written, 0, 1)).to.have.length(1)
    expect(() => readPage(longer, 0, 1)).to.throw().with.property('name', 'InvalidMessageError')
  })

  it('of any kind are refused or read, and nothing else', () => {
    const random = seededRandom(1)
    const source = block(good, pages[1])
    let refused = 0

    for (let i = 0; i < 1500; i++) {
      const bytes = source.slice(0, randomInt(random, 3) === 0 ? randomInt(random, source.length) : undefined)

      for (let j = randomInt(random, 4); j >= 0 && bytes.length > 0; j--) {
        bytes[randomInt(random, bytes.length)] = randomInt(random, 256)
      }

      try {
        const read = readPage(bytes, 1, 2)
        expect(sameBytes(encode(read.map(toWire)), bytes)).to.equal(true)
        new Items().merge(read)
      } catch (err) {
        expect(err).to.have.property('name', 'InvalidMessageError')
        refused++
      }
    }

    expect(refused).to.be.within(300, 1499)
  })

  it('that announce what would take all memory are refused', () => {
    expect(() => readPage(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), 0, 1)).to.throw().with.property('name', 'InvalidMessageError')
    expect(() => readPage(new Uint8Array(1_000_000).fill(0x91), 0, 1)).to.throw().with.property('name', 'InvalidMessageError')
    expect(() => readRoot(new Uint8Array())).to.throw().with.property('name', 'InvalidMessageError')
  })
})
