/**
 * Several holders at once, each with a limit on what it sends. At full speed
 * five processes on few cores would measure the cores.
 *
 * @module
 */

import path from 'node:path'
import { contest, format, median, ratioRow, spread } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { prepareHolders, transferRun } from './transfer-run.ts'
import type { Benchmark } from './contest.ts'
import type { TransferRun } from './transfer-run.ts'

const SIZE = 128 * MIB

/** Bytes a second. */
const FAST = 10_000_000
const SLOW = FAST / 10

/** Largest share of the speed that a slow holder may cost. */
const MAX_COST = 0.1

export const holders: Benchmark = {
  title: '128 MiB from holders limited to 10 MB/s each',

  async run (context) {
    const source = await randomFile(path.join(context.folder, 'source.bin'), SIZE)
    const from = (...limits: number[]): TransferRun => ({
      program: 'programs/formicary.ts',
      folder: context.folder,
      source,
      holders: limits.map(uploadLimit => ({ uploadLimit }))
    })
    const rate = async (run: TransferRun): Promise<number> => SIZE / 1e3 / (await transferRun(run)).ms
    await prepareHolders(from(FAST, FAST, FAST, FAST))

    const { one, four, three, threeAndSlow } = await contest({
      one: async () => rate(from(FAST)),
      four: async () => rate(from(FAST, FAST, FAST, FAST)),
      three: async () => rate(from(FAST, FAST, FAST)),
      threeAndSlow: async () => rate(from(FAST, FAST, FAST, SLOW))
    }, context)
    const cost = 1 - median(threeAndSlow) / median(three)

    return [
      ratioRow({ what: 'four, against one of them', ours: four, reference: one, unit: 'MB/s', atLeast: 3.6 }),
      {
        what: 'three and one of 1 MB/s, against the three',
        ours: spread(threeAndSlow, 'MB/s'),
        reference: spread(three, 'MB/s'),
        result: Number.isNaN(cost) ? '-' : `costs ${format(cost * 100)} %`,
        goal: `≤ ${MAX_COST * 100} %`,
        met: cost <= MAX_COST
      }
    ]
  }
}
