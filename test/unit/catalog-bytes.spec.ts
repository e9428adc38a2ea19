import { start, stop } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { decode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { CID } from 'multiformats/cid'
import { catalog } from '../../src/catalog/index.ts'
import { ManifestBuilder, PIECE_SIZE, hashPiece } from '../../src/content/index.ts'
import { memoryStore } from '../../src/store/index.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { until } from '../fixtures/until.ts'
import type { Catalog, CatalogInit, Entry, Shareable, ShareOptions } from '../../src/catalog/index.ts'
import type { Manifest } from '../../src/content/index.ts'
import type { Store } from '../../src/store/index.ts'

async function manifestOf (bytes: Uint8Array): Promise<Manifest> {
  const builder = new ManifestBuilder()

  for (let offset = 0; offset < bytes.byteLength; offset += PIECE_SIZE) {
    const piece = bytes.subarray(offset, offset + PIECE_SIZE)
    builder.add(await hashPiece(piece), piece.byteLength)
  }

  return builder.finish()
}

function bytesOf (size: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 12) * seed + seed) & 0xff)
}

async function all<T> (source: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const items: T[] = []

  for await (const item of source) {
    items.push(item)
  }

  return items
}

async function shareOne (catalog: Catalog, what: Shareable, options?: ShareOptions): Promise<Entry> {
  const entries = await all(catalog.share(what, options))
  expect(entries).to.have.lengthOf(1)

  return entries[0]
}

async function errorOf (promise: Promise<unknown>): Promise<Error> {
  return promise.then(() => { throw new Error('It did not fail') }, (err: Error) => err)
}

