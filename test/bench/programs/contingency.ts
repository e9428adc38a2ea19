/**
 * Nodes whose contingency is measured: with very many entries, or with a large
 * one.
 *
 * @module
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createNode } from '../../../src/index.ts'
import type { Part } from '../processes.ts'
import type { Node, NodeInit } from '../../../src/index.ts'

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
    libp2p: { metrics: () => counter(traffic) as any }
  })
  let fetched = 0
  node.addEventListener('transfer:done', () => { fetched++ })
  const startMs = performance.now() - begun

  if (source != null) {
    await share(node, source)
  }

  return {
    info: { startMs, shareMs: performance.now() - begun - startMs, addresses: node.addresses.map(String) },
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

/** Counts what is sent, by protocol. */
function counter (traffic: Record<string, Traffic>): object {
  const nothing = (): object => ({ update: () => {}, increment: () => {}, decrement: () => {}, reset: () => {}, timer: () => () => {} })

  return {
    trackMultiaddrConnection: () => {},
    trackProtocolStream: (stream: any) => {
      const send = stream.send.bind(stream)

      stream.send = (data: { byteLength: number }) => {
        const name = String(stream.protocol).split('/').at(-2) ?? ''
        const { sends, bytes } = traffic[name] ?? { sends: 0, bytes: 0 }
        traffic[name] = { sends: sends + 1, bytes: bytes + data.byteLength }

        return send(data)
      }
    },
    traceFunction: (_name: string, fn: unknown) => fn,
    createTrace: () => {},
    ...Object.fromEntries(['registerMetric', 'registerMetricGroup', 'registerCounter', 'registerCounterGroup', 'registerHistogram', 'registerHistogramGroup', 'registerSummary', 'registerSummaryGroup'].map(name => [name, nothing]))
  }
}
