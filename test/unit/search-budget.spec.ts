import { expect } from 'chai'
import { BUDGET_COUNT, NEIGHBOUR_BURST, NEIGHBOUR_RATE, SEEN_COUNT, SEEN_TIME, TOTAL_BURST, TOTAL_RATE } from '../../src/search/constants.ts'
import { Budgets } from '../../src/search/core/budget.ts'
import { Seen } from '../../src/search/core/seen.ts'

function takeAll (budgets: Budgets, peer: string, now: number): number {
  let taken = 0

  while (budgets.take(peer, 1, now)) {
    taken++
  }

  return taken
}

describe('search: budgets', () => {
  it('gives a neighbour its burst, and then its rate', () => {
    const budgets = new Budgets()

    expect(takeAll(budgets, 'a', 0)).to.equal(NEIGHBOUR_BURST)
    expect(takeAll(budgets, 'a', 1_000)).to.equal(NEIGHBOUR_RATE)
    expect(takeAll(budgets, 'a', 1_000)).to.equal(0)
    expect(takeAll(budgets, 'a', 1_000_000)).to.equal(NEIGHBOUR_BURST)
  })

  it('keeps a budget for each neighbour', () => {
    const budgets = new Budgets()
    takeAll(budgets, 'a', 0)

    expect(takeAll(budgets, 'b', 0)).to.equal(NEIGHBOUR_BURST)
  })

  it('gives all together the total burst, and then the total rate', () => {
    const budgets = new Budgets()
    const peers = Array.from({ length: 20 }, (_, i) => `peer ${i}`)

    expect(peers.reduce((sum, peer) => sum + takeAll(budgets, peer, 0), 0)).to.equal(TOTAL_BURST)
    expect(peers.reduce((sum, peer) => sum + takeAll(budgets, peer, 1_000), 0)).to.equal(TOTAL_RATE)
  })

  it('remembers a spent budget while a thousand others come and go', () => {
    const budgets = new Budgets()
    takeAll(budgets, 'a', 0)

    for (let i = 0; i < BUDGET_COUNT - 1; i++) {
      budgets.take(`peer ${i}`, 0, 0)
    }

    expect(budgets.take('a', 1, 0)).to.equal(false)
  })
})

describe('search: queries seen', () => {
  it('remembers with how many hops a query came', () => {
    const seen = new Seen()
    seen.note('a', 2, 0)

    expect(seen.get('a', SEEN_TIME)).to.deep.include({ hops: 2, answered: false })
    expect(seen.get('b', 0)).to.equal(undefined)
  })

  it('remembers that a query was answered when it comes with more hops', () => {
    const seen = new Seen()
    seen.note('a', 1, 0).answered = true

    expect(seen.note('a', 2, 1)).to.deep.include({ hops: 2, answered: true })
  })

  it('forgets after its time', () => {
    const seen = new Seen()
    seen.note('a', 2, 0).answered = true

    expect(seen.get('a', SEEN_TIME + 1)).to.equal(undefined)
    expect(seen.note('a', 2, SEEN_TIME + 1).answered).to.equal(false)
    seen.note('b', 2, 3 * SEEN_TIME)
    expect(seen.size).to.equal(1)
  })

  it('forgets the oldest when there are too many', () => {
    const seen = new Seen()

    for (let i = 0; i < SEEN_COUNT + 100; i++) {
      seen.note(String(i), 1, i)
    }

    expect(seen.size).to.equal(SEEN_COUNT)
    expect(seen.get('99', SEEN_COUNT)).to.equal(undefined)
    expect(seen.get('100', SEEN_COUNT)).to.deep.include({ hops: 1 })
  })
})
