import { expect } from 'chai'
import { BLOCK_SIZE, MEMORY_BUDGET } from '../../src/transfer/constants.ts'
import { LONG } from './long.ts'
import { randomSwarm } from './swarms.ts'
import { World } from './transfer.ts'
import type { Behaviour, PeerInit, WorldInit } from './transfer.ts'

/** More with `LONG=1`, which takes minutes. */
const SEEDS = LONG ? 5_000 : 200
const MIB = 1024 * 1024

/** Virtual time in which a swarm has to be done, in ms. */
const LIMIT = 30 * 60_000

const NEAR: [number, number] = [1, 5]
const FAR: [number, number] = [40, 60]

/** What was measured, for whoever asked for more than the verdict. */
const measured: Record<string, { median: number, worst: number }> = {}

function measure (what: string, values: number[]): { median: number, worst: number } {
  const sorted = values.toSorted((a, b) => a - b)
  measured[what] = { median: sorted[sorted.length >> 1], worst: sorted[sorted.length - 1] }

  return measured[what]
}

function holder (up: number): PeerInit {
  return { have: 1, up, down: up }
}

function liar (behaviour: Behaviour): PeerInit {
  return { behaviour, up: 20_000, down: 20_000 }
}

const FETCHER: PeerInit = { up: 100_000, down: 100_000 }

/** A swarm of 64 MiB that has run until all have it. */
function swarm (peers: PeerInit[], init: Partial<WorldInit> = {}): World {
  const world = new World({ seed: 1, size: 64 * MIB, latency: NEAR, peers, ...init })
  expect(world.run(LIMIT), 'all are done').to.equal(true)

  return world
}

function expectFair (world: World, context: string): void {
  for (const { key, banned, dropped, fetches, download, memory } of world.peers) {
    const behaviour = (other: string): Behaviour => world.peers.find(peer => peer.key === other)?.behaviour ?? 'honest'

    expect([...banned].map(behaviour), `${context}: banned by ${key}`).to.not.include.members(['honest'])
    expect([...banned].map(behaviour).filter(other => other !== 'wrong' && other !== 'sly'), `${context}: banned by ${key}`).to.deep.equal([])
    expect([...dropped].filter(([other]) => behaviour(other) === 'honest'), `${context}: dropped by ${key}`).to.deep.equal([])

    if (fetches) {
      expect(download.have.full, `${context}: ${key} has all`).to.equal(true)
      expect(memory, `${context}: ${key} has given its memory back`).to.equal(MEMORY_BUDGET)
    }
  }
}

describe('transfer: swarms, simulated', function () {
  this.timeout(SEEDS * 2_000)

  after(() => {
    if (LONG) {
      console.table(measured)
    }
  })

  it(`all get everything in ${SEEDS} worlds, little of it twice, and nobody is banned or dropped who did not lie`, () => {
    const duplicates: number[] = []

    for (let seed = 1; seed <= SEEDS; seed++) {
      const init = randomSwarm(seed)
      const world = new World(init)
      expect(world.run(LIMIT), `seed ${seed} is done`).to.equal(true)
      expectFair(world, `seed ${seed}`)
      // of a very small content, one block is more than a hundredth
      expect(world.duplicates, `duplicates of seed ${seed}`).to.be.below(Math.max(0.01, BLOCK_SIZE / init.size))
      duplicates.push(world.duplicates)
    }

    expect(measure('duplicates', duplicates).median).to.be.below(0.003)
  })

  it('goes the same way again with the same seed, and another with another', () => {
    const traceOf = (seed: number, init = randomSwarm(3)): number => {
      const world = new World({ ...init, seed })
      world.run(LIMIT)

      return world.trace
    }

    expect(traceOf(3)).to.equal(traceOf(3))
    expect(traceOf(4)).to.not.equal(traceOf(3))
  })

  for (const [where, latency] of [['near', NEAR], ['far away', FAR]] as const) {
    it(`ten that fetch at once take hardly more than the file from its seed, ${where}`, () => {
      const peers = [holder(20_000), ...Array.from({ length: 10 }, () => ({ up: 20_000, down: 40_000 }))]
      const worlds = [1, 2, 3, 4, 5].map(seed => swarm(peers, { seed, size: 100 * MIB, latency }))

      expect(measure(`upload of the seed, ${where}`, worlds.map(world => world.peers[0].uploaded / (100 * MIB))).worst).to.be.below(1.1)
      expect(measure(`time against the ideal, ${where}`, worlds.map(world => world.time / (100 * MIB / 20_000))).worst).to.be.below(1.4)
      worlds.forEach((world, i) => { expectFair(world, `seed ${i + 1}`) })
    })

    for (const times of [10, 100]) {
      it(`a holder ${times} times slower than three others costs at most a tenth, ${where}`, () => {
        const three = [holder(10_000), holder(10_000), holder(10_000)]
        const cost = [1, 2, 3, 4, 5].map(seed => swarm([...three, holder(10_000 / times), FETCHER], { seed, latency }).time / swarm([...three, FETCHER], { seed, latency }).time)

        expect(measure(`a holder ${times} times slower, ${where}`, cost).worst).to.be.below(1.1)
      })
    }
  }

  it('four holders are nearly four times as fast as one', () => {
    const four = [1, 2, 3, 4].map(() => holder(10_000))
    const gain = [1, 2, 3, 4, 5].map(seed => swarm([holder(10_000), FETCHER], { seed }).time / swarm([...four, FETCHER], { seed }).time)

    measure('four holders against one', gain)
    expect(Math.min(...gain)).to.be.above(3.6)
  })

  it('who sends wrong bytes is banned, and who sends none is dropped', () => {
    const world = swarm([holder(1_000), liar('wrong'), liar('silent'), FETCHER])

    expect([...world.peers[3].banned]).to.deep.equal(['p1'])
    expect([...world.peers[3].dropped]).to.deep.equal([['p2', 'it sent nothing of what it was asked for']])
  })

  it('a liar among those that sent a wrong piece is found, and it alone', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = swarm([holder(5_000), holder(5_000), liar('sly'), FETCHER], { seed })

      expect([...world.peers[3].banned], `seed ${seed}`).to.deep.equal(['p2'])
      expect(world.peers[3].dropped.size, `seed ${seed}`).to.equal(0)
    }
  })

  it('many liars hold nobody up for long', () => {
    const liars = (['wrong', 'wrong', 'sly', 'sly', 'refusing', 'refusing', 'silent', 'silent'] as const).map(liar)
    const slower = [1, 2, 3].map(seed => {
      const world = swarm([holder(10_000), ...liars, FETCHER], { seed })
      expectFair(world, `seed ${seed}`)

      return world.time / swarm([holder(10_000), FETCHER], { seed }).time
    })

    // what a silent peer owes waits until it is late, a second or more; wrong pieces come again
    expect(measure('eight liars, one holder', slower).worst).to.be.below(2)
  })

  it('goes on within the memory there is', () => {
    const memory = 4 * MIB
    const world = new World({ seed: 1, size: 32 * MIB, latency: NEAR, memory, peers: [holder(10_000), holder(10_000), FETCHER] })
    let least = memory
    const { download } = world.peers[2]
    const handle = download.handle.bind(download)
    download.handle = (input, now) => {
      const outputs = handle(input, now)
      least = Math.min(least, world.peers[2].memory)

      return outputs
    }

    expect(world.run(LIMIT)).to.equal(true)
    expect(least).to.be.within(0, MIB)
  })
})
