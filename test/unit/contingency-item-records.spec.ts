import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore/key'
import { ItemRecords } from '../../src/contingency/item-records.ts'
import { Items } from '../../src/contingency/items.ts'
import { failure } from '../fixtures/failure.ts'
import { goneOf } from '../fixtures/items.ts'
import type { Item } from '../../src/contingency/items.ts'

const log = defaultLogger().forComponent('test')

describe('contingency: items on record', () => {
  let datastore: MemoryDatastore
  let items: Items
  let records: ItemRecords

  beforeEach(() => {
    datastore = new MemoryDatastore()
    items = new Items()
    records = new ItemRecords(datastore, items, log)
  })

  /** Has an item that is not on record yet. */
  function put (item: Item): void {
    items.put(item)
    records.changed(item.key)
  }

  async function loaded (): Promise<{ items: Item[], promised: number }> {
    const items = new Items()
    const records = new ItemRecords(datastore, items, log)
    await records.load()

    return { items: [...items.values()].sort((a, b) => a.version - b.version), promised: records.promised }
  }

  /** Has the next write wait; returns what ends it, with an error or without. */
  function hold (): (err?: Error) => void {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const batch = datastore.batch.bind(datastore)
    datastore.batch = () => {
      const all = batch()
      datastore.batch = batch

      return {
        ...all,
        commit: async () => {
          await promise
          await all.commit()
        }
      }
    }

    return err => { err == null ? resolve() : reject(err) }
  }

  it('are there again, with what was promised of them', async () => {
    put(goneOf('a', 3))
    put(goneOf('b', 7))
    records.promise(5)
    await records.write()
    expect(await loaded()).to.deep.equal({ items: [goneOf('a', 3), goneOf('b', 7)], promised: 5 })
    items.remove(goneOf('a').key)
    records.changed(goneOf('a').key)
    await records.write()
    expect(await loaded()).to.deep.equal({ items: [goneOf('b', 7)], promised: 5 })
  })

  it('are all taken for promised where nothing is on record of that', async () => {
    put(goneOf('a', 3))
    await records.write()
    await datastore.delete(new Key('/formicary/contingency/promised'))
    expect((await loaded()).promised).to.equal(3)
    await datastore.put(new Key('/formicary/contingency/promised'), new Uint8Array([0xc1]))
    expect((await loaded()).promised).to.equal(3)
  })

  it('are dropped where they are broken', async () => {
    put(goneOf('a'))
    await records.write()
    await datastore.put(new Key('/formicary/contingency/items/x'), new Uint8Array([1, 2, 3]))
    expect((await loaded()).items).to.deep.equal([goneOf('a')])
    expect(await datastore.has(new Key('/formicary/contingency/items/x'))).to.equal(false)
  })

  it('are written again when they change while they are written', async () => {
    const end = hold()
    put(goneOf('a', 1))
    const written = records.write()
    await Promise.resolve()
    put(goneOf('a', 2))
    const again = records.write()
    end()
    await Promise.all([written, again])
    expect((await loaded()).items).to.deep.equal([goneOf('a', 2)])
  })

  it('are written the next time when they could not be', async () => {
    const end = hold()
    put(goneOf('a', 1))
    records.promise(1)
    const failed = failure(records.write())
    end(new Error('The disk is full'))
    expect(await failed).to.have.property('message', 'The disk is full')
    expect(await loaded()).to.deep.equal({ items: [], promised: 0 })
    await records.write()
    expect(await loaded()).to.deep.equal({ items: [goneOf('a', 1)], promised: 1 })
  })
})
