/**
 * A backup to a contingent, against a plain download of the same: the clock
 * runs from when the other node is made, and enters the colony, until it has
 * everything. And what a download loses while there is a backup that is well
 * under way, by a member of the colony; or one that has just begun, by a node
 * that has just been made, when three processes share two cores to warm up.
 *
 * @module
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { contest, ratioRow } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { launch } from './processes.ts'
import type { Benchmark, Context } from './contest.ts'
import type { Host } from './programs/contingency.ts'
import type { Measured, Player } from './processes.ts'

const PROGRAM = 'programs/contingency.ts'
const SIZE = 1024 * MIB

/** A file that is downloaded while the large one is backed up. */
const OTHER_SIZE = 128 * MIB

/** MiB after which a backup is well under way. */
const UNDER_WAY = 128

export const backup: Benchmark = {
  title: 'A backup of 1 GiB to a contingent',

  async run (context) {
    const { folder } = context
    await randomFile(path.join(folder, 'large/large.bin'), SIZE)
    await randomFile(path.join(folder, 'both/large.bin'), SIZE)
    await randomFile(path.join(folder, 'both/other.bin'), OTHER_SIZE)

    // hashed once
    for (const what of ['large', 'both']) {
      await using _ = await launch(PROGRAM, 'node', { folder: path.join(folder, `${what}-data`), source: path.join(folder, what), contingency: false })
    }

    const other = async (isMember: boolean, until?: number): Promise<number> => rate(OTHER_SIZE, await withHost(context, 'both', until != null, async (player, host) => {
      await (isMember ? player('downloader').run({ host }) : undefined)
      await (until != null ? player('keeper').run({ host, until }) : undefined)

      return player('downloader').run({ host, file: 'other.bin' })
    }))
    const { plain, backup, alone, beside, freshAlone, freshBeside } = await contest({
      plain: async () => rate(SIZE, await withHost(context, 'large', false, async (player, host) => player('downloader').run({ host, file: 'large.bin' }))),
      backup: async () => rate(SIZE, await withHost(context, 'large', true, async (player, host) => player('keeper').run({ host, until: 'complete' }))),
      alone: async () => other(true),
      beside: async () => other(true, UNDER_WAY),
      freshAlone: async () => other(false),
      freshBeside: async () => other(false, 1)
    }, context)

    return [
      ratioRow({ what: 'backup of 1 GiB, against a plain download', ours: backup, reference: plain, unit: 'MB/s', atLeast: 0.7 }),
      ratioRow({ what: 'download beside a backup of the same node, against alone', ours: beside, reference: alone, unit: 'MB/s', atLeast: 0.8 }),
      ratioRow({ what: 'by a node just made, beside a backup that has just begun', ours: freshBeside, reference: freshAlone, unit: 'MB/s', atLeast: 0.8 })
    ]
  }
}

type Role = 'keeper' | 'downloader'

/** Runs one measurement with a host that has shared something before, and processes that are ready for it. */
async function withHost ({ folder }: Context, what: string, contingency: boolean, measure: (player: (role: Role) => Player, host: Host) => Promise<Measured>): Promise<Measured> {
  const fresh = path.join(folder, 'fresh')

  try {
    await using stack = new AsyncDisposableStack()

    // it must not wait for the contingent it had the last time
    await fs.cp(path.join(folder, `${what}-data`), path.join(fresh, 'host'), { recursive: true })
    const host = stack.use(await launch(PROGRAM, 'node', { folder: path.join(fresh, 'host'), contingency: contingency && { copies: 1, room: 0 } }))
    const keeper = stack.use(await launch(PROGRAM, 'keeper', { folder: path.join(fresh, 'keeper'), room: 2 * SIZE }))
    const downloader = stack.use(await launch(PROGRAM, 'downloader', { folder: path.join(fresh, 'downloader') }))

    return await measure(role => role === 'keeper' ? keeper : downloader, host.info)
  } finally {
    await fs.rm(fresh, { recursive: true, force: true })
  }
}

function rate (size: number, { ms }: Measured): number {
  return size / 1e3 / ms
}
