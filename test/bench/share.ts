/**
 * Sharing one large file: reading it, and computing its CID.
 *
 * @module
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { contest, ratioRow } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { launch } from './processes.ts'
import type { Benchmark } from './contest.ts'

const SIZE = 1024 * MIB

export const share: Benchmark = {
  title: 'Sharing a file of 1 GiB',

  async run (context) {
    const source = await randomFile(path.join(context.folder, 'source.bin'), SIZE)
    const dataDir = path.join(context.folder, 'formicary')
    const rate = async (program: string, role: string): Promise<number> => {
      await fs.rm(dataDir, { recursive: true, force: true })
      await using player = await launch(program, role, { folder: dataDir })

      return SIZE / 1e3 / (await player.run(source)).ms
    }

    const { ours, hash } = await contest({
      ours: async () => rate('programs/formicary.ts', 'sharer'),
      hash: async () => rate('programs/hash-file.ts', 'hasher')
    }, context)

    return [
      ratioRow({ what: 'against reading it and hashing it in steps of 1 MiB', ours, reference: hash, unit: 'MB/s', atLeast: 0.85 })
    ]
  }
}
