/**
 * A node that shares a note, fetches those of others, and stays until it is
 * told to stop: `node examples/hub/share.ts <name> <network> <address of a hub>…`
 */

import { setTimeout } from 'node:timers/promises'
import { createNode } from 'formicary'

const [name, network, ...bootstrap] = process.argv.slice(2)
const node = await createNode({ name, network, bootstrap })
const stopped = new AbortController()
const seen = new Set<string>()

for await (const entry of node.share({ name: `Notes of ${name}.txt`, content: new TextEncoder().encode(`${name} was here`) })) {
  console.log(name, 'shares', entry.name)
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => { stopped.abort() })
}

while (!stopped.signal.aborted) {
  await fetchNew().catch((err: Error) => { console.log(name, 'tries again:', err.message) })
  // who comes later is found the next time
  await setTimeout(2_000, undefined, stopped).catch(() => {})
}

await node.stop()

/** Fetches what others share and this node does not have. */
async function fetchNew (): Promise<void> {
  for await (const hit of node.search('notes of', stopped)) {
    if (!hit.local && !seen.has(hit.name)) {
      await node.download(hit, stopped)
      seen.add(hit.name)
      console.log(name, 'has', hit.name)
    }
  }
}
