/**
 * Many small files, 16 at a time.
 *
 * @module
 */

import path from 'node:path'
import { contest, ratioRow } from './contest.ts'
import { randomFolder } from './fixtures.ts'
import { transferRun } from './transfer-run.ts'
import type { Benchmark } from './contest.ts'

const COUNT = 1000
const SIZE = 16 * 1024

export const smallFiles: Benchmark = {
  title: '1,000 files of 16 KiB, 16 at a time',

  async run (context) {
    const source = await randomFolder(path.join(context.folder, 'source'), COUNT, SIZE)
    const rate = ({ ms }: { ms: number }): number => COUNT / (ms / 1000)
    const { ours, stream } = await contest({
      ours: async () => rate(await transferRun({
        program: 'programs/formicary.ts',
        folder: path.join(context.folder, 'formicary'),
        source
      })),
      stream: async () => rate(await transferRun({
        program: 'programs/raw-stream.ts',
        holderRole: 'smallHolder',
        downloaderRole: 'smallDownloader',
        folder: path.join(context.folder, 'raw-stream'),
        source
      }))
    }, context)

    return [
      ratioRow({ what: 'against one new libp2p stream per file, hashed and written', ours, reference: stream, unit: 'files/s', atLeast: 0.8 })
    ]
  }
}
