/**
 * Whom the pages of a benchmark talk with: hubs, and nodes in Node that have
 * something for them; each once as the library has it, once bare.
 *
 * @module
 */

import path from 'node:path'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { createHub } from '../../../src/node/hub.ts'
import { createNode } from '../../../src/index.ts'
import { createBare } from './bare.ts'
import type { Offer } from './page.ts'
import type { Part } from '../processes.ts'
import type { Libp2p } from '@libp2p/interface'

const NETWORK = 'bench'
export const WS = '/ip4/127.0.0.1/tcp/0/ws'
export const DIRECT = '/ip4/127.0.0.1/udp/0/webrtc-direct'

interface Setting {
  folder: string

  /** Files to be shared. */
  sources?: string[]

  /** Where a sharer listens, if not on all: who can be dialled in one way only is not found in another. */
  listen?: string[]
}

/** Where the pages come in. */
export async function hub (): Promise<Part> {
  const hub = await createHub({ network: NETWORK, listen: [WS], http: false })

  return { info: addresses(hub.libp2p), stop: async () => { await hub.stop() } }
}

export async function bareHub (): Promise<Part> {
  const node = await createBare([WS], { relay: circuitRelayServer({ reservations: { maxReservations: 1_000 } }) })

  return { info: addresses(node), stop: async () => { await node.stop() } }
}

/** Shares files; tells an offer for each. */
export async function sharer ({ folder, sources = [], listen = [WS, DIRECT] }: Setting): Promise<Part> {
  const node = await createNode({ network: NETWORK, contingency: false, dataDir: path.join(folder, 'sharer'), listen, iceServers: [] })
  const offers: Offer[] = []

  for (const source of sources) {
    for await (const { cid, name, size } of node.share(source)) {
      offers.push({ cid: String(cid), name, size, holder: String(node.peerId), addresses: addresses(node.libp2p) })
    }
  }

  return { info: offers, stop: async () => { await node.stop() } }
}

export async function bareSharer (): Promise<Part> {
  const node = await createBare([WS, DIRECT])

  return { info: addresses(node), stop: async () => { await node.stop() } }
}

function addresses (node: Libp2p): string[] {
  return node.getMultiaddrs().map(String)
}
