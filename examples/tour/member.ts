/**
 * One member of the colony, in a process of its own: does what the tour asks
 * for, one thing after another, and tells what happens.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createNode } from 'formicary'
import type { Hit, Node } from 'formicary'

/** What a member can be asked to do, and what it answers at the end. */
export interface Tasks {
  start: [init: { name: string, dataDir: string, bootstrap: string[], uploadLimit?: number }, result: { peerId: string, addresses: string[] }]
  share: [init: { folder: string }, result: { files: number, bytes: number }]
  settle: [init: object, result: { copies: number }]
  search: [init: { query: string }, result: { count: number }]
  members: [init: { until: string }, result: { table: string }]
  download: [init: object, result: { name: string, sha256: string }]
  stop: [init: object, result: object]
}

/** What a member tells meanwhile. */
export type News =
  | { type: 'hit', name: string, size: number, holder: string, ward?: string, local: boolean }
  | { type: 'progress', bytes: number, size: number, rate: number, peers: number, msLeft?: number }
  | { type: 'shared', files: number }
  | { type: 'member', name: string, state: string }

let node: Node
let dataDir: string
let hits: Hit[] = []

function tell (news: News): void {
  process.send?.({ news })
}

const tasks: { [Name in keyof Tasks]: (init: Tasks[Name][0]) => Promise<Tasks[Name][1]> } = {
  async start ({ bootstrap, uploadLimit, ...init }) {
    dataDir = init.dataDir
    node = await createNode({
      network: 'tour',
      name: init.name,
      dataDir,
      bootstrap,
      uploadLimit,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      // others keep the documents; a copy of each film would take as long as the tour
      contingency: { filter: ({ size }) => size < 1024 * 1024 }
    })

    for (const change of ['member:suspected', 'member:down'] as const) {
      node.addEventListener(change, ({ detail: { member } }) => { tell({ type: 'member', name: member.name, state: member.state }) })
    }

    return { peerId: String(node.peerId), addresses: node.addresses.map(String) }
  },

  async share ({ folder }) {
    let files = 0
    let bytes = 0

    for await (const entry of node.share(folder)) {
      files++
      bytes += entry.size

      if (files % 100 === 0) {
        tell({ type: 'shared', files })
      }
    }

    return { files, bytes }
  },

  /** Waits until others have what this member shares. */
  async settle () {
    await node.contingency.settled()

    return { copies: node.contingency.status().verified }
  },

  async search ({ query }) {
    hits = []

    for await (const hit of node.search(query)) {
      hits.push(hit)
      tell({ type: 'hit', name: hit.name, size: hit.size, holder: String(hit.holder), ward: hit.ward?.toString(), local: hit.local })
    }

    return { count: hits.length }
  },

  /** Who is in the colony, once somebody is as expected, e.g. `bea down`. */
  async members ({ until }) {
    for (;;) {
      const table = [...node.members()].map(({ name, state }) => `${name} ${state}`).sort()

      if (table.includes(until)) {
        return { table: table.join(', ') }
      }

      await new Promise(resolve => { setTimeout(resolve, 50) })
    }
  },

  /** Fetches what was found first, from everybody who has it. */
  async download () {
    const [first] = hits
    const same = hits.filter(({ cid }) => cid.equals(first.cid))
    const entry = await node.download(first, {
      sources: same,
      onProgress: ({ type, detail }) => {
        if (type === 'transfer:progress' && detail.size != null) {
          tell({ ...detail, type: 'progress', size: detail.size })
        }
      }
    })
    const hash = createHash('sha256')

    for await (const bytes of createReadStream(join(dataDir, 'downloads', entry.name))) {
      hash.update(bytes)
    }

    return { name: entry.name, sha256: hash.digest('hex') }
  },

  /** All others stop as well, so there is nobody to hand anything over to. */
  async stop () {
    await node.stop({ signal: AbortSignal.timeout(100) })

    return {}
  }
}

process.on('message', ({ task, init }: { task: keyof Tasks, init: never }) => {
  tasks[task](init)
    .then(result => ({ result }), (err: Error) => ({ error: `${err.name}: ${err.message}` }))
    .then(answer => process.send?.(answer))
    .catch(() => {})
})

// the tour is over, however it ended
process.on('disconnect', () => { process.exit() })
