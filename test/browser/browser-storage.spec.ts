import { start, stop } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { Key } from 'interface-datastore'
import { catalog } from '../../src/catalog/index.ts'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { browserStorage } from '../../src/node/browser-storage.ts'
import { same, sample } from '../../src/store/test-tools.ts'
import type { Catalog, Entry, Shareable, ShareOptions } from '../../src/catalog/index.ts'
import type { Kept } from '../../src/node/platform.ts'

const SIZE = 2 * PIECE_SIZE + 5

describe('storage of a browser', () => {
  let name: string
  const { getDirectory, persist } = StorageManager.prototype

  beforeEach(() => {
    name = `browser-storage-spec ${crypto.randomUUID()}`
  })

  afterEach(async () => {
    Object.assign(StorageManager.prototype, { getDirectory, persist })
    indexedDB.deleteDatabase(name)
    await (await navigator.storage.getDirectory()).removeEntry('formicary', { recursive: true }).catch(() => {})
  })

  it('is private files and a database, and asks the browser to keep them', async () => {
    let asked = 0
    StorageManager.prototype.persist = async () => ++asked > 0
    const storage = await browserStorage(name)
    expect(asked).to.equal(0)
    await storage.open()
    const report = await storage.report()
    await storage.close()

    expect(asked).to.equal(1)
    expect(report).to.have.all.keys('persisted', 'quota', 'usage', 'store')
    expect(report.store).to.equal('opfs')
    expect(report.persisted).to.equal(await navigator.storage.persisted())
    expect(report.quota).to.be.above(report.usage!)
  })

  it('is memory for bytes where the browser has no private files, and says so', async () => {
    StorageManager.prototype.getDirectory = async () => { throw new DOMException('no', 'SecurityError') }
    const storage = await browserStorage(name)
    await storage.open()
    const part = await storage.store.part('k', { size: 3, name: 'x' })
    await part.write(0, sample(3))
    await part.finish()
    await storage.datastore.put(new Key('/a'), Uint8Array.of(1))
    await storage.close()

    expect((await storage.report()).store).to.equal('memory')
    expect((await indexedDB.databases()).some(database => database.name === name)).to.equal(true)
  })

  it('is memory for everything without a name, and asks for nothing', async () => {
    StorageManager.prototype.persist = async () => { throw new Error('nobody should ask') }
    const storage = await browserStorage()
    await storage.open()
    await storage.datastore.put(new Key('/a'), Uint8Array.of(1))
    await storage.close()

    expect((await storage.report()).store).to.equal('memory')
    expect((await browserStorage()).datastore).not.to.equal(storage.datastore)
  })

  describe('with a catalog', () => {
    let storage: Kept
    let shared: Catalog

    async function load (): Promise<void> {
      storage = await browserStorage(name)
      await storage.open()
      shared = catalog({ store: storage.store })({ datastore: storage.datastore, logger: defaultLogger() })
      await start(shared)
    }

    async function unload (): Promise<void> {
      await stop(shared)
      await storage.close()
    }

    async function share (what: Shareable, options?: ShareOptions): Promise<Entry> {
      return (await Array.fromAsync(shared.share(what, options)))[0]
    }

    beforeEach(load)
    afterEach(unload)

    it('shares what was kept again, and gives it as a file', async () => {
      const { cid } = await share(new File([sample(SIZE)], 'a.mp3', { lastModified: 9 }), { keep: true })
      const passing = await share(new File([sample(SIZE - 1)], 'b.mp3'))
      await unload()
      await load()
      const file = await shared.file(cid)

      expect([file.name, file.type, file.lastModified, file.size]).to.deep.equal(['a.mp3', 'audio/mpeg', 9, SIZE])
      same(await file.bytes(), sample(SIZE))
      expect(shared.has(passing.cid)).to.equal(false)
    })

    it('shares a file without storing it', async () => {
      storage.store.part = async () => { throw new Error('nothing should be copied') }
      const { cid } = await share(new File([sample(SIZE)], 'a.mp3'))
      const opened = await shared.open(cid)

      same(await opened!.read(0, SIZE), sample(SIZE))
      same(await (await shared.file(cid)).bytes(), sample(SIZE))
      await opened!.close()
    })

    it('believes no record of bytes that were in memory', async () => {
      await unload()
      StorageManager.prototype.getDirectory = async () => { throw new DOMException('no', 'SecurityError') }
      await load()
      const { cid } = await share({ name: 'old', content: sample(3) })
      await unload()
      await load()
      await share({ name: 'new', content: sample(4) })

      expect(await shared.open(cid)).to.equal(undefined)
    })
  })
})
