/**
 * What a download in the background costs one in the foreground, and what it
 * reaches by itself. Both fetch from one holder, in one process or two. The
 * clock runs when both sides are connected and have fetched something before.
 *
 * @module
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { contest, ratioRow } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { launch } from './processes.ts'
import { prepareHolders, transferRun } from './transfer-run.ts'
import type { Benchmark, Variant } from './contest.ts'
import type { TransferRun } from './transfer-run.ts'

const SIZE = 256 * MIB

export const background: Benchmark = {
  title: 'Download of 256 MiB beside one in the background',

  async run (context) {
    const source = path.join(context.folder, 'source')
    await randomFile(path.join(source, 'first.bin'), SIZE)
    await randomFile(path.join(source, 'second.bin'), SIZE)
    await randomFile(path.join(source, 'warm-up.bin'), 32 * MIB)
    const init: TransferRun = { program: 'programs/formicary.ts', source, folder: path.join(context.folder, 'run'), verify: false }
    await prepareHolders(init)
    const variant = (role: string, around?: TransferRun['around']): Variant => async () => {
      const { result } = await transferRun({ ...init, downloaderRole: role, around })

      return SIZE / 1e3 / result.ms
    }
    const { alone, same, server, behind } = await contest({
      alone: variant('foreground'),
      same: variant('both'),
      server: variant('foreground', async ([, holder]) => other(context.folder, holder.info)),
      behind: variant('background')
    }, context)

    return [
      ratioRow({ what: 'with a background download at the same node, against alone', ours: same, reference: alone, unit: 'MB/s', atLeast: 0.8 }),
      ratioRow({ what: 'with one of another node from the same holder', ours: server, reference: alone, unit: 'MB/s', atLeast: 0.8 }),
      ratioRow({ what: 'in the background alone, against plain', ours: behind, reference: alone, unit: 'MB/s', atLeast: 0.7 })
    ]
  }
}

/** Another process that begins to fetch in the background, and has some of it; returns what ends it. */
async function other (folder: string, info: unknown): Promise<() => Promise<void>> {
  const player = await launch('programs/formicary.ts', 'beginner', { folder: path.join(folder, 'other'), info })

  return async () => {
    await player[Symbol.asyncDispose]()
    await fs.rm(path.join(folder, 'other'), { recursive: true, force: true })
  }
}
