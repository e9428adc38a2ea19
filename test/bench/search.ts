/**
 * The first hit of a search two hops away.
 *
 * @module
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { percentile, ratioRow, repeat } from './contest.ts'
import { launch } from './processes.ts'
import { makeNames } from './words.ts'
import type { Benchmark } from './contest.ts'

const PROGRAM = 'programs/line.ts'

/** Files of the far node, each searched for once a run. */
const COUNT = 200

export const search: Benchmark = {
  title: 'First hit of a search two hops away',

  async run (context) {
    const names = makeNames(COUNT)
    const source = path.join(context.folder, 'source')
    await fs.mkdir(source)
    await Promise.all(names.map(async name => fs.writeFile(path.join(source, name), name)))
    let run = 0
    const { searches, pings } = await repeat(async () => measure(path.join(context.folder, `run-${run++}`), source, names), context)

    return [
      ratioRow({ what: 'against two round trips of libp2p ping, near to middle and middle to far', ours: searches, reference: pings, unit: 'ms', atMost: 3 })
    ]
  }
}

/** Medians of one run, in ms; the pings of both hops are added. */
async function measure (folder: string, source: string, names: string[]): Promise<{ searches: number, pings: number }> {
  await using players = new AsyncDisposableStack()
  const middle = players.use(await launch(PROGRAM, 'middle', { folder: path.join(folder, 'middle') }))
  const setting = { middle: middle.info.address, source }
  const far = players.use(await launch(PROGRAM, 'far', { ...setting, folder: path.join(folder, 'far') }))
  const near = players.use(await launch(PROGRAM, 'near', { ...setting, folder: path.join(folder, 'near') }))
  const queries = names.map(name => path.parse(name).name)
  const { searches, pings } = (await near.run(queries)).result
  const { result: secondHop } = await middle.run({ far: far.info.peer, count: COUNT })

  return { searches: percentile(searches, 0.5), pings: percentile(pings, 0.5) + percentile(secondHop, 0.5) }
}
