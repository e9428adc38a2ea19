/**
 * Two nodes: one shares a file, the other finds it by a word of its name and
 * fetches it.
 */

import { createNode } from 'formicary'

// a node without `dataDir` keeps everything in memory
const ada = await createNode({ listen: ['/ip4/127.0.0.1/tcp/0'] })

for await (const entry of ada.share({ name: 'Notes on ants.txt', content: new TextEncoder().encode('They never hurry.') })) {
  console.log('ada shares', entry.name, entry.size, 'bytes')
}

// one known address is enough to enter the colony
const ben = await createNode({ listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: ada.addresses })

for await (const hit of ben.search('ants')) {
  console.log('ben found', hit.name, 'held by', hit.holder.equals(ada.peerId) ? 'ada' : 'somebody else')
  await ben.download(hit)

  for await (const bytes of ben.read(hit)) {
    console.log('it says:', new TextDecoder().decode(bytes))
  }
}

await Promise.all([ada.stop(), ben.stop()])
