import { openAsBlob } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { start, stop } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { CID } from 'multiformats/cid'
import { nodeFiles } from '../../src/catalog/node-files.ts'
import { catalog } from '../../src/catalog/index.ts'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { diskStore } from '../../src/store/disk.ts'
import { memoryStore } from '../../src/store/index.ts'
import { same, sample } from '../../src/store/test-tools.ts'
import { failure } from '../fixtures/failure.ts'
import type { Catalog, Entry, Shareable, ShareOptions } from '../../src/catalog/index.ts'
import type { Store } from '../../src/store/index.ts'

const SIZE = 2 * PIECE_SIZE + 5
const SIZES = [0, 1, PIECE_SIZE, SIZE]

describe('catalog of blobs', () => {
  let folder: string
  let datastore: MemoryDatastore
  let store: Store
  let shared: Catalog
  let seen: string[]

  function make (): Catalog {
    const made = catalog({ store, files: nodeFiles() })({ datastore, logger: defaultLogger() })
    made.addEventListener('entry:added', ({ detail }) => { seen.push(`+${detail.name}`) })
    made.addEventListener('entry:removed', ({ detail }) => { seen.push(`-${detail.name}`) })

    return made
  }

  async function restart (): Promise<void> {
    await stop(shared)
    seen = []
    shared = make()
    await start(shared)
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-blobs-'))
    datastore = new MemoryDatastore()
    store = memoryStore()
    seen = []
    shared = make()
    await start(shared)
  })

  afterEach(async () => {
    await stop(shared)
    await rm(folder, { recursive: true })
  })

  async function share (what: Shareable, options?: ShareOptions): Promise<Entry> {
    const [entry] = await Array.fromAsync(shared.share(what, options))

    return entry
  }

  /** A file as a page has it: on disk, and by a blob. */
  async function fileOf (bytes: Uint8Array, name = 'a.bin'): Promise<{ path: string, file: File }> {
    const path = join(folder, name)
    await writeFile(path, bytes)

    return { path, file: new File([await openAsBlob(path)], name, { lastModified: 12 }) }
  }

  async function read (cid: CID): Promise<Uint8Array | undefined> {
    const opened = await shared.open(cid)

    try {
      return await opened?.read(0, opened.manifest.size)
    } finally {
      await opened?.close()
    }
  }

  async function keys (): Promise<string[]> {
    return (await Array.fromAsync(datastore.queryKeys({}))).map(String)
  }

  describe('that are not kept', () => {
    for (const size of SIZES) {
      it(`are served with all of ${size} bytes, and leave nothing in the store or on record`, async () => {
        store.part = async () => { throw new Error('nothing should be copied') }
        const { file } = await fileOf(sample(size))
        const entry = await share(file)

        expect(entry).to.include({ name: 'a.bin', path: '', size, modified: 12, mediaType: 'application/octet-stream' })
        same(await read(entry.cid) ?? new Uint8Array(size + 1), sample(size))
        expect(await keys()).to.deep.equal([])
      })
    }

    it('are gone after a restart', async () => {
      const { cid } = await share((await fileOf(sample(SIZE))).file)
      await restart()

      expect(shared.has(cid)).to.equal(false)
    })

    it('are one entry under one name, several under several', async () => {
      const { file } = await fileOf(sample(3))
      const { cid } = await share(file)
      await share(file)
      await share({ name: 'b', content: file })

      expect(shared.get(cid).map(({ name, modified }) => `${name} ${modified}`)).to.deep.equal(['a.bin 12', 'b 12'])
      expect(await shared.unshare(cid)).to.equal(2)
      expect(seen).to.deep.equal(['+a.bin', '+b', '-a.bin', '-b'])
      expect(await read(cid)).to.equal(undefined)
    })

    it('are removed when the file behind them changes', async () => {
      const { path, file } = await fileOf(sample(SIZE))
      const { cid } = await share(file)
      const opened = await shared.open(cid)
      await writeFile(path, sample(SIZE - 1))

      expect(await failure(opened!.read(0, 10))).to.have.property('name', 'ContentChangedError')
      await shared.settled(cid)
      expect(seen).to.deep.equal(['+a.bin', '-a.bin'])
      expect(shared.has(cid)).to.equal(false)
      expect(await shared.open(cid)).to.equal(undefined)
      await opened!.close()
    })

    it('are not shared if the file changed before', async () => {
      const { path, file } = await fileOf(sample(SIZE))
      await rm(path)

      expect(await failure(share(file))).to.have.property('name', 'ContentChangedError')
      expect(shared.size).to.equal(0)
    })

    it('are served again when the same bytes are shared in place of a lost file', async () => {
      const { path, file } = await fileOf(sample(SIZE))
      const { cid } = await share(file)
      await rm(path)
      await share({ name: 'a.bin', content: new Blob([sample(SIZE)]) })

      same(await read(cid) ?? new Uint8Array(), sample(SIZE))
      expect(seen).to.deep.equal(['+a.bin'])
    })

    it('are served by the other entry of the content when the file is lost', async () => {
      const { path, file } = await fileOf(sample(SIZE))
      const { cid } = await share(file)
      await share({ name: 'kept', content: sample(SIZE) })
      await rm(path)
      await failure(read(cid))

      same(await read(cid) ?? new Uint8Array(), sample(SIZE))
      expect(shared.get(cid).map(({ name }) => name)).to.deep.equal(['kept'])
    })
  })

  describe('that are kept', () => {
    it('are served after a restart, and when the file is gone', async () => {
      const { path, file } = await fileOf(sample(SIZE))
      const { cid } = await share(file, { keep: true })
      await rm(path)
      await restart()

      expect(shared.get(cid)[0]).to.include({ name: 'a.bin', modified: 12 })
      same(await read(cid) ?? new Uint8Array(), sample(SIZE))
    })

    it('take the place of the same that were not', async () => {
      const { file } = await fileOf(sample(SIZE))
      await share(file)
      const { cid } = await share(file, { keep: true })
      expect(seen).to.deep.equal(['+a.bin', '-a.bin', '+a.bin'])
      expect(shared.get(cid)).to.have.lengthOf(1)
      await restart()

      same(await read(cid) ?? new Uint8Array(), sample(SIZE))
    })

    it('stay kept when they are shared again without', async () => {
      const { file } = await fileOf(sample(SIZE))
      await share(file, { keep: true })
      const { cid } = await share(file)
      await restart()

      expect(shared.get(cid)).to.have.lengthOf(1)
    })

    it('are not lost with a name that was not kept, and the other way round', async () => {
      const { file } = await fileOf(sample(SIZE))
      const { cid } = await share({ name: 'kept', content: file }, { keep: true })
      await share({ name: 'passing', content: file })
      expect(shared.get(cid)).to.have.lengthOf(2)
      await restart()
      expect(shared.get(cid).map(({ name }) => name)).to.deep.equal(['kept'])

      await share({ name: 'passing', content: file })
      expect(await shared.unshare(cid)).to.equal(2)
      expect(await keys()).to.deep.equal([])
    })

    it('leave the entry that was not kept as it is if there is no room', async () => {
      store = memoryStore({ limit: 10 })
      await restart()
      const { file } = await fileOf(sample(SIZE))
      const { cid } = await share(file)

      expect(await failure(share(file, { keep: true }))).to.have.property('name', 'StoreFullError')
      same(await read(cid) ?? new Uint8Array(), sample(SIZE))
    })
  })

  describe('as files', () => {
    const stores: Array<[string, () => Store]> = [
      ['memory', () => memoryStore()],
      ['the disk', () => diskStore({ downloads: join(folder, 'downloads'), parts: join(folder, 'parts') })]
    ]

    for (const [where, makeStore] of stores) {
      for (const size of SIZES) {
        it(`have all of ${size} bytes that are in ${where}`, async () => {
          store = makeStore()
          await restart()
          const { cid } = await share({ name: 'a.mp3', content: sample(size), modified: 77 })
          const file = await shared.file(cid)

          expect(file).to.be.an.instanceOf(File)
          expect([file.name, file.type, file.lastModified, file.size]).to.deep.equal(['a.mp3', 'audio/mpeg', 77, size])
          same(new Uint8Array(await file.arrayBuffer()), sample(size))
          same(new Uint8Array(await file.slice(size - 1).arrayBuffer()), sample(size).slice(-1))
        })
      }
    }

    for (const size of SIZES) {
      it(`have all of ${size} bytes of a file where it lies`, async () => {
        const { path } = await fileOf(sample(size), 'x')
        const { cid, modified } = await share(path)
        const file = await shared.file(cid)

        expect([file.name, file.type, file.lastModified, file.size]).to.deep.equal(['x', '', modified, size])
        same(new Uint8Array(await file.arrayBuffer()), sample(size))
      })
    }

    it('are those that were shared, if they were not kept', async () => {
      const { cid } = await share((await fileOf(sample(SIZE))).file)
      const file = await shared.file(cid)

      expect([file.name, file.lastModified]).to.deep.equal(['a.bin', 12])
      same(new Uint8Array(await file.arrayBuffer()), sample(SIZE))
    })

    it('have the name that is asked for, or another of the content', async () => {
      const { cid } = await share({ name: 'a', content: sample(3) })
      await share({ name: 'b', content: sample(3) })

      expect((await shared.file(cid, { name: 'b' })).name).to.equal('b')
      expect((await shared.file(cid, { name: 'c' })).name).to.be.oneOf(['a', 'b'])
    })

    it('are made of a store that knows nothing of blobs', async () => {
      const { open } = store
      store.open = async location => ({ ...await open.call(store, location), blob: undefined })
      const { cid } = await share({ name: 'a', content: sample(SIZE) })

      same(new Uint8Array(await (await shared.file(cid)).arrayBuffer()), sample(SIZE))
    })

    it('cannot be read when the file changed meanwhile', async () => {
      const { path } = await fileOf(sample(SIZE))
      const { cid } = await share(path)
      const file = await shared.file(cid)
      await writeFile(path, sample(SIZE - 3))

      expect(await failure(file.arrayBuffer())).to.have.property('name', 'NotReadableError')
      expect(await failure(shared.file(cid))).to.have.property('name', 'NotFoundError')
    })

    it('are not there of what is not shared', async () => {
      const { cid } = await share({ name: 'a', content: sample(3) })
      await shared.unshare(cid)

      expect(await failure(shared.file(cid))).to.have.property('name', 'NotFoundError')
      expect(await failure(shared.file(CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')))).to.have.property('name', 'NotFoundError')
    })

    it('are not made when the signal is aborted', async () => {
      const { cid } = await share({ name: 'a', content: sample(3) })

      expect(await failure(shared.file(cid, { signal: AbortSignal.abort(new Error('enough')) }))).to.have.property('message', 'enough')
    })
  })
})
