/**
 * One large file from one holder.
 *
 * @module
 */

import path from 'node:path'
import { contest, ratioRow } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { prepareHolders, transferRun } from './transfer-run.ts'
import type { Benchmark, Context, Variant } from './contest.ts'
import type { TransferRun } from './transfer-run.ts'

const SIZE = 512 * MIB

export const download: Benchmark = {
  title: 'Download of 512 MiB from one holder',
  needsReferences: true,

  async run (context) {
    const source = await randomFile(path.join(context.folder, 'source.bin'), SIZE)
    const { ours, stream, webtorrent, helia } = await contest({
      ours: await contender('programs/formicary.ts', source, context),
      stream: await contender('programs/raw-stream.ts', source, context, { verify: false }),
      webtorrent: await contender('references/webtorrent.mjs', source, context),
      helia: await contender('references/helia.mjs', source, context)
    }, context)

    return [
      ratioRow({ what: 'verified and on disk, against a raw libp2p stream', ours, reference: stream, unit: 'MB/s', atLeast: 0.8 }),
      ratioRow({ what: 'the same, against WebTorrent', ours, reference: webtorrent, unit: 'MB/s', atLeast: 1.1 }),
      ratioRow({ what: 'the same, against Helia', ours, reference: helia, unit: 'MB/s', atLeast: 3.5 })
    ]
  }
}

/** Prepares a program and returns what measures it, in MB/s. */
async function contender (program: string, source: string, { folder, log }: Context, settings: Partial<TransferRun> = {}): Promise<Variant> {
  const init: TransferRun = { program, source, folder: path.join(folder, path.parse(program).name), ...settings }

  try {
    await prepareHolders(init)
  } catch (err: any) {
    log(`${program} cannot start: ${err.message.split('\n')[0]}`)

    return async () => { throw err }
  }

  return async () => SIZE / 1e3 / (await transferRun(init)).ms
}
