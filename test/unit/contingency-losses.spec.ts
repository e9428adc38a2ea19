import { expect } from 'chai'
import { Losses } from '../../src/contingency/losses.ts'
import { until } from '../fixtures/until.ts'

describe('contingency: losses', () => {
  it('are given up in turn, each once', async () => {
    const gone: string[] = []
    const losses = new Losses(5, key => { gone.push(key) })
    losses.add('a')
    losses.add('b')
    losses.add('a')
    expect(gone).to.deep.equal([])
    await until(() => gone.length === 2)
    losses.add('a')
    await until(() => gone.length === 3)
    expect(gone).to.deep.equal(['a', 'b', 'a'])
  })

  it('that were not given up before the end are not after it', async () => {
    const gone: string[] = []
    const losses = new Losses(1, key => { gone.push(key) })
    losses.add('a')
    losses.close()
    losses.add('b')
    const later = new Losses(10, key => { gone.push(key) })
    later.add('c')
    await until(() => gone.length > 0)
    expect(gone).to.deep.equal(['c'])
  })
})
