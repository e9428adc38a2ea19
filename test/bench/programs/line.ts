/**
 * Three nodes in a line, near - middle - far. The near and the far node do not
 * listen, so that they cannot find a shorter way to each other.
 *
 * @module
 */

import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { createNode } from '../../../src/index.ts'
import type { Part } from '../processes.ts'
import type { Node } from '../../../src/index.ts'
import type { PeerId } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'

/** How long the middle may take to know that the far one can be asked, in ms. */
const PATIENCE = 30_000

interface Setting {
  folder: string

  /** Where the middle node is. */
  middle?: string

  /** What the far node shares. */
  source?: string
}

async function start (dataDir: string, listen: string[], middle?: string): Promise<Node> {
  const node = await createNode({
    network: 'bench',
    contingency: false,
    dataDir,
    listen,
    // pings follow one another faster than the other side learns that the one before is over, so there is room for all
    services: { ping: ping({ maxInboundStreams: 1024, maxOutboundStreams: 1024 }) }
  })

  if (middle != null) {
    await node.join(multiaddr(middle))
  }

  return node
}

export async function middle ({ folder }: Setting): Promise<Part> {
  const node = await start(folder, ['/ip4/127.0.0.1/tcp/0'])

  return {
    info: { address: String(node.libp2p.getMultiaddrs()[0]) },
    run: async ({ far, count }: { far: string, count: number }) => {
      const peer = connectedPeer(node, far)
      const samples: number[] = []

      for (let i = 0; i < count; i++) {
        samples.push(await pingTime(node, peer))
      }

      return samples
    },
    stop: async () => { await node.stop() }
  }
}

export async function far ({ folder, middle, source }: Setting): Promise<Part> {
  const node = await start(folder, [], middle)

  await Array.fromAsync(node.share(source ?? ''))

  return {
    info: { peer: String(node.libp2p.peerId) },
    stop: async () => { await node.stop() }
  }
}

export async function near ({ folder, middle }: Setting): Promise<Part<string[]>> {
  const node = await start(folder, [], middle)
  const peer = multiaddr(middle).getComponents().find(({ name }) => name === 'p2p')?.value

  return {
    run: async queries => {
      const target = connectedPeer(node, peer)
      const searches: number[] = []
      const pings: number[] = []
      await untilFound(node, queries[0])

      for (const query of queries) {
        searches.push(await firstHitTime(node, query))
        pings.push(await pingTime(node, target))
      }

      return { searches, pings }
    },
    stop: async () => { await node.stop() }
  }
}

/** Ms until the first hit. */
async function firstHitTime (node: Node, query: string): Promise<number> {
  const start = performance.now()

  for await (const hit of node.search(query, { limit: 1 })) {
    const ms = performance.now() - start

    if (hit.local) {
      throw new Error('The hit should be of the far node')
    }

    return ms
  }

  throw new Error(`Nothing found for ${query}`)
}

async function untilFound (node: Node, query: string): Promise<void> {
  const deadline = performance.now() + PATIENCE

  for (;;) {
    try {
      await firstHitTime(node, query)

      return
    } catch (err) {
      if (performance.now() > deadline) {
        throw err
      }

      await new Promise(resolve => { setTimeout(resolve, 100) })
    }
  }
}

function connectedPeer (node: Node, id?: string): PeerId {
  const peer = node.libp2p.getPeers().find((peer: PeerId) => String(peer) === id)

  if (peer == null) {
    throw new Error(`There is no connection to ${id}`)
  }

  return peer
}

/** Ms for one ping; the service itself counts in whole ms. */
async function pingTime (node: Node, peer: PeerId): Promise<number> {
  const start = performance.now()
  await (node.libp2p.services as unknown as { ping: Ping }).ping.ping(peer)

  return performance.now() - start
}
