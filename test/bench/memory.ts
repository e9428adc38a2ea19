/**
 * Memory of a downloader, for a small and a large file.
 *
 * @module
 */

import path from 'node:path'
import { contest, format, median, spread } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { transferRun } from './transfer-run.ts'
import type { Benchmark, Outcome, Row } from './contest.ts'

/** Most MiB above the receiver of a raw stream. */
const MAX_ABOVE = 48

/** Most MiB between the small and the large file. */
const MAX_APART = 16

export const memory: Benchmark = {
  title: 'Peak memory of the downloader (VmHWM)',

  async run (context) {
    const small = await randomFile(path.join(context.folder, 'small.bin'), 64 * MIB)
    const large = await randomFile(path.join(context.folder, 'large.bin'), 2048 * MIB)
    const peak = async (program: string, source: string, verify: boolean): Promise<number> => {
      const folder = path.join(context.folder, `${path.parse(program).name}-${path.parse(source).name}`)

      return (await transferRun({ program, source, folder, verify })).peakMiB
    }

    const { oursSmall, streamSmall, oursLarge, streamLarge } = await contest({
      oursSmall: async () => peak('programs/formicary.ts', small, true),
      streamSmall: async () => peak('programs/raw-stream.ts', small, false),
      oursLarge: async () => peak('programs/formicary.ts', large, true),
      streamLarge: async () => peak('programs/raw-stream.ts', large, false)
    }, context)

    return [
      differenceRow('64 MiB, against the receiver of a raw stream', oursSmall, streamSmall, MAX_ABOVE),
      differenceRow('2 GiB, against the receiver of a raw stream', oursLarge, streamLarge, MAX_ABOVE),
      { ...differenceRow('2 GiB against 64 MiB, both ours', oursLarge, oursSmall, MAX_APART), goal: `within ${MAX_APART} MiB`, met: Math.abs(median(oursLarge) - median(oursSmall)) <= MAX_APART }
    ]
  }
}

function differenceRow (what: string, ours: Outcome, reference: Outcome, most: number): Row {
  const difference = median(ours) - median(reference)

  return {
    what,
    ours: spread(ours, 'MiB'),
    reference: spread(reference, 'MiB'),
    result: Number.isNaN(difference) ? '-' : `${difference < 0 ? '−' : '+'} ${format(Math.abs(difference))} MiB`,
    goal: `≤ + ${most} MiB`,
    met: difference <= most
  }
}
