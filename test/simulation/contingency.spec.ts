import { expect } from 'chai'
import { bothSidesAppoint, busiest, chaos, handover, handoverBytes, HANDOVERS, oldCatalog, serving, shortAbsence, twoWithOneKey, wholeAgain } from './contingency-scenarios.ts'
import { LONG } from './long.ts'
import type { Outcome } from './contingency-scenarios.ts'

/** How many seeds; `npm run test:long` takes many more. */
const SEEDS = LONG ? 100_000 : 200
const MINUTE = 60_000

function seeds (count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

/** Everything that went wrong, with what it takes to see it again. */
function faultsOf (outcomes: Array<[string, Outcome]>): string[] {
  return outcomes.flatMap(([what, { faults, staleWrites }]) => [...faults, ...staleWrites > 0 ? [`${staleWrites} stale writes`] : []].map(fault => `${what}: ${fault}`))
}

function median (values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}

describe('contingency, simulated', function () {
  this.timeout(LONG ? 600 * MINUTE : 2 * MINUTE)

  it(`nothing that was acknowledged is lost, no copy is deleted too early, no stale epoch is written, and all is well again after, in ${SEEDS} colonies in which everything goes wrong`, () => {
    for (const seed of seeds(SEEDS)) {
      expect(faultsOf([[`seed ${seed}`, chaos(seed)]])).to.deep.equal([])

      if (LONG && seed % 1_000 === 0) {
        console.log(`    ${seed} seeds, no fault`)
      }
    }
  })

  for (const what of HANDOVERS) {
    it(`nothing is lost when ${what}, and somebody crashes after any one step of it, with its disk or without`, () => {
      for (const seed of seeds(LONG ? 20 : 1)) {
        const { steps, ...whole } = handover(what, { seed })
        expect(faultsOf([['no crash', whole]])).to.deep.equal([])
        expect(steps).to.be.above(20)

        for (let crashAt = 0; crashAt < steps; crashAt++) {
          for (const isEmptied of [false, true]) {
            const crashed = handover(what, { seed, crashAt, isEmptied })
            expect(faultsOf([[`seed ${seed}, step ${crashAt}${isEmptied ? ', emptied' : ''}`, crashed]])).to.deep.equal([])
          }
        }
      }
    })

    it(`nor when ${what}, and messages are lost and doubled as well`, () => {
      for (const seed of seeds(LONG ? 1_000 : 20)) {
        const crashed = handover(what, { seed, loss: 0.2, crashAt: seed * 7 % 60, isEmptied: seed % 2 === 0 })
        expect(faultsOf([[`seed ${seed}`, crashed]])).to.deep.equal([])
      }
    })
  }

  it('somebody answers for a ward as soon as it is suspected: 3 s after a crash, in the middle', () => {
    const times = seeds(LONG ? 500 : 30).map(serving)
    expect(median(times.map(({ sinceCrash }) => sinceCrash))).to.be.at.most(3_000)
    expect(Math.max(...times.map(({ sinceSuspicion }) => sinceSuspicion))).to.be.within(0, 1_000)
  })

  it('as many as before have everything of a ward that is gone for good, however differently its contingents weigh each other', () => {
    expect(seeds(LONG ? 1_000 : 50).map(wholeAgain).filter(copies => copies !== 3)).to.deep.equal([])
  })

  it('nothing is copied when a member is back within the grace', () => {
    expect(seeds(LONG ? 200 : 16).map(shortAbsence).filter(bytes => bytes !== 0)).to.deep.equal([])
  })

  it('a handover moves what the next ones lack, and not a hundredth more', () => {
    for (const seed of seeds(LONG ? 500 : 30)) {
      const { moved, lacking } = handoverBytes(seed)
      expect(lacking, `seed ${seed}`).to.be.at.least(1e6)
      expect(moved / lacking, `seed ${seed}`).to.be.within(1, 1.01)
    }
  })

  for (const copies of [1, 2, 3]) {
    it(`no one of 100 has more than three times the mean number of wards, with ${copies} contingents each`, () => {
      for (const seed of seeds(LONG ? 20 : 1)) {
        expect(busiest(seed, 100, copies), `seed ${seed}`).to.be.at.most(3)
      }
    })
  }

  it('two nodes with one key have what both had, and do not chase each other', () => {
    for (const seed of seeds(LONG ? 1_000 : 20)) {
      const { epochs, ...both } = twoWithOneKey(seed)
      expect(faultsOf([[`seed ${seed}`, both]])).to.deep.equal([])
      // five minutes, and each hears of the other by a message that half of the time goes to one that knows
      expect(epochs, `seed ${seed}`).to.be.at.most(60)
    }
  })

  it('one epoch wins after a partition in which both sides appointed contingents', () => {
    const outcomes = seeds(LONG ? 1_000 : 20).map(seed => [`seed ${seed}`, bothSidesAppoint(seed)] as [string, Outcome])
    expect(faultsOf(outcomes)).to.deep.equal([])
  })

  it('nothing deleted comes back, and nothing new is lost, when a ward returns with an old disk', () => {
    const outcomes = seeds(LONG ? 1_000 : 30).map(seed => [`seed ${seed}`, oldCatalog(seed)] as [string, Outcome])
    expect(faultsOf(outcomes)).to.deep.equal([])
  })

  it('replays from its seed, step by step', () => {
    const traces = seeds(10).map(seed => chaos(seed).trace)
    expect(seeds(10).map(seed => chaos(seed).trace)).to.deep.equal(traces)
    expect(new Set(traces).size).to.equal(10)
  })
})
