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
  const node = await createNode({ network: NETWORK, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'], uploadLimit })
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

/** Fetches all that the holders have, 16 contents at once. */
export async function downloader ({ folder }: Setting): Promise<Part<Info[]>> {
  const node = await createNode({ network: NETWORK, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'] })
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
  const node = await createNode({ network: NETWORK, dataDir: folder, listen: ['/ip4/127.0.0.1/tcp/0'] })

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