describe('catalog of bytes', () => {
  let datastore: MemoryDatastore
  let store: Store
  let shared: Catalog

  function make (init: Partial<CatalogInit> = {}): Catalog {
    return catalog({ store, ...init })({ datastore, logger: defaultLogger() })
  }

  beforeEach(async () => {
    datastore = new MemoryDatastore()
    store = memoryStore()
    shared = make()
    await start(shared)
  })

  afterEach(async () => {
    await stop(shared)
  })

  const sizes = [0, 1, PIECE_SIZE, PIECE_SIZE + 1, 3 * PIECE_SIZE + 7]

  sizes.forEach(size => {
    it(`shares ${size} bytes, a Blob and a stream of them as the same content`, async () => {
      const bytes = bytesOf(size)
      const { root } = await manifestOf(bytes)
      const chunks = async function * (): AsyncGenerator<Uint8Array> {
        for (let offset = 0; offset < size; offset += 300_000) {
          yield bytes.subarray(offset, offset + 300_000)
        }
      }

      for (const content of [bytes, new Blob([Uint8Array.from(bytes)]), chunks()]) {
        const name = `${Object.prototype.toString.call(content)}.bin`
        const entry = await shareOne(shared, { name, content, modified: 5 })
        expect(entry.cid.toString()).to.equal(root.toString())
        expect(entry).to.include({ name, path: '', size, modified: 5, mediaType: 'application/octet-stream' })
      }

      const opened = await shared.open(root)
      expect(sameBytes(await opened!.read(0, size), bytes)).to.equal(true)
      expect(opened!.manifest.pieceCount).to.equal(Math.max(1, Math.ceil(size / PIECE_SIZE)))
      await opened!.close()
      await opened!.close()
      expect(shared.get(root)).to.have.lengthOf(3)
    })
  })

  it('keeps the same bytes once under several names, and deletes them with the last', async () => {
    const deleted: string[] = []
    const { delete: remove } = store
    store.delete = async (location, options) => {
      deleted.push(location)
      await remove.call(store, location, options)
    }
    const content = bytesOf(10)
    const first = await shareOne(shared, { name: 'a.txt', content })
    await shareOne(shared, { name: 'b.txt', content })
    await shareOne(shared, { name: 'a.txt', content })
    expect(shared.size).to.equal(2)
    expect(shared.get(first.cid).map(entry => entry.name).sort()).to.deep.equal(['a.txt', 'b.txt'])
    expect(await shared.unshare(first.cid)).to.equal(2)
    expect(new Set(deleted).size).to.equal(1)
    expect(shared.has(first.cid)).to.equal(false)
    expect(await shared.open(first.cid)).to.equal(undefined)
  })

  it('shares the same bytes once when asked twice at the same time', async () => {
    const content = bytesOf(2 * PIECE_SIZE)
    await Promise.all([1, 2, 3].map(async () => shareOne(shared, { name: 'a', content })))
    expect(shared.size).to.equal(1)
  })

  it('announces what comes and goes', async () => {
    const seen: string[] = []
    shared.addEventListener('entry:added', ({ detail }) => { seen.push(`+${detail.name}`) })
    shared.addEventListener('entry:removed', ({ detail }) => { seen.push(`-${detail.name}`) })
    const { cid } = await shareOne(shared, { name: 'a', content: bytesOf(3) })
    await shared.unshare(cid)
    expect(await shared.unshare(cid)).to.equal(0)
    expect(seen).to.deep.equal(['+a', '-a'])
  })

  it('reports progress', async () => {
    const seen: unknown[] = []
    await shareOne(shared, { name: 'a', content: bytesOf(PIECE_SIZE + 1) }, { onProgress: ({ type, detail }) => { seen.push({ type, ...detail }) } })
    expect(seen).to.deep.equal([
      { type: 'share:file', path: 'a', size: PIECE_SIZE + 1 },
      { type: 'share:bytes', path: 'a', bytes: PIECE_SIZE, size: PIECE_SIZE + 1 },
      { type: 'share:bytes', path: 'a', bytes: PIECE_SIZE + 1, size: PIECE_SIZE + 1 }
    ])
  })

  it('remembers after a restart, nodes of large contents included', async () => {
    const content = bytesOf(2 * PIECE_SIZE + 5)
    const { cid } = await shareOne(shared, { name: 'big', content, modified: 12 })
    await stop(shared)
    shared = make()
    await start(shared)
    expect([...shared.entries()].map(entry => ({ ...entry, cid: entry.cid.toString() }))).to.deep.equal([
      { cid: cid.toString(), name: 'big', path: '', size: content.byteLength, modified: 12 }
    ])
    const opened = await shared.open(cid)
    expect(sameBytes(await opened!.read(PIECE_SIZE, PIECE_SIZE + 5), content.subarray(PIECE_SIZE))).to.equal(true)
    await opened!.close()
  })

  it('drops records it cannot read', async () => {
    const { cid } = await shareOne(shared, { name: 'good', content: bytesOf(4) })
    const broken = [Uint8Array.of(0xc1), Uint8Array.of(), Uint8Array.of(0x80), Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)]

    for (const [i, bytes] of broken.entries()) {
      await datastore.put(new Key(`/formicary/catalog/entries/broken${i}`), bytes)
      await datastore.put(new Key(`/formicary/catalog/roots/broken${i}`), bytes)
    }

    await stop(shared)
    shared = make()
    await start(shared)
    expect([...shared.entries()].map(entry => entry.name)).to.deep.equal(['good'])
    expect(shared.has(cid)).to.equal(true)
    const keys = await all(datastore.queryKeys({ prefix: '/formicary/catalog/entries/' }))
    expect(keys.map(String).filter(key => key.includes('broken'))).to.deep.equal([])
  })

  it('makes lost nodes again from the bytes', async () => {
    const { cid } = await shareOne(shared, { name: 'big', content: bytesOf(2 * PIECE_SIZE) })
    await datastore.put(new Key(`/formicary/catalog/nodes/${cid}`), Uint8Array.of(0x91, 0xc4, 1, 0))
    const added = new Promise(resolve => { shared.addEventListener('entry:added', resolve) })
    expect(await shared.open(cid)).to.equal(undefined)
    await added
    const opened = await shared.open(cid)
    expect(opened!.manifest.pieceCount).to.equal(2)
    await opened!.close()
  })

  it('leaves no record of what was unshared', async () => {
    const { cid } = await shareOne(shared, { name: 'big', content: bytesOf(2 * PIECE_SIZE) })
    await shared.unshare(cid)
    expect(await all(datastore.queryKeys({}))).to.deep.equal([])
    expect(await all(store.parts())).to.deep.equal([])
  })

  it('adds what the store has already', async () => {
    const bytes = bytesOf(PIECE_SIZE + 9)
    const manifest = await manifestOf(bytes)
    const part = await store.part(manifest.root.toString(), { size: bytes.byteLength, name: 'x.mp3' })
    await part.write(0, bytes)
    await part.mark(0)
    await part.mark(1)
    const { location, version } = await part.finish()
    const entry = await shared.add({ manifest, name: 'x.mp3', path: 'a/b', location, version })
    expect(entry).to.include({ name: 'x.mp3', path: 'a/b', size: bytes.byteLength, mediaType: 'audio/mpeg' })
    const opened = await shared.open(manifest.root)
    expect(sameBytes(await opened!.read(5, 100), bytes.subarray(5, 105))).to.equal(true)

    for (const [offset, length] of [[-1, 1], [0, -1], [0, bytes.byteLength + 1], [0.5, 1], [Number.NaN, 1]]) {
      expect(await errorOf(opened!.read(offset, length))).to.have.property('name', 'InvalidParametersError')
    }

    await opened!.close()
  })

  for (const [when, synced, version] of [['are', true, 'as hashed'], ['are not', false, '']] as const) {
    it(`has an entry on record as ${synced ? 'good' : 'to be hashed again'} when its bytes ${when} certain to be kept`, async () => {
      const bytes = bytesOf(5)
      const manifest = await manifestOf(bytes)
      const part = await store.part(manifest.root.toString(), { size: 5, name: 'x' })
      await part.write(0, bytes)
      const finished = await part.finish()
      const sync = Promise.withResolvers<void>()
      await shared.add({ manifest, ...finished, synced: sync.promise })
      expect(shared.has(manifest.root)).to.equal(true)

      const versions = async (): Promise<string[]> => (await all(datastore.query({ prefix: '/formicary/catalog/entries/' }))).map(({ value }) => (decode(value) as { version: string }).version)

      if (synced) {
        sync.resolve()
        await until(async () => (await versions()).join() !== '')
      }

      expect(await versions()).to.deep.equal([version === '' ? '' : finished.version])
    })
  }

  it('removes an entry whose bytes the store has lost', async () => {
    const { cid } = await shareOne(shared, { name: 'a', content: bytesOf(3) })
    store.open = memoryStore().open.bind(memoryStore())
    expect(await shared.open(cid)).to.equal(undefined)
    expect(shared.size).to.equal(0)
  })

  const refused: Array<[string, any]> = [
    ['an empty name', { name: '', content: bytesOf(1) }],
    ['a path as name', { name: '../x', content: bytesOf(1) }],
    ['a name that is no string', { name: 5, content: bytesOf(1) }],
    ['no content', { name: 'a' }],
    ['a string as content', { name: 'a', content: 'text' }],
    ['a stream of strings', { name: 'a', content: (async function * () { yield 'text' })() }],
    ['a path without files', './here']
  ]

  refused.forEach(([what, value]) => {
    it(`refuses ${what}`, async () => {
      expect(await errorOf(shareOne(shared, value))).to.have.property('name', 'InvalidParametersError')
      expect(shared.size).to.equal(0)
    })
  })

  it('refuses a stream that does not end, and ends it', async () => {
    let ended = false
    const chunk = new Uint8Array(64 * PIECE_SIZE)
    const content = (async function * () {
      try {
        for (;;) {
          yield chunk
        }
      } finally {
        ended = true
      }
    })()
    expect(await errorOf(shareOne(shared, { name: 'a', content }))).to.have.property('name', 'InvalidParametersError')
    expect(ended).to.equal(true)
  })

  it('can be aborted while a stream has nothing to say', async () => {
    const controller = new AbortController()
    const content = { [Symbol.asyncIterator]: () => ({ next: async () => new Promise<never>(() => {}) }) }
    const sharing = errorOf(shareOne(shared, { name: 'a', content }, { signal: controller.signal }))
    controller.abort(new Error('enough'))
    expect(await sharing).to.have.property('message', 'enough')
  })

  it('keeps nothing of bytes the store has no room for', async () => {
    await stop(shared)
    store = memoryStore({ limit: PIECE_SIZE })
    shared = make()
    await start(shared)
    expect(await errorOf(shareOne(shared, { name: 'a', content: bytesOf(2 * PIECE_SIZE) }))).to.have.property('name', 'StoreFullError')
    expect(await all(store.parts())).to.deep.equal([])
    await shareOne(shared, { name: 'b', content: bytesOf(PIECE_SIZE) })
  })

  it('is empty and refuses all work when it is not running', async () => {
    const { cid } = await shareOne(shared, { name: 'a', content: bytesOf(1) })
    const opened = await shared.open(cid)
    await stop(shared)
    expect([shared.size, [...shared.entries()], shared.get(cid), shared.has(cid)]).to.deep.equal([0, [], [], false])

    const calls = [shareOne(shared, { name: 'a', content: bytesOf(1) }), shared.open(cid), shared.unshare(cid)]

    for (const call of calls) {
      expect(await errorOf(call)).to.have.property('name', 'NotStartedError')
    }

    await opened!.close()
  })

  it('ends what is under way when it stops', async () => {
    const content = { [Symbol.asyncIterator]: () => ({ next: async () => new Promise<never>(() => {}) }) }
    const sharing = errorOf(shareOne(shared, { name: 'a', content }))
    await stop(shared)
    expect(await sharing).to.have.property('name', 'AbortError')
  })

  it('can be started twice, and again', async () => {
    await start(shared)
    const { cid } = await shareOne(shared, { name: 'a', content: bytesOf(1) })
    await stop(shared)
    await stop(shared)
    await start(shared)
    expect(shared.get(cid)).to.have.lengthOf(1)
  })

  it('can start after the datastore failed', async () => {
    await stop(shared)
    const query = datastore.query
    datastore.query = () => { throw new Error('locked') }
    expect(await errorOf(start(shared))).to.have.property('message', 'locked')
    datastore.query = query
    await start(shared)
    expect(shared.size).to.equal(0)
  })

  it('refuses settings that cannot be', () => {
    for (const hashConcurrency of [0, -1, 1.5, Number.NaN]) {
      expect(() => make({ hashConcurrency })).to.throw().with.property('name', 'InvalidParametersError')
    }
  })

  it('knows nothing of a CID it was never told', async () => {
    const cid = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
    expect(shared.get(cid)).to.deep.equal([])
    expect(await shared.open(cid)).to.equal(undefined)
  })
})
