import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/constants.ts'
import { randomSwarm, World } from './transfer-world.ts'
import type { PeerInit, WorldInit } from './transfer-world.ts'

const SEEDS = process.env.LONG == null ? 200 : 5_000
const MIB = 1024 * 1024

/** Virtual time in which a swarm has to be done, in ms. */
const LIMIT = 30 * 60_000

function swarm (init: Partial<WorldInit> & { peers: PeerInit[] }): World {
  return new World({ seed: 1, size: 64 * PIECE_SIZE, latency: [1, 5], ...init })
}

/** Ms until the last peer has all. */
function time (world: World): number {
  expect(world.run(LIMIT), 'all are done').to.equal(true)

  return Math.max(...world.peers.filter(peer => peer.fetches).map(peer => peer.doneAt ?? Infinity))
}

const holder = (up: number): PeerInit => ({ seed: true, up, down: up })
const fetcher: PeerInit = { up: 100_000, down: 100_000 }

/** The numbers are worth seeing, not only whether they are good enough. */
function print (what: string, result: string): void {
  console.log(`      ${what}: ${result}`)
}

function percent (share: number): string {
  return `${(share * 100).toFixed(2)} %`
}

describe('simulation: swarms of transfer', function () {
  this.timeout(SEEDS * 2_000)

  it(`end right in ${SEEDS} worlds, with little sent twice and nobody banned who did not lie`, () => {
    const shares: number[] = []
    let duplicates = 0
    let fetched = 0

    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(randomSwarm(seed))
      expect(world.run(LIMIT), `seed ${seed} is done`).to.equal(true)

      for (const { fetches, download, banned, key } of world.peers) {
        expect(!fetches || download.have.full, `seed ${seed}: ${key} has all`).to.equal(true)
        const innocent = [...banned].filter(other => world.peers.some(peer => peer.key === other && peer.behaviour !== 'wrong'))
        expect(innocent, `seed ${seed}: banned by ${key}`).to.deep.equal([])
      }

      const fetching = world.peers.filter(peer => peer.fetches)
      duplicates += fetching.reduce((sum, { download }) => sum + download.duplicateBytes, 0)
      fetched += fetching.length * world.layout.size
      shares.push(world.duplicates)
    }

    shares.sort((a, b) => a - b)
    print('bytes that came twice', `${percent(duplicates / fetched)} of all; of a swarm ${percent(shares[SEEDS >> 1])} (median), ${percent(shares[SEEDS - 1])} (worst)`)
    expect(duplicates / fetched).to.be.below(0.01)
    // a few blocks of a small content, in a swarm of liars that breaks all the time
    expect(shares[SEEDS - 1]).to.be.below(0.1)
  })

  it('replay from their seed', () => {
    const traces = [3, 3, 4].map(seed => {
      const world = new World(randomSwarm(seed))
      world.run(LIMIT)

      return world.trace
    })

    expect(traces[0]).to.equal(traces[1])
    expect(traces[0]).to.not.equal(traces[2])
  })

  for (const seed of [1, 2, 3, 4, 5]) {
    it(`of ten that fetch at once take little more than the file from its seed (${seed})`, () => {
      const world = swarm({ seed, size: 100 * MIB, peers: [holder(20_000), ...Array.from({ length: 10 }, () => ({ up: 20_000, down: 40_000 }))] })
      const ms = time(world)
      print('ten fetch at once', `${(world.peers[0].uploaded / 100 / MIB).toFixed(3)} of the file from its seed, in ${(ms * 20_000 / 100 / MIB).toFixed(2)} times what sending it once takes`)

      expect(world.peers[0].uploaded / (100 * MIB)).to.be.below(1.1)
    })
  }

  it('are nearly four times as fast with four holders', () => {
    const one = time(swarm({ peers: [holder(10_000), fetcher] }))
    const four = time(swarm({ peers: [...Array.from({ length: 4 }, () => holder(10_000)), fetcher] }))

    print('four holders', `${(one / four).toFixed(2)} times as fast as one`)
    expect(one / four).to.be.above(3.6)
  })

  it('lose at most a tenth to one slow holder among four', () => {
    const three = time(swarm({ peers: [...Array.from({ length: 3 }, () => holder(10_000)), fetcher] }))
    const slow = time(swarm({ peers: [...Array.from({ length: 3 }, () => holder(10_000)), holder(1_000), fetcher] }))

    print('a holder ten times slower, beside three', `${(slow / three).toFixed(3)} of the time without it`)
    expect(slow / three).to.be.below(1.1)
  })

  it('ban who sends wrong bytes, and drop who sends none', () => {
    const world = swarm({ peers: [holder(10_000), { behaviour: 'wrong', up: 20_000, down: 20_000 }, { behaviour: 'silent', up: 1, down: 1 }, fetcher] })
    time(world)

    expect([...world.peers[3].banned]).to.deep.equal(['p1'])
    expect([...world.peers[3].dropped].filter(key => key !== 'p2')).to.deep.equal([])
  })
})
