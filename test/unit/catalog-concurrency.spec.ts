import { expect } from 'chai'
import { parallel } from '../../src/parallel.ts'
import { Locks, Slots } from '../../src/catalog/slots.ts'
import { turn } from '../fixtures/turn.ts'

async function collect<T> (source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []

  for await (const item of source) {
    items.push(item)
  }

  return items
}

describe('catalog parallel', () => {
  it('yields what is ready first', async () => {
    const gates = new Map([1, 2, 3].map(item => [item, Promise.withResolvers<number>()]))
    const results = parallel([1, 2, 3], 3, async item => gates.get(item)!.promise)
    const first = results.next()
    await turn()
    gates.get(2)!.resolve(20)
    expect((await first).value).to.equal(20)
    gates.get(1)!.resolve(10)
    expect((await results.next()).value).to.equal(10)
    gates.get(3)!.resolve(30)
    expect(await collect(results)).to.deep.equal([30])
  })

  it('runs no more at once, and takes no more from the source, than told', async () => {
    let taken = 0
    let running = 0
    let most = 0
    const source = function * (): Generator<number> {
      for (; taken < 100; taken++) {
        yield taken
      }
    }
    const results = parallel(source(), 4, async item => {
      most = Math.max(most, ++running)
      await turn()
      running--

      return item
    })
    await results.next()
    await turn()
    expect(taken).to.be.at.most(8)
    expect(await collect(results)).to.have.lengthOf(99)
    expect(most).to.equal(4)
  })

  it('yields undefined and waits for all before it ends with an error', async () => {
    const slow = Promise.withResolvers<undefined>()
    const results = parallel([1, 2, 3], 3, async (item, signal) => {
      if (item === 2) {
        throw new Error('two')
      }

      signal.addEventListener('abort', () => { slow.resolve(undefined) })

      return item === 1 ? undefined : slow.promise
    })

    expect(await results.next()).to.deep.equal({ done: false, value: undefined })
    const error = await results.next().catch((err: Error) => err)
    expect(error).to.have.property('message', 'two')
  })

  it('aborts what runs when its reader has enough', async () => {
    const aborted: number[] = []

    for await (const item of parallel([1, 2, 3], 3, async (item, signal) => item === 1
      ? item
      : new Promise<number>(resolve => {
          signal.addEventListener('abort', () => {
            aborted.push(item)
            resolve(item)
          })
        }))) {
      expect(item).to.equal(1)
      break
    }

    expect(aborted).to.deep.equal([2, 3])
  })
})

describe('catalog slots', () => {
  it('serve in the order of arrival', async () => {
    const slots = new Slots(1)
    const order: number[] = []
    const gate = Promise.withResolvers<void>()
    const all = [1, 2, 3].map(async id => slots.run(async () => {
      order.push(id)
      await gate.promise
    }))
    await turn()
    expect(order).to.deep.equal([1])
    gate.resolve()
    await Promise.all(all)
    expect(order).to.deep.equal([1, 2, 3])
  })

  it('are given back by tasks that fail and are not taken by those that stop waiting', async () => {
    const slots = new Slots(1)
    const gate = Promise.withResolvers<void>()
    const controller = new AbortController()
    const failing = slots.run(async () => {
      await gate.promise
      throw new Error('failed')
    }).catch((err: Error) => err.message)
    const waiting = slots.run(async () => 'never', { signal: controller.signal }).catch((err: Error) => err.message)
    controller.abort(new Error('enough'))
    expect(await waiting).to.equal('enough')
    gate.resolve()
    expect(await failing).to.equal('failed')
    expect(await slots.run(async () => 'free')).to.equal('free')
  })
})

describe('catalog locks', () => {
  it('keep tasks of one key apart, and those of others not', async () => {
    const locks = new Locks()
    const order: string[] = []
    const gate = Promise.withResolvers<void>()
    const task = async (key: string, id: string): Promise<void> => locks.run(key, async () => {
      order.push(id)
      await gate.promise
    })
    const all = [task('a', 'a1'), task('a', 'a2'), task('b', 'b1')]
    await turn()
    expect(order).to.deep.equal(['a1', 'b1'])
    gate.resolve()
    await Promise.all(all)
    expect(order).to.deep.equal(['a1', 'b1', 'a2'])
  })
})
