import { expect } from 'chai'
import { SEEN_COUNT, SEEN_TIME } from '../../src/search/constants.ts'
import { LONG } from './long.ts'
import { pickNode, pickNodes, World } from './search-world.ts'
import type { WorldInit } from './search-world.ts'

/** More with `LONG=1`, which takes minutes. */
const SEEDS = LONG ? 1_000 : 40

function eachSeed (run: (seed: number, nodes: number) => void): void {
  for (let seed = 1; seed <= SEEDS; seed++) {
    run(seed, 50 + seed * 37 % 151)
  }
}

/** Nothing is left of any query. */
function expectQuiet (world: World, context: string): void {
  for (const [i, { flood, asks, askers, gone }] of world.nodes.entries()) {
    if (!gone) {
      expect({ ...flood.sizes, seen: 0 }, `node ${i}, ${context}`).to.deep.equal({ tasks: 0, asks: 0, seen: 0 })
      expect(asks.size + askers.size, `streams of node ${i}, ${context}`).to.equal(0)
    }
  }
}

describe('search: flooding, simulated', () => {
  it('hears of everybody within its hops, and of nobody else', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8 })

      for (const hops of [0, 1, 2, 3, 4]) {
        const origin = pickNode(world)
        const search = world.search(origin, { hops })
        world.run()
        const ball = world.ball(origin, hops)

        expect(search.found, `seed ${seed}, ${hops} hops`).to.deep.equal(ball)
        expect(search.hits).to.equal(ball.size)
        expect(search.cost).to.include({ members: ball.size, unanswered: 0 })
      }

      expectQuiet(world, `seed ${seed}`)
    })
  })

  it('asks nobody twice with as many hops, and looks up once', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8, latency: { min: 1, spread: 500 } })
      const search = world.search(pickNode(world), { hops: 4 })
      world.run()

      for (const [key, hops] of world.passed) {
        expect([...new Set(hops)].sort((a, b) => a - b), `${key}, seed ${seed}`).to.deep.equal(hops)
      }

      expect(new Set(world.lookups.values())).to.deep.equal(new Set([1]))
      expect(search.found.size).to.equal(world.ball(search.origin, 4).size)
    })
  })

  it('sends at most two messages along each edge where all are equally quick', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8, latency: { min: 10, spread: 0 } })
      const search = world.search(pickNode(world), { hops: 7 })
      world.run()
      const edges = world.nodes.reduce((sum, { neighbours }) => sum + neighbours.size, 0) / 2

      expect(world.sent, `seed ${seed}`).to.be.at.most(2 * edges)
      expect(search.cost?.messages).to.equal(world.sent)
    })
  })

  it('sends no more than one message along each edge for each number of hops, however slow some are', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8, latency: { min: 1, spread: 900 } })
      const search = world.search(pickNode(world), { hops: 4 })
      world.run()
      const edges = world.nodes.reduce((sum, { neighbours }) => sum + neighbours.size, 0) / 2

      expect(world.sent, `seed ${seed}`).to.be.at.most(2 * edges * 4)
      expect(search.cost?.messages).to.equal(world.sent)
    })
  })

  it('asks each once where everybody is connected with everybody', () => {
    for (const nodes of [2, 10, 40]) {
      const world = new World({ seed: nodes, nodes, degree: 2 })
      world.nodes.forEach((_, a) => { world.nodes.forEach((_, b) => { world.connect(a, b) }) })
      const search = world.search(0)
      world.run()

      expect(world.sent).to.equal(nodes - 1)
      expect(search.found.size).to.equal(nodes)
    }
  })

  it('hears in time of all that can be reached past those who are silent', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8, silent: 0.2 })
      const origin = world.nodes.findIndex(({ silent }) => !silent)
      const search = world.search(origin, { hops: 3, timeout: 5_000 })
      world.run()

      expect(search.found, `seed ${seed}`).to.deep.equal(world.ball(origin, 3))
      expect(search.ended).to.be.within(0, 5_000)
      expect(search.cost?.unanswered, `seed ${seed}`).to.be.above(0)
      expectQuiet(world, `seed ${seed}`)
    })
  })

  it('reports a search whose time is up with what its neighbours know by then', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8, silent: 0.2, latency: { min: 1, spread: 20 } })
      const origin = world.nodes.findIndex(({ silent }) => !silent)
      const search = world.search(origin, { hops: 3, timeout: 3_000 })
      world.run()

      // those that answer give up a little sooner than whoever asked them, so their reports arrive
      expect(search.cost?.members, `seed ${seed}`).to.equal(world.ball(origin, 3).size)
    })
  })

  it('ends and forgets every search while nodes come and go', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8 })
      const searches = pickNodes(world, 20).map(origin => world.search(origin, { timeout: 2_000 }))

      for (const [i, node] of pickNodes(world, 15).entries()) {
        world.run((i + 1) * 20)
        world.leave(node)
        const pair = pickNodes(world, 2)

        if (pair.every(node => !world.nodes[node].gone)) {
          world.connect(pair[0], pair[1])
        }
      }

      world.run()

      for (const { origin, ended } of searches) {
        expect(world.nodes[origin].gone || (ended ?? Infinity) <= 2_000, `seed ${seed}`).to.equal(true)
      }

      expectQuiet(world, `seed ${seed}`)
    })
  })

  it('tells every node when the asker does not want more', () => {
    eachSeed((seed, nodes) => {
      const world = new World({ seed, nodes, degree: 8, silent: 0.1 })
      const origin = world.nodes.findIndex(({ silent }) => !silent)
      const search = world.search(origin, { timeout: 60_000 })
      world.run(seed % 5 * 50)
      world.withdraw(search)
      // longer than three messages take one after another, shorter than anybody's deadline
      world.run(world.now + 1_000)

      expectQuiet(world, `seed ${seed}`)
    })
  })

  it('gives no more than what was asked for, and stops then', () => {
    eachSeed((seed, nodes) => {
      const limited = new World({ seed, nodes, degree: 8 })
      const search = limited.search(pickNode(limited), { limit: 5 })
      limited.run()

      expect(search.hits).to.equal(5)
      expect(search.ended).to.be.below(2_000)
      expectQuiet(limited, `seed ${seed}`)
    })
  })

  it('remembers a bounded number of queries', () => {
    const world = new World({ seed: 1, nodes: 10, degree: 4 })
    const search = { hops: 0, timeout: 100 }

    for (let i = 0; i < SEEN_COUNT + 500; i++) {
      world.search(0, search)
    }

    world.run()
    expect(world.nodes[0].flood.sizes.seen).to.equal(SEEN_COUNT)
    world.run(world.now + SEEN_TIME + 1)
    world.search(0, search)
    world.run()
    expect(world.nodes[0].flood.sizes.seen).to.equal(1)
  })

  it('goes the same way again with the same seed, and another with another', () => {
    const traceOf = (init: Partial<WorldInit>): number => {
      const world = new World({ seed: 1, nodes: 100, degree: 8, silent: 0.1, ...init })
      pickNodes(world, 10).forEach(origin => { world.search(origin) })
      world.run()

      return world.trace
    }

    expect(traceOf({})).to.equal(traceOf({}))
    expect(traceOf({ seed: 2 })).not.to.equal(traceOf({}))
  })
})
