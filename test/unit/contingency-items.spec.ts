import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { encodeItem, entryItem, entryKey, keyOfBytes } from '../../src/contingency/item-codec.ts'
import { Items } from '../../src/contingency/items.ts'
import { selectItems } from '../../src/contingency/selection.ts'
import { hashSync, PIECE_SIZE } from '../../src/content/index.ts'
import { randomInt, seededRandom, shuffle } from '../../src/random.ts'
import { cidOf, entryOf, goneOf, keyOf, randomItems, vaultOf } from '../fixtures/items.ts'
import type { Item } from '../../src/contingency/items.ts'

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed)

function itemsOf (...all: Item[]): Items {
  const items = new Items()
  items.merge(all)

  return items
}

/** Items in an order of their own, as they would be written. */
function contentOf (items: Items): string[] {
  return [...items.values()].map(item => `${item.key} ${keyOfBytes(encodeItem(item))}`).sort()
}

/** What counts of these items, found in another way. */
function naive (all: Item[]): string[] {
  const best = new Map<string, Item>()
  const rank = (item: Item): string => [
    String(item.version).padStart(20, '0'), item.type === 'gone' ? 0 : 1, keyOfBytes(encodeItem(item))
  ].join(' ')

  for (const item of all) {
    const known = best.get(item.key)

    if (known == null || rank(item) > rank(known)) {
      best.set(item.key, item)
    }
  }

  return [...best.values()].map(item => `${item.key} ${keyOfBytes(encodeItem(item))}`).sort()
}

describe('contingency items: keys', () => {
  it('are the first 16 bytes of SHA-256 over CID, path and name', () => {
    const entry = { cid: cidOf('a'), path: 'b/c', name: 'd' }

    expect(entryKey(entry)).to.equal(keyOfBytes(hashSync(encode([entry.cid.bytes, 'b/c', 'd'])).subarray(0, 16)))
  })

  it('differ when a name and a path are cut at another place', () => {
    const cid = cidOf('a')
    const keys = [['a/b', 'c'], ['a', 'bc'], ['', 'abc'], ['ab', 'c'], ['abc', 'a']].map(([path, name]) => entryKey({ cid, path, name }))

    expect(new Set(keys).size).to.equal(keys.length)
  })

  it('are the same for an entry and its item, whatever was left out', () => {
    const entry = { cid: cidOf('a'), size: 1, name: 'a', path: 'x'.repeat(5000), mediaType: 'none', modified: 1.5 }
    const item = entryItem(entry, 3)

    expect(item).to.deep.equal({ type: 'entry', key: entryKey(entry), version: 3, cid: entry.cid, size: 1, name: 'a', path: '' })
  })
})

describe('contingency items: the newest counts', () => {
  it('by version', () => {
    const items = itemsOf(entryOf('a', { version: 2 }))

    expect(items.put(entryOf('a', { version: 1, modified: 9 }))).to.equal(false)
    expect(items.put(entryOf('a', { version: 2 }))).to.equal(false)
    expect(items.put(entryOf('a', { version: 3 }))).to.equal(true)
    expect(items.get(entryOf('a').key)).to.have.property('version', 3)
  })

  it('deleted or not', () => {
    const items = itemsOf(vaultOf('a', { version: 1 }))

    expect(items.put(goneOf('a', 2))).to.equal(true)
    expect(items.put(vaultOf('a', { version: 1 }))).to.equal(false)
    expect(items.live).to.equal(0)
    expect(items.put(vaultOf('a', { version: 3 }))).to.equal(true)
    expect(items.live).to.equal(1)
  })

  it('and what is there before what is gone, at the same version', () => {
    expect(itemsOf(vaultOf('a'), goneOf('a')).live).to.equal(1)
    expect(itemsOf(goneOf('a'), vaultOf('a')).live).to.equal(1)
  })

  it('in whatever order they come, however often, from whatever side', () => {
    for (const seed of SEEDS) {
      const random = seededRandom(seed)
      const [a, b, c] = [12, 12, 12].map(count => randomItems(random, randomInt(random, count)))
      const expected = naive([...a, ...b, ...c])
      const merged = (...sides: Items[]): Items => itemsOf(...sides.flatMap(side => [...side.values()]))

      expect(contentOf(merged(merged(itemsOf(...a), itemsOf(...b)), itemsOf(...c))), `seed ${seed}`).to.deep.equal(expected)
      expect(contentOf(merged(itemsOf(...c), merged(itemsOf(...b), itemsOf(...a)))), `seed ${seed}`).to.deep.equal(expected)
      expect(contentOf(itemsOf(...shuffle(random, [...a, ...b, ...c, ...a]))), `seed ${seed}`).to.deep.equal(expected)

      const items = itemsOf(...a)
      expect(items.merge(itemsOf(...a).values()), `seed ${seed}`).to.deep.equal([])
    }
  })

  it('and a merge tells what changed by it', () => {
    for (const seed of SEEDS) {
      const random = seededRandom(seed)
      const items = itemsOf(...randomItems(random, 10))
      const before = contentOf(items)
      const changed = items.merge(randomItems(random, 10)).map(item => `${item.key} ${keyOfBytes(encodeItem(item))}`)

      expect(changed.sort(), `seed ${seed}`).to.deep.equal(contentOf(items).filter(item => !before.includes(item)))
    }
  })
})

