import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { memoryStore } from '../../src/store/index.ts'
import { storeTests } from '../../src/store/tests.ts'
import { memoryUse } from '../fixtures/memory-use.ts'

describe('store: memory', () => {
  storeTests({ setup: async () => memoryStore() }, { describe, it })

  it('begins no part that its limit has no room for', async () => {
    const store = memoryStore({ limit: 10 })
    const part = await store.part('a', { size: 6, name: 'a' })
    const tooLarge = await store.part('b', { size: 5, name: 'b' }).catch((err: Error) => err)

    expect(tooLarge).to.have.property('name', 'StoreFullError')
    await part.write(0, new Uint8Array(6))
    await (await store.part('c', { size: 4, name: 'c' })).close()
  })

  it('has room again for what was discarded or deleted', async () => {
    const store = memoryStore({ limit: 10 })
    await (await store.part('a', { size: 10, name: 'a' })).discard()
    const { location } = await (await store.part('b', { size: 10, name: 'b' })).finish()
    await store.delete(location)
    await store.delete(location)

    expect((await store.part('c', { size: 10, name: 'c' })).size).to.equal(10)
  })

  it('takes memory only for the pieces that are written', async () => {
    const store = memoryStore({ limit: 2 ** 40 })
    const part = await store.part('a', { size: 2 ** 40, name: 'a' })
    const before = memoryUse().buffers
    await part.write(2 ** 39, Uint8Array.of(1))

    expect(memoryUse().buffers - before).to.be.below(4 * PIECE_SIZE)
    expect(await part.read(2 ** 39, 2)).to.deep.equal(Uint8Array.of(1, 0))
  })

  for (const limit of [-1, NaN]) {
    it(`takes no limit of ${limit}`, () => {
      expect(() => memoryStore({ limit })).to.throw().with.property('name', 'InvalidParametersError')
    })
  }
})
