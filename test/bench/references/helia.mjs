/**
 * Helia: `unixfs.cat` over bitswap into a file, blocks on disk on both sides;
 * TCP, noise and yamux, no DHT, no gateways.
 */

import fs from 'node:fs'
import path from 'node:path'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { FsBlockstore } from 'blockstore-fs'
import { MemoryDatastore } from 'datastore-core'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'

async function start (folder, listen) {
  const blockstore = new FsBlockstore(path.join(folder, 'blocks'))
  await blockstore.open()
  const node = withBitswap(withLibp2pLight(createHeliaLight({ blockstore, datastore: new MemoryDatastore() }), {
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
    connectionMonitor: { enabled: false }
  }))
  await node.start()

  return node
}

export async function holder ({ folder, source }) {
  const node = await start(folder, ['/ip4/127.0.0.1/tcp/0'])
  const kept = path.join(folder, 'cid')

  if (!fs.existsSync(kept)) {
    const cid = await unixfs(node).addByteStream(fs.createReadStream(source, { highWaterMark: 1024 * 1024 }))
    await fs.promises.writeFile(kept, String(cid))
  }

  return { info: { address: String(node.libp2p.getMultiaddrs()[0]), cid: await fs.promises.readFile(kept, 'utf8') } }
}

export async function downloader ({ folder }) {
  const node = await start(folder, [])

  return {
    run: async ([{ address, cid }]) => {
      await node.libp2p.dial(multiaddr(address))
      const output = path.join(folder, 'output')
      const file = await fs.promises.open(output, 'w')

      for await (const chunk of unixfs(node).cat(CID.parse(cid))) {
        await file.write(chunk)
      }

      await file.close()

      return { path: output }
    }
  }
}
