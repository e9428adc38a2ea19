/**
 * Search in the index of one node that shares 100,000 files, after a restart.
 *
 * @module
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { format, percentile, repeat, spread } from './contest.ts'
import { launch } from './processes.ts'
import { makeNames, makeQueries } from './words.ts'
import type { Benchmark, Outcome, Row } from './contest.ts'

const COUNT = 100_000
const QUERIES = 500

/** Files in each folder of what is shared. */
const FOLDER_SIZE = 1000

export const localSearch: Benchmark = {
  title: 'Local search among 100,000 entries',

  async run (context) {
    const names = makeNames(COUNT)
    const queries = makeQueries(names, QUERIES)
    const source = path.join(context.folder, 'source')
    const full = path.join(context.folder, 'full')
    const empty = path.join(context.folder, 'empty')
    await writeFiles(source, names)
    const sharing = await shareAll(source, full)
    context.log(`shared ${COUNT} files in ${format(sharing)} s`)

    const { p50, p95, found, load, memory, loadEmpty, memoryEmpty } = await repeat(async () => {
      const without = await measure(empty, [])
      const { times, found, ...loaded } = await measure(full, queries)

      return {
        p50: percentile(times, 0.5),
        p95: percentile(times, 0.95),
        found: 100 * found / QUERIES,
        load: loaded.loadMs,
        memory: loaded.memoryMiB,
        loadEmpty: without.loadMs,
        memoryEmpty: without.memoryMiB
      }
    }, context)

    return [
      printed('p50 of a search, up to 20 hits', p50, 'ms'),
      printed('p95', p95, 'ms'),
      printed('searches that find something', found, '%'),
      printed('start from disk, against an empty node', load, 'ms', loadEmpty),
      printed('memory (RSS) once started, against an empty node', memory, 'MiB', memoryEmpty),
      printed('sharing them, once', { samples: [COUNT / sharing] }, 'files/s')
    ]
  }
}

async function writeFiles (folder: string, names: string[]): Promise<void> {
  for (let at = 0; at < names.length; at += FOLDER_SIZE) {
    const part = path.join(folder, `folder ${at / FOLDER_SIZE}`)
    await fs.mkdir(part, { recursive: true })
    await Promise.all(names.slice(at, at + FOLDER_SIZE).map(async name => fs.writeFile(path.join(part, name), name)))
  }
}

/** Returns how long it took, in seconds. */
async function shareAll (source: string, folder: string): Promise<number> {
  await using player = await launch('programs/formicary.ts', 'sharer', { folder })

  return (await player.run(source)).ms / 1000
}

async function measure (folder: string, queries: string[]): Promise<{ times: number[], found: number, loadMs: number, memoryMiB: number }> {
  await using player = await launch('programs/local-search.ts', 'searcher', { folder })

  return (await player.run({ queries })).result
}

function printed (what: string, ours: Outcome, unit: string, reference?: Outcome): Row {
  return { what, ours: spread(ours, unit), reference: reference == null ? '-' : spread(reference, unit), result: '-', goal: 'printed' }
}