describe('contingency items: what they count', () => {
  it('agrees with what is there, whatever happened', () => {
    for (const seed of SEEDS) {
      const items = new Items()
      randomItems(seededRandom(seed), 60).forEach(item => { items.put(item) })
      const all = [...items.values()]
      const live = all.filter(item => item.type !== 'gone')
      const vault = live.filter(item => item.type === 'vault')
      const contents = new Map(live.map(({ cid, size }) => [`${cid} ${size}`, size]))

      expect(items.size).to.equal(all.length)
      expect(items.live).to.equal(live.length)
      expect(items.bytes).to.equal([...contents.values()].reduce((sum, size) => sum + size, 0))
      expect(items.vaultBytes).to.equal(vault.reduce((sum, { size }) => sum + size, 0))
      expect([...items.vault()]).to.have.members(vault)
      expect(live.every(item => items.needs(item))).to.equal(true)
    }
  })

  it('tells when nothing needs a content any more', () => {
    const cid = cidOf('shared')
    const [a, b] = [vaultOf('a', { cid }), vaultOf('b', { cid })]
    const items = itemsOf(a, b)
    items.put(goneOf('a', 2))
    expect(items.needs(a)).to.equal(true)
    items.put(goneOf('b', 2))
    expect(items.needs(a)).to.equal(false)
    expect(items.bytes).to.equal(0)
  })
})

