/**
 * Swarms made up from a seed.
 *
 * @module
 */

import { PIECE_SIZE } from '../../src/content/constants.ts'
import { pick, randomInt, seededRandom } from '../../src/random.ts'
import type { Random } from '../../src/random.ts'
import type { Behaviour, PeerInit, WorldInit } from './transfer.ts'

const LIARS: Behaviour[] = ['wrong', 'sly', 'silent', 'refusing']

/** 2 to 50 peers; half of the swarms are troubled: some slow, some lying, with losses, breaks, leaves and crashes. */
export function randomSwarm (seed: number): WorldInit & { troubled: boolean } {
  const random = seededRandom(seed * 7919 + 1)
  const count = 2 + randomInt(random, random() < 0.2 ? 49 : 14)
  const troubled = random() < 0.5
  const peers: PeerInit[] = [{ have: 1, up: 10_000, down: 10_000 }, { up: 10_000, down: 10_000 }]

  while (peers.length < count) {
    peers.push(randomPeer(random, troubled))
  }

  return {
    seed,
    troubled,
    peers,
    // 20 to 200 pieces, or a few
    size: (random() < 0.2 ? randomInt(random, 4) : 20 + randomInt(random, Math.floor(180 / (1 + count / 8)))) * PIECE_SIZE + randomInt(random, PIECE_SIZE),
    latency: random() < 0.5 ? [1, 5] : [10, 80],
    degree: count > 20 ? 12 : undefined,
    loss: troubled ? random() * 0.01 : 0,
    breakEvery: troubled ? 5_000 + random() * 20_000 : undefined,
    leaveEvery: troubled && random() < 0.5 ? 10_000 + random() * 20_000 : undefined
  }
}

function randomPeer (random: Random, troubled: boolean): PeerInit {
  const slow = troubled && random() < 0.15
  const behaviour = troubled && random() < 0.15 ? pick(random, LIARS) : 'honest'
  const speed = (slow ? 0.05 + 0.15 * random() : 1) * (5_000 + random() * 15_000)

  return { up: speed, down: 2 * speed, behaviour, have: random() < 0.15 ? 1 : random() < 0.1 ? random() : 0 }
}
