import { expect } from 'chai'
import { Key } from 'interface-datastore'
import { IdbRecords } from '../../src/node/idb-records.ts'
import { loadIdentity } from '../../src/node/identity.ts'
import { failure } from '../fixtures/failure.ts'

const KEY = new Key('/a')

describe('records in IndexedDB', () => {
  let name: string
  let records: IdbRecords
  const { put } = IDBObjectStore.prototype

  beforeEach(async () => {
    name = `idb-records-spec ${crypto.randomUUID()}`
    records = new IdbRecords(name)
    await records.open()
  })

  afterEach(async () => {
    IDBObjectStore.prototype.put = put
    await records.close()
    indexedDB.deleteDatabase(name)
  })

  it('are there when the page is loaded again', async () => {
    await records.put(KEY, Uint8Array.of(1, 2))
    await records.put(new Key('/b/c'), Uint8Array.of(3))
    await records.put(new Key('/b/d'), Uint8Array.of())
    await records.delete(KEY)
    await records.close()
    records = new IdbRecords(name)
    await records.open()

    expect(await records.has(KEY)).to.equal(false)
    expect((await failure(records.get(KEY))).name).to.equal('NotFoundError')
    expect((await Array.fromAsync(records.query({ prefix: '/b/' }))).map(({ key, value }) => `${key} ${value}`)).to.deep.equal(['/b/c 3', '/b/d '])
    expect((await Array.fromAsync(records.queryKeys({}))).map(String)).to.deep.equal(['/b/c', '/b/d'])
  })

  it('keep the identity of a node', async () => {
    const { publicKey } = await loadIdentity(records)
    await records.close()
    await records.open()

    expect((await loadIdentity(records)).publicKey.equals(publicKey)).to.equal(true)
  })

  it('are written in batches', async () => {
    await records.put(KEY, Uint8Array.of(1))
    const batch = records.batch()
    batch.put(new Key('/b'), Uint8Array.of(2))
    batch.delete(KEY)
    await batch.commit()

    expect((await Array.fromAsync(records.queryKeys({}))).map(String)).to.deep.equal(['/b'])
  })

  it('are opened and closed any number of times', async () => {
    await records.open()
    await records.close()
    await records.close()
    await records.open()

    expect(await records.has(KEY)).to.equal(false)
  })

  it('belong to one node at a time', async () => {
    const other = new IdbRecords(name)
    expect(await failure(other.open())).to.have.property('name', 'DataDirInUseError')
    await records.put(KEY, Uint8Array.of(1))
    await records.close()
    await other.open()

    expect(await other.get(KEY)).to.deep.equal(Uint8Array.of(1))
    await other.close()
  })

  it('wait for a page that is about to go', async () => {
    await records.close()
    const frame = document.body.appendChild(document.createElement('iframe'))
    const taken = Promise.withResolvers<void>()
    void frame.contentWindow!.navigator.locks.request(`formicary:${name}`, async () => {
      taken.resolve()
      await new Promise(() => {})
    }).catch(() => {})
    await taken.promise
    let opened = false
    const opening = records.open().then(() => { opened = true })

    while ((await navigator.locks.query()).pending?.some(lock => lock.name === `formicary:${name}`) !== true) {
      expect(opened).to.equal(false)
    }

    frame.remove()
    await opening
    expect(await records.has(KEY)).to.equal(false)
  })

  it('are opened without locks where there are none', async () => {
    await records.close()
    const { locks } = navigator
    Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true })

    try {
      await records.open()
      await records.put(KEY, Uint8Array.of(1))
    } finally {
      Object.defineProperty(navigator, 'locks', { value: locks, configurable: true })
    }

    expect(await records.get(KEY)).to.deep.equal(Uint8Array.of(1))
  })

  for (const [error, expected] of [['QuotaExceededError', 'StoreFullError'], ['UnknownError', 'StoreWriteError']]) {
    it(`say ${expected} when the browser says ${error}, but not of what is known of peers`, async () => {
      IDBObjectStore.prototype.put = () => { throw new DOMException('no', error) }

      expect(await failure(records.put(KEY, Uint8Array.of(1)))).to.have.property('name', expected)
      const batch = records.batch()
      batch.put(KEY, Uint8Array.of(1))
      expect(await failure(Promise.resolve(batch.commit()))).to.have.property('name', expected)
      await records.put(new Key('/peers/x'), Uint8Array.of(1))
    })
  }

  it('are not read or written when the signal is aborted', async () => {
    const options = { signal: AbortSignal.abort(new Error('enough')) }

    for (const action of [records.put(KEY, Uint8Array.of(1), options), records.get(KEY, options), records.delete(KEY, options)]) {
      expect(await failure(action)).to.have.property('message', 'enough')
    }
  })
})
