import { expect } from 'chai'
import { LONG } from './long.ts'
import { churn, colony, crash, idle, isWhole, mistakes, partition, spread } from './membership-scenarios.ts'
import { World } from './membership-world.ts'
import type { Exit } from './membership-world.ts'

/** How many seeds; `npm run test:long` takes many more. */
const SEEDS = LONG ? 200 : 12

/** A round of gossip, in ms. */
const ROUND = 200
const MINUTE = 60_000

const seeds = (count = SEEDS): number[] => Array.from({ length: count }, (_, i) => i + 1)

function percentile (values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]
}

describe('membership, simulated', function () {
  this.timeout(LONG ? 60 * MINUTE : 2 * MINUTE)

  const CRASHES: Array<[Exit, number, number, number]> = [
    // how, members, ms at most: median, and the worst
    ['silent', 10, 4_000, 8_000],
    ['silent', 100, 5_500, 8_000],
    ['closed', 100, 3_000, 3_000]
  ]

  for (const [exit, size, median, worst] of CRASHES) {
    it(`all of ${size} know in time of a crash that is ${exit}`, () => {
      const times = seeds().map(seed => crash({ seed, size }, exit))
      expect(percentile(times, 0.5)).to.be.at.most(median)
      expect(percentile(times, 0.99)).to.be.at.most(worst)
    })
  }

  for (const loss of [0, 0.25]) {
    for (const what of ['joined', 'left'] as const) {
      it(`all of 100 know who ${what} within the rounds of the model, with ${100 * loss} % loss`, () => {
        const times = seeds().map(seed => spread({ seed, size: 100, loss }, what))
        expect(percentile(times, 0.5)).to.be.at.most((loss === 0 ? 10 : 13) * ROUND)
        expect(Math.max(...times)).to.be.below(30_000)
      })
    }
  }

  it('nobody who is well is taken for dead, with a quarter of all messages lost, and processes that stand still', () => {
    for (const seed of seeds(LONG ? 10 : 2)) {
      expect(mistakes({ seed, size: 100, loss: 0.25 }, { ms: LONG ? 1_000_000 : 50_000, share: 0.04 }).healthy).to.equal(0)
    }
  })

  it('a colony in which nothing happens is quiet', () => {
    const { messages, bytes } = idle({ seed: 1, size: 100 })
    expect(messages).to.be.at.most(2.5)
    expect(bytes).to.be.at.most(1_000)
  })

  for (const [time, ms] of [['10 s', 10_000], ['a minute', MINUTE], ['an hour', 60 * MINUTE]] as const) {
    for (const share of [0.02, 0.3, 0.5]) {
      it(`is whole again within a minute after ${time} in two parts, one of ${100 * share} %`, () => {
        for (const seed of seeds(time === 'an hour' && !LONG ? 1 : Math.ceil(SEEDS / 4))) {
          expect(partition({ seed, size: 60 }, { ms, share })).to.be.at.most(MINUTE)
        }
      })
    }
  }

  it('those who stood still are back, and took nobody with them', () => {
    for (const seed of seeds()) {
      const world = colony({ seed, size: 30 })
      const [sleeper] = world.list
      const down: string[] = []
      world.onEvent = (_, event) => { if (event.type === 'down') down.push(event.member.peer) }
      sleeper.pausedUntil = world.clock.now + 20_000
      world.run(20_000)
      expect(world.run(30_000, () => !isWhole(world))).to.equal(true)
      expect(down.filter(peer => peer !== sleeper.peer)).to.deep.equal([])
    }
  })

  it('a colony that all enter through one member is whole, also when that one dies', () => {
    for (const seed of seeds()) {
      const world = new World({ seed, size: 50, settled: false })
      const [door] = world.list
      door.start()
      world.list.slice(1).forEach(member => {
        world.clock.after(1_000 + world.random() * 3_000, () => {
          member.start()
          world.link(member, door.peer)
        })
      })
      world.run(8_000)
      world.crash(door, 'closed')
      expect(world.run(20_000, () => !isWhole(world))).to.equal(true)
    }
  })

  it('members come and go, and all know in time', () => {
    for (const seed of seeds(LONG ? 20 : 2)) {
      const size = LONG ? 200 : 60
      const result = churn({ seed, size }, { ms: 10 * MINUTE, mean: 10 * MINUTE, within: 20_000 })
      expect(result.joined).to.be.above(10)
      expect(result.late).to.equal(0)
      expect(result.rows).to.be.at.most(size)
      expect(result.pending).to.be.below(50)
    }
  })

  it('goes the same way again with the same seed, and another with another', () => {
    const trace = (seed: number): number => {
      const world = colony({ seed, size: 40, loss: 0.1 })
      world.crash(world.list[3], 'silent')
      world.run(20_000)

      return world.trace
    }

    expect(trace(1)).to.equal(trace(1))
    expect(trace(1)).to.not.equal(trace(2))
  })
})
