/**
 * Nodes whose contingency is measured: with very many entries, or with a large
 * one.
 *
 * @module
 */

import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createNode } from '../../../src/index.ts'
import type { Part } from '../processes.ts'
import type { Node, NodeInit } from '../../../src/index.ts'
import type { Metrics } from '@libp2p/interface'

const NETWORK = 'bench'
const MIB = 1024 * 1024

interface Setting {
  folder: string
  bootstrap?: string[]
  contingency: NodeInit['contingency']

  /** What to share at the start. */
  source?: string
}

/** What a node can be asked to do. */
export type Task =
  | { type: 'share', path: string }
  | { type: 'settled' }
  | { type: 'traffic' }
  | { type: 'memory' }

/** What streams of a protocol have had to send. */
export interface Traffic {
  sends: number
  bytes: number
}

export async function node ({ folder, bootstrap, contingency, source }: Setting): Promise<Part<Task>> {
  const traffic: Record<string, Traffic> = {}
  const begun = performance.now()
  const node = await createNode({
    network: NETWORK,
    dataDir: folder,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap,
    contingency,
    libp2p: { metrics: () => counter(traffic) }
  })
  let fetched = 0
  // downloads that contingency asks for are no business of the node's users, who hear of none
  node.libp2p.services.kept?.addEventListener('entry:added', () => { fetched++ })
  const startMs = performance.now() - begun

  if (source != null) {
    await share(node, source)
  }

  return {
    info: {
      startMs,
      shareMs: performance.now() - begun - startMs,
      peerId: String(node.peerId),
      addresses: node.addresses.map(String),
      // those who ask for all of very many entries need no list of them
      entries: [...node.entries()].slice(0, 10).map(({ cid, name, size }) => ({ cid: String(cid), name, size }))
    },
    run: async task => {
      switch (task.type) {
        case 'share': return share(node, task.path)
        case 'settled': return node.contingency.settled()
        case 'memory': return memory()
        case 'traffic': {
          const all = structuredClone(traffic)
          Object.keys(traffic).forEach(protocol => { delete traffic[protocol] })

          return { ...all, contents: fetched }
        }
      }
    },
    stop: async () => { await node.stop() }
  }
}

/** What a newcomer is to know of whom it comes to. */
export interface Host {
  peerId: string
  addresses: string[]
  entries: Array<{ cid: string, name: string, size: number }>
}

/** How often it is looked how far a backup is, in ms. */
const TICK = 20

/** Comes into the colony when it is run, and keeps everything of the host; resolves when it has it, or so many MiB of it. */
export async function keeper ({ folder, room }: { folder: string, room: number }): Promise<Part<{ host: Host, until: 'complete' | number }>> {
  let node: Node | undefined

  return {
    run: async ({ host, until }) => {
      node ??= await createNode({ network: NETWORK, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: host.addresses, contingency: { room } })
      const isThere = (): boolean => typeof until === 'number' ? node!.libp2p.services.transfer.downloaded > until * MIB : node!.contingency.status().wards.some(({ complete }) => complete)

      while (!isThere()) {
        await new Promise(resolve => { setTimeout(resolve, TICK) })
      }

      return { downloaded: node.libp2p.services.transfer.downloaded }
    },
    stop: async () => { await node?.stop({ signal: AbortSignal.timeout(1) }) }
  }
}

/** Comes into the colony when it is run first, and downloads one file of the host, if it is told one. */
export async function downloader ({ folder }: { folder: string }): Promise<Part<{ host: Host, file?: string }>> {
  let node: Node | undefined

  return {
    run: async ({ host: { peerId, addresses, entries }, file }) => {
      node ??= await createNode({ network: NETWORK, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: addresses, contingency: false })

      if (file == null) {
        return {}
      }

      const { cid, name, size } = entries.find(({ name }) => name === file)!
      await node.download(cid, { name, size, sources: [{ holder: peerIdFromString(peerId), addresses: addresses.map(address => multiaddr(address)) }] })

      return { path: path.join(folder, 'downloads', name) }
    },
    stop: async () => { await node?.stop() }
  }
}

async function share (node: Node, path: string): Promise<void> {
  for await (const _ of node.share(path)) {
    // as they come
  }
}

/** MiB of the heap that are in use when all garbage is gone. */
function memory (): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()

  return process.memoryUsage().heapUsed / MIB
}

/** Counts what is sent, by protocol; of all else, nothing. */
function counter (traffic: Record<string, Traffic>): Metrics {
  const nothing = { update: () => {}, increment: () => {}, decrement: () => {}, observe: () => {}, reset: () => {}, timer: () => () => {} }
  const register = (): typeof nothing => nothing

  return {
    trackMultiaddrConnection: () => {},
    trackProtocolStream: stream => {
      const send = stream.send.bind(stream)

      stream.send = data => {
        // it has none while that is being agreed on
        const name = String(stream.protocol).split('/').at(-2) ?? ''
        const { sends, bytes } = traffic[name] ?? { sends: 0, bytes: 0 }
        traffic[name] = { sends: sends + 1, bytes: bytes + data.byteLength }

        return send(data)
      }
    },
    registerMetric: register,
    registerMetricGroup: register,
    registerCounter: register,
    registerCounterGroup: register,
    registerHistogram: register,
    registerHistogramGroup: register,
    registerSummary: register,
    registerSummaryGroup: register,
    traceFunction: <F>(_name: string, fn: F): F => fn,
    createTrace: () => {}
  }
}
