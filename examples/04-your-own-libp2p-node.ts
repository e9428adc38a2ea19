/**
 * The services without the preset: on a libp2p node with the transports,
 * datastore and other services that you choose.
 */

import { noise } from '@libp2p/noise'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { catalog } from 'formicary/catalog'
import { search } from 'formicary/search'
import { memoryStore } from 'formicary/store'
import { transfer } from 'formicary/transfer'
import { createLibp2p } from 'libp2p'

// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- the type of the node tells which services it has
async function create () {
  // the catalog serves what transfer puts there
  const store = memoryStore()

  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      catalog: catalog({ store }),
      search: search({ network: 'example' }),
      transfer: transfer({ store, network: 'example' })
    }
  })
}

const [ada, ben] = await Promise.all([create(), create()])

for await (const entry of ada.services.catalog.share({ name: 'hello.txt', content: new Uint8Array(100_000) })) {
  console.log('ada shares', entry.name)
}

// search asks whoever is connected, as soon as it is known what they speak
ben.addEventListener('peer:identify', () => { void fetchAll() }, { once: true })

async function fetchAll (): Promise<void> {
  for await (const hit of ben.services.search.find('hello')) {
    const entry = await ben.services.transfer.download(hit.cid, { name: hit.name, size: hit.size, sources: [hit] })
    console.log('ben has', entry.name, entry.size)
  }

  await Promise.all([ada.stop(), ben.stop()])
}

await ben.dial(ada.getMultiaddrs())
