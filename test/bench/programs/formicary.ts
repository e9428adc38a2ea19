/**
 * The library, through its public face and with its defaults.
 *
 * @module
 */

import path from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { createNode } from '../../../src/index.ts'
import type { Part } from '../processes.ts'
import type { DownloadOptions } from '../../../src/index.ts'

const NETWORK = 'bench'

/** Small files under way at once. */
const WIDTH = 16

interface Setting {
  folder: string
  source: string

  /** Bytes a second; no limit without it. */
  uploadLimit?: number
}

interface Info {
  holder: string
  addresses: string[]
  entries: Array<{ cid: string, name: string, size: number }>
}

export async function holder ({ folder, source, uploadLimit }: Setting): Promise<Part> {
  const node = await createNode({ network: NETWORK, contingency: false, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'], uploadLimit })
  const entries: Info['entries'] = []

  for await (const { cid, name, size } of node.share(source)) {
    entries.push({ cid: String(cid), name, size })
  }

  const info: Info = {
    holder: String(node.libp2p.peerId),
    addresses: node.libp2p.getMultiaddrs().map(String),
    entries
  }

  return { info, stop: async () => { await node.stop() } }
}

/** Fetches the first of what a holder has. */
export async function foreground (setting: Setting): Promise<Part<Info[]>> {
  return fetcher(setting, async fetch => fetch(0))
}

/** The same, giving way to others that are not there. */
export async function background (setting: Setting): Promise<Part<Info[]>> {
  return fetcher(setting, async fetch => fetch(0, { background: true }))
}

/** The same in the foreground, while the second comes in the background. */
export async function both (setting: Setting): Promise<Part<Info[]>> {
  return fetcher(setting, async fetch => {
    await begun(options => fetch(1, { ...options, background: true }))

    return fetch(0)
  })
}

/** Begins to fetch the second in the background, and goes on until it is stopped. */
export async function beginner (setting: Setting & { info: Info }): Promise<Part> {
  const { run, stop } = await fetcher(setting, async fetch => {
    await begun(options => fetch(1, { ...options, background: true }))
  })
  await run?.([setting.info])

  return { stop }
}

type Fetch = (index: number, options?: DownloadOptions) => Promise<{ ms: number }>

/** What fetches one entry after another, by name, each with a clock of its own; the third to warm up. */
async function fetcher ({ folder }: Setting, work: (fetch: Fetch) => Promise<unknown>): Promise<Part<Info[]>> {
  const node = await createNode({ network: NETWORK, contingency: false, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'] })

  return {
    run: async ([{ entries, holder, addresses }]) => {
      const source = { holder: peerIdFromString(holder), addresses: addresses.map(address => multiaddr(address)) }
      const names = entries.map(({ name }) => name).sort()
      const fetch: Fetch = async (index, options) => {
        const { cid, name, size } = entries.find(({ name }) => name === names[index])!
        const start = performance.now()
        await node.download(CID.parse(cid), { ...options, name, size, sources: [source] })

        return { ms: performance.now() - start }
      }
      await fetch(2)
      // after a second nothing gives way to the warm-up any more
      await new Promise(resolve => { setTimeout(resolve, 1_500) })

      return work(fetch)
    },
    stop: async () => { await node.stop() }
  }
}

/** Begins a download, and waits for the first piece. */
async function begun (fetch: (options: DownloadOptions) => Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    fetch({ onProgress: ({ type }) => { type === 'transfer:piece' && resolve() } }).catch(reject)
  })
}

/** Fetches all that the holders have, 16 contents at once. */
export async function downloader ({ folder }: Setting): Promise<Part<Info[]>> {
  const node = await createNode({ network: NETWORK, contingency: false, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'] })
  const downloads = path.join(folder, 'downloads')

  return {
    run: async (infos) => {
      const { entries } = infos[0]
      const sources = infos.map(({ holder, addresses }) => ({
        holder: peerIdFromString(holder),
        addresses: addresses.map(address => multiaddr(address))
      }))
      const rest = entries.values()

      await Promise.all(Array.from({ length: Math.min(WIDTH, entries.length) }, async () => {
        for (const { cid, name, size } of rest) {
          await node.download(CID.parse(cid), { name, size, sources })
        }
      }))

      return { path: entries.length === 1 ? path.join(downloads, entries[0].name) : downloads }
    },
    stop: async () => { await node.stop() }
  }
}

export async function sharer ({ folder }: Setting): Promise<Part<string>> {
  const node = await createNode({ network: NETWORK, contingency: false, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'] })

  return {
    run: async source => {
      const cids: string[] = []

      for await (const { cid } of node.share(source)) {
        cids.push(String(cid))
      }

      return { cids }
    },
    stop: async () => { await node.stop() }
  }
}
