/**
 * A long download: progress while it runs, a signal to cancel it, and the
 * second call that goes on where the first one was.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNode } from 'formicary'
import type { Hit } from 'formicary'

const folder = await mkdtemp(join(tmpdir(), 'formicary-example-'))
const MIB = 1024 * 1024
const listen = ['/ip4/127.0.0.1/tcp/0']

// ten million bytes a second at most, so that there is something to see
const ada = await createNode({ listen, uploadLimit: 10_000_000 })
const ben = await createNode({ listen, dataDir: join(folder, 'ben'), bootstrap: ada.addresses })

for await (const { name } of ada.share({ name: 'film.mkv', content: new Uint8Array(16 * MIB).map((_, i) => i >> 12) })) {
  console.log('ada shares', name)
}

const hits: Hit[] = []

for await (const hit of ben.search('film')) {
  hits.push(hit)
}

const cancel = new AbortController()

try {
  await ben.download(hits[0], {
    signal: cancel.signal,
    onProgress: ({ type, detail }) => {
      if (type === 'transfer:progress' && detail.bytes > 4 * MIB) {
        cancel.abort(new Error('I changed my mind'))
      }
    }
  })
} catch (err) {
  console.log('ben stopped:', (err as Error).message)
}

let first: number | undefined

const entry = await ben.download(hits[0], {
  onProgress: ({ type, detail }) => {
    if (type === 'transfer:progress') {
      first ??= detail.bytes
    }
  }
})

console.log('ben went on', (first ?? 0) > 4 * MIB ? 'where he was' : 'from the beginning', 'and has', entry.size / MIB, 'MiB')

await Promise.all([ada.stop(), ben.stop()])
await rm(folder, { recursive: true })
