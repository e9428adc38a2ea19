/**
 * Real libp2p nodes with the search service, in one process.
 *
 * @module
 */

import { identify } from '@libp2p/identify'
import { memory } from '@libp2p/memory'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { searchProtocol } from '../../src/search/constants.ts'
import { search } from '../../src/search/index.ts'
import { Shelf } from '../fixtures/search-shelf.ts'
import { turn } from '../fixtures/turn.ts'
import type { FindOptions, Hit, Search, SearchInit, SearchMembership, SearchSource } from '../../src/search/index.ts'
import type { Libp2p, StreamHandler } from '@libp2p/interface'

export type SearchNode = Libp2p<{ search: Search }>

let addresses = 0

/** Starts a node that shares the names. */
export async function startNode (source?: string[] | SearchSource, init?: SearchInit, membership?: SearchMembership, contingency?: SearchSource): Promise<SearchNode> {
  const shelf = Array.isArray(source) ? new Shelf(source) : source

  return await createLibp2p({
    addresses: { listen: [`/memory/search-${++addresses}`] },
    transports: [memory()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      ...shelf == null ? {} : { catalog: () => shelf },
      ...contingency == null ? {} : { contingency: () => contingency },
      ...membership == null ? {} : { membership: () => membership },
      search: search(init)
    }
  })
}

/** Connects two nodes; each knows then that the other can be asked. */
export async function connect (a: SearchNode, b: SearchNode): Promise<void> {
  const known = Promise.all([knows(a, b), knows(b, a)])
  await a.dial(b.getMultiaddrs())
  await known
}

/** Resolves when identify, and the topologies after it, have run. */
async function knows (node: SearchNode, other: SearchNode): Promise<void> {
  await new Promise<void>(resolve => {
    node.addEventListener('peer:identify', function listener ({ detail }) {
      if (detail.peerId.equals(other.peerId)) {
        node.removeEventListener('peer:identify', listener)
        void turn().then(resolve)
      }
    })
  })
}

export async function connectAll (nodes: SearchNode[]): Promise<void> {
  for (const [i, node] of nodes.entries()) {
    for (const other of nodes.slice(0, i)) {
      await connect(node, other)
    }
  }
}

/** Connects each node with the one after it. */
export async function connectLine (nodes: SearchNode[]): Promise<void> {
  for (const [i, node] of nodes.slice(1).entries()) {
    await connect(nodes[i], node)
  }
}

export async function findAll (node: SearchNode, query: string, options?: FindOptions): Promise<Hit[]> {
  const hits: Hit[] = []

  // a search ends when all have answered, which a busy machine takes its time for
  for await (const hit of node.services.search.find(query, { timeout: 30_000, ...options })) {
    hits.push(hit)
  }

  return hits
}

/** Streams of search that are open. */
export function openStreams (...nodes: SearchNode[]): number {
  return nodes.flatMap(node => node.getConnections()).flatMap(({ streams }) => streams).filter(({ protocol }) => protocol.includes('/search/')).length
}

/** A node that speaks the protocol in a way of its own. */
export async function startStranger (handler: StreamHandler): Promise<SearchNode> {
  const node = await createLibp2p({
    addresses: { listen: [`/memory/search-${++addresses}`] },
    transports: [memory()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify() }
  }) as unknown as SearchNode
  await node.handle(searchProtocol('formicary'), handler, { maxInboundStreams: 10_000, maxOutboundStreams: 10_000 })

  return node
}
