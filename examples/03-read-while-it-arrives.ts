/**
 * Reading from the middle of a content, as a player does when somebody moves
 * the slider: what is read is fetched first, and every byte is verified.
 */

import { createNode } from 'formicary'

const MIB = 1024 * 1024
const listen = ['/ip4/127.0.0.1/tcp/0']
const ada = await createNode({ listen, uploadLimit: 20_000_000 })
const ben = await createNode({ listen, bootstrap: ada.addresses })

for await (const { cid, size } of ada.share({ name: 'song.flac', content: new Uint8Array(20 * MIB).map((_, i) => i / MIB) })) {
  let bytes = 0
  const minutes = new Set<number>()

  // only the CID is known: who has it is found out
  for await (const chunk of ben.read(cid, { offset: 15 * MIB, length: 2 * MIB, size })) {
    bytes += chunk.byteLength
    chunk.forEach(value => minutes.add(value))
  }

  console.log('ben read', bytes / MIB, 'MiB, of minutes', [...minutes].join(' and '))
}

await Promise.all([ada.stop(), ben.stop()])
