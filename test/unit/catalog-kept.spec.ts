import { start, stop } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { catalog } from '../../src/catalog/index.ts'
import { memoryStore } from '../../src/store/index.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import type { Catalog, CatalogInit } from '../../src/catalog/index.ts'
import type { CID } from 'multiformats/cid'
import type { Store } from '../../src/store/index.ts'

const KEPT = '/formicary/kept'

async function collect<T> (source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []

  for await (const item of source) {
    items.push(item)
  }

  return items
}

function makeContent (size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 12) * seed + seed) & 0xff)
}

/** `true` if a catalog serves these bytes. */
async function serves (shared: Catalog, cid: CID, bytes: Uint8Array): Promise<boolean> {
  const content = await shared.open(cid)

  try {
    return content != null && sameBytes(await content.read(0, bytes.byteLength), bytes)
  } finally {
    await content?.close()
  }
}

describe('two catalogs over one store', () => {
  let datastore: MemoryDatastore
  let store: Store
  let own: Catalog
  let kept: Catalog

  function make (init: Partial<CatalogInit> = {}): Catalog {
    return catalog({ store, ...init })({ datastore, logger: defaultLogger() })
  }

  async function begin (): Promise<void> {
    own = make()
    kept = make({ records: KEPT })
    await start(own, kept)
  }

  beforeEach(async () => {
    datastore = new MemoryDatastore()
    store = memoryStore()
    await begin()
  })

  afterEach(async () => {
    await stop(own, kept)
  })

  it('have entries and records of their own', async () => {
    const a = makeContent(3_000_000, 1)
    const b = makeContent(1_000, 2)
    const [first] = await collect(own.share({ name: 'a', content: a }))
    const [second] = await collect(kept.share({ name: 'b', content: b }))
    await stop(own, kept)
    await begin()

    expect([...own.entries()].map(({ name }) => name)).to.deep.equal(['a'])
    expect([...kept.entries()].map(({ name }) => name)).to.deep.equal(['b'])
    expect(await serves(own, first.cid, a)).to.equal(true)
    expect(await serves(kept, second.cid, b)).to.equal(true)
  })

  it('each keep the bytes of a content that both have, whichever gives it up', async () => {
    const bytes = makeContent(2_500_000, 3)
    const [[{ cid }]] = await Promise.all([own, kept].map(async shared => collect(shared.share({ name: 'same', content: bytes }))))

    expect(await kept.unshare(cid)).to.equal(1)
    expect(await serves(own, cid, bytes)).to.equal(true)
    await collect(kept.share({ name: 'same', content: bytes }))
    expect(await own.unshare(cid)).to.equal(1)
    expect(await serves(kept, cid, bytes)).to.equal(true)
  })

  it('do not go on with a part of the other, which a crash may have left beside finished bytes', async () => {
    const bytes = makeContent(1_500_000, 4)
    const [{ cid }] = await collect(own.share({ name: 'x', content: bytes }))
    await own.unshare(cid)
    // marked in full, as after a crash between the name and the end of the part
    const part = await store.part(String(cid), { size: bytes.byteLength, name: 'x' })
    await part.write(0, bytes)
    await part.close()
    await collect(kept.share({ name: 'x', content: bytes }))
    const left = await collect(store.parts())

    expect(left.map(({ key }) => key)).to.deep.equal([String(cid)])
  })

  it('are refused where no records can be', () => {
    for (const records of ['', '/', 'kept', '/kept/', '/a b']) {
      expect(() => make({ records })).to.throw().with.property('name', 'InvalidParametersError')
    }
  })
})
