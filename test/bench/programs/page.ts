/**
 * What the pages of the benchmarks can do: the library through its public
 * face, and bare libp2p. Found as `bench` on `globalThis`.
 *
 * @module
 */

import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { WebRTC } from '@multiformats/multiaddr-matcher'
import { IDBDatastore } from 'datastore-idb'
import { CID } from 'multiformats/cid'
import { createNode } from '../../../src/index.ts'
import { createBare, dialBare, receive } from './bare.ts'
import type { Node } from '../../../src/index.ts'
import type { Connection, Libp2p } from '@libp2p/interface'

/** Something to be fetched, and from whom. */
export interface Offer {
  cid: string
  name: string
  size: number
  holder: string
  addresses: string[]
}

/** How long the main thread was busy, in ms: how much later than it should each turn of a ticker came, and each task of over 50 ms. */
export interface Blocked {
  delays: number[]
  longTasks: number[]
}

/** The functions of a page. */
export type PageProgram = typeof bench

const NETWORK = 'bench'

/** Most bytes of random numbers that a browser gives at once. */
const RANDOM_SIZE = 65_536

/** Ms between two turns of the ticker. */
const TICK = 5

/** How long to wait for a reservation or a connection, in ms. */
const PATIENCE = 60_000

let ours: Node | undefined
let bare: Libp2p | undefined
let bareConnection: Connection | undefined
let watch: (() => Blocked) | undefined

function node (): Node {
  if (ours == null) {
    throw new Error('There is no node')
  }

  return ours
}

const bench = {
  /** Makes a node that keeps things in the private files. */
  async start (dataDir: string, bootstrap: string[]): Promise<string> {
    ours = await createNode({ network: NETWORK, contingency: false, dataDir, bootstrap, iceServers: [] })
    const { store } = await ours.storage()

    return store
  },

  /** The ways to the node through its hub, when there are some. */
  async reachable (): Promise<string[]> {
    return ways(node().libp2p)
  },

  async startBare (relay: string, database?: string): Promise<void> {
    const datastore = database == null ? undefined : new IDBDatastore(database)
    await datastore?.open()
    bare = await createBare(['/p2p-circuit', '/webrtc'], {}, datastore)
    await bare.dial(multiaddr(relay))
  },

  async bareReachable (): Promise<string[]> {
    return ways(bare as Libp2p)
  },

  /** Ms from nothing to a reservation, and the ways to the node; it keeps things if there is a `dataDir`. */
  async timeToReservation (kind: 'ours' | 'bare', hub: string, dataDir?: string): Promise<{ ms: number, ways: string[] }> {
    const start = performance.now()

    if (kind === 'ours') {
      ours = await createNode({ network: NETWORK, contingency: false, dataDir, bootstrap: [hub], iceServers: [] })
    } else {
      await bench.startBare(hub, dataDir)
    }

    const found = await ways(kind === 'ours' ? node().libp2p : bare as Libp2p)

    return { ms: performance.now() - start, ways: found }
  },

  /** Ms until there is a direct connection with another node, which is dialled. */
  async timeToDirect (kind: 'ours' | 'bare', way: string): Promise<number> {
    const start = performance.now()
    const libp2p = kind === 'ours' ? node().libp2p as Libp2p : bare as Libp2p
    const peer = way.split('/').at(-1)
    libp2p.dial(multiaddr(way)).catch(() => {})
    await until(() => libp2p.getConnections().find(({ remotePeer, limits }) => String(remotePeer) === peer && limits == null))

    return performance.now() - start
  },

  /** Shares random bytes. */
  async share (name: string, size: number): Promise<Omit<Offer, 'addresses'>> {
    const bytes = new Uint8Array(size)

    for (let at = 0; at < size; at += RANDOM_SIZE) {
      crypto.getRandomValues(bytes.subarray(at, at + RANDOM_SIZE))
    }

    for await (const { cid } of node().share({ name, content: new Blob([bytes]) })) {
      return { cid: String(cid), name, size, holder: String(node().peerId) }
    }

    throw new Error('Nothing was shared')
  },

  async forget (cid: string): Promise<void> {
    await node().unshare(CID.parse(cid))
  },

  /** Ms until it is verified and stored; a connection is opened before if need be. */
  async download ({ cid, name, size, holder, addresses }: Offer): Promise<number> {
    const start = performance.now()
    const sources = [{ holder: peerIdFromString(holder), addresses: addresses.map(address => multiaddr(address)) }]
    await node().download(CID.parse(cid), { name, size, sources })
    const ms = performance.now() - start

    if ((await node().file(cid)).size !== size) {
      throw new Error('What was stored has another size')
    }

    return ms
  },

  /** How the node is connected with a peer: the addresses of the connections that can carry data. */
  connectionsWith (peer: string): string[] {
    return node().libp2p.getConnections().filter(({ remotePeer, limits }) => String(remotePeer) === peer && limits == null).map(({ remoteAddr }) => String(remoteAddr))
  },

  async dialBare (address: string): Promise<string> {
    bareConnection = await dialBare(bare as Libp2p, address)

    return String(bareConnection.remoteAddr)
  },

  /** A bare node that needs no relay. */
  async createBare (): Promise<void> {
    bare = await createBare([])
  },

  async receiveBare (mib: number): Promise<number> {
    return receive(bareConnection as Connection, mib)
  },

  /** Begins to watch the main thread. */
  watch (): void {
    const found: Blocked = { delays: [], longTasks: [] }
    const observer = new PerformanceObserver(list => { found.longTasks.push(...list.getEntries().map(({ duration }) => duration)) })
    observer.observe({ type: 'longtask' })
    let last = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      found.delays.push(Math.max(0, now - last - TICK))
      last = now
    }, TICK)
    watch = () => {
      clearInterval(timer)
      found.longTasks.push(...observer.takeRecords().map(({ duration }) => duration))
      observer.disconnect()

      return found
    }
  },

  unwatch (): Blocked {
    return watch?.() ?? { delays: [], longTasks: [] }
  }
}

/** Ways to a node through a relay, over WebRTC, as soon as there are some. */
async function ways (libp2p: Pick<Libp2p, 'getMultiaddrs'>): Promise<string[]> {
  return until(() => {
    const found = libp2p.getMultiaddrs().filter(address => WebRTC.matches(address)).map(String)

    return found.length === 0 ? undefined : found
  })
}

/** Asks again and again: libp2p tells new addresses a second later. */
async function until<T> (ask: () => T | undefined): Promise<T> {
  for (const start = performance.now(); performance.now() < start + PATIENCE;) {
    const found = ask()

    if (found != null) {
      return found
    }

    await new Promise(resolve => { setTimeout(resolve) })
  }

  throw new Error('Waited too long')
}

Object.assign(globalThis, { bench })
