/**
 * One node with many entries, and searches that ask nobody else.
 *
 * @module
 */

import { createNode } from '../../../src/index.ts'
import type { Part } from '../processes.ts'

const MIB = 1024 * 1024

/** Hits of a search. */
const LIMIT = 20

interface Setting {
  folder: string
}

interface Input {
  queries: string[]
}

/** Starts on the folder when it is run, then searches. */
export async function searcher ({ folder }: Setting): Promise<Part<Input>> {
  let node: Awaited<ReturnType<typeof createNode>> | undefined

  return {
    run: async ({ queries }) => {
      const start = performance.now()
      node = await createNode({ network: 'bench', contingency: false, dataDir: folder, listen: [] })
      const loadMs = performance.now() - start
      const { rss } = process.memoryUsage()
      const times: number[] = []
      let found = 0

      for (const query of queries) {
        const start = performance.now()
        let hits = 0

        for await (const _ of node.search(query, { limit: LIMIT, hops: 0 })) {
          hits++
        }

        times.push(performance.now() - start)
        found += hits > 0 ? 1 : 0
      }

      return { times, found, loadMs, memoryMiB: rss / MIB }
    },
    stop: async () => { await node?.stop() }
  }
}