describe('contingency items: limits', () => {
  const BAD: Array<[string, Item]> = [
    ['a key in capitals', { type: 'gone', key: keyOf('a').toUpperCase(), version: 1 }],
    ['a short key', { type: 'gone', key: 'ab', version: 1 }],
    ['a negative version', goneOf('a', -1)],
    ['half a version', goneOf('a', 1.5)],
    ['a negative size', { ...vaultOf('a'), size: -1 }],
    ['the CID of a large content for a small one', { ...vaultOf('a'), cid: cidOf('a', 2 * PIECE_SIZE) }],
    ['the CID of a small content for a large one', { ...vaultOf('a'), size: PIECE_SIZE + 1 }],
    ['a name that leads elsewhere', { ...entryOf('a'), name: '..' }],
    ['a name with a line break', { ...entryOf('a'), name: 'a\nb' }],
    ['a name that is too long', { ...entryOf('a'), name: 'é'.repeat(128) }],
    ['a path that leads elsewhere', { ...entryOf('a'), path: 'a/../b' }],
    ['a path that is too long', { ...entryOf('a'), path: 'a'.repeat(5000) }],
    ['a media type that is none', { ...entryOf('a'), mediaType: 'film' }],
    ['an encrypted name that is too long', { ...vaultOf('a'), name: new Uint8Array(600) }]
  ]

  for (const [what, item] of BAD) {
    it(`refuse ${what}, and change nothing`, () => {
      const items = new Items()

      expect(() => items.merge([entryOf('good'), item])).to.throw().with.property('name', 'InvalidParametersError')
      expect(items.size).to.equal(0)
    })
  }

  it('refuse more than there may be, and change nothing', () => {
    const items = new Items({ maxItems: 15, maxTombstones: 5 })
    items.merge(Array.from({ length: 10 }, (_, i) => vaultOf(`${i}`)))

    expect(() => items.put(vaultOf('more'))).to.throw().with.property('name', 'StoreFullError')
    expect(items.put(vaultOf('1', { version: 2 }))).to.equal(true)
    expect(items.merge([goneOf('1', 3), vaultOf('more')])).to.have.length(2)
    expect(items.live).to.equal(10)
  })

  it('let the oldest tombstones go, the same ones on every side', () => {
    for (const seed of SEEDS.slice(0, 50)) {
      const random = seededRandom(seed)
      const all = Array.from({ length: 40 }, (_, i) => goneOf(`${i}`, randomInt(random, 6)))
      const kept = [...all].sort((a, b) => b.version - a.version || (a.key > b.key ? -1 : 1)).slice(0, 10)

      for (let i = 0; i < 3; i++) {
        const items = new Items({ maxTombstones: 10 })
        shuffle(random, all).forEach(item => { items.put(item) })

        expect([...items.values()], `seed ${seed}`).to.have.deep.members(kept)
      }
    }
  })

  it('hold when things go and come back again and again', () => {
    const items = new Items({ maxTombstones: 10 })

    for (let version = 1; version < 10_000; version += 2) {
      const name = String(version % 7)
      items.put(goneOf(name, version))
      items.put(vaultOf(name, { version: version + 1 }))
    }

    expect(items.size).to.equal(7)
    expect(items.live).to.equal(7)
  })

  it('hold when all of many is deleted', () => {
    const items = new Items({ maxTombstones: 1000 })
    const names = Array.from({ length: 20_000 }, (_, i) => `${i}`)
    items.merge(names.map(name => vaultOf(name)))
    names.forEach((name, i) => { items.put(goneOf(name, 2 + i)) })

    expect(items.live).to.equal(0)
    expect([...items.values()].map(({ version }) => version).sort((a, b) => a - b)[0]).to.equal(19_002)
  })
})

describe('contingency items: what a contingent keeps', () => {
  const namesOf = (items: Item[], quota: number): string[] => {
    return selectItems(items, quota).items.map(item => item.type === 'entry' ? item.name : new TextDecoder().decode(item.name))
  }

  it('is the vault before everything else, then the smallest contents', () => {
    const items = [entryOf('large', { size: 100 }), entryOf('small', { size: 5 }), vaultOf('big value', { size: 50 }), vaultOf('value', { size: 3 }), goneOf('gone')]

    expect(namesOf(items, 1000)).to.deep.equal(['value', 'big value', 'small', 'large'])
    expect(namesOf(items, 60)).to.deep.equal(['value', 'big value', 'small'])
    expect(namesOf(items, 20)).to.deep.equal(['value', 'small'])
    expect(namesOf(items, 2)).to.deep.equal([])
  })

  it('counts a content once, whatever it is called', () => {
    const cid = cidOf('one', 10)
    const items = [entryOf('a', { size: 10, cid }), entryOf('b', { size: 10, cid }), entryOf('c', { size: 10 })]

    expect(selectItems(items, 15)).to.have.property('bytes', 10)
    expect(selectItems([entryOf('a', { size: 10, cid }), entryOf('b', { size: 10, cid })], 15).items).to.have.length(2)
    expect(selectItems(items, 20).bytes).to.equal(20)
  })

  it('is the same whatever the order, and never more than there is room for', () => {
    for (const seed of SEEDS) {
      const random = seededRandom(seed)
      const items = [...itemsOf(...randomItems(random, 30)).values()].map(item => ({ ...item, ...('size' in item && item.size < PIECE_SIZE && { size: randomInt(random, 50) }) }))
      const quota = randomInt(random, 150)
      const selected = selectItems(items, quota)

      expect(selected.bytes).to.be.at.most(quota)
      expect(selectItems(shuffle(random, [...items]), quota), `seed ${seed}`).to.deep.equal(selected)
    }
  })
})
