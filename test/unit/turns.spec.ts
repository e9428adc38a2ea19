import { expect } from 'chai'
import { Turns } from '../../src/turns.ts'
import { until } from '../fixtures/until.ts'

describe('turns', () => {
  const fail = (err: Error): void => { throw err }

  it('are taken in order by each peer, and not waited for by others', async () => {
    const turns = new Turns(10)
    const done: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    turns.take('ada', async () => {
      await promise
      done.push('ada 1')
    }, fail)
    turns.take('ada', async () => { done.push('ada 2') }, fail)
    await new Promise<void>(resolve => {
      turns.take('ben', async () => {
        done.push('ben')
        resolve()
      }, fail)
    })
    resolve()
    await new Promise<void>(resolve => { turns.take('ada', async () => { resolve() }, fail) })

    expect(done).to.deep.equal(['ben', 'ada 1', 'ada 2'])
  })

  it('are a bounded number for each peer, and forgotten when they are over', async () => {
    const turns = new Turns(2)
    const { promise, resolve } = Promise.withResolvers<void>()
    const last = Promise.withResolvers<void>()
    const taken = [async () => promise, async () => { last.resolve() }, async () => {}].map(task => turns.take('ada', task, fail))

    expect(taken).to.deep.equal([true, true, false])
    expect([turns.has('ada'), turns.has('ben')]).to.deep.equal([true, false])
    resolve()
    await last.promise

    await until(() => !turns.has('ada'))
    expect(turns.take('ada', async () => {}, fail)).to.equal(true)
  })

  it('go on after one that fails', async () => {
    const turns = new Turns(2)
    const errors: string[] = []
    turns.take('ada', async () => { throw new Error('no') }, err => { errors.push(err.message) })
    await new Promise<void>(resolve => { turns.take('ada', async () => { resolve() }, fail) })

    expect(errors).to.deep.equal(['no'])
  })
})
