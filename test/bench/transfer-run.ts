/**
 * One download from one holder or several, each side in a process of its own.
 *
 * A program that takes part has the roles `holder` and `downloader` (or those
 * named in the run). A holder keeps what it needs to know about the source in
 * its `folder`, which stays from run to run. A downloader gets an empty
 * `folder`, and is given the `info` of all holders when the clock starts, from
 * just before it connects until the last byte is written and its file closed.
 *
 * @module
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { assertSame } from './fixtures.ts'
import { launch } from './processes.ts'
import type { Measured, Player } from './processes.ts'

export interface TransferRun {
  /** The file to be loaded, relative to this folder. */
  program: string

  /** Where the processes may keep their things. */
  folder: string

  /** The file or folder to be shared. */
  source: string

  /**
   * Settings of each holder beside its folder and the source.
   *
   * @default [{}]
   */
  holders?: object[]

  /** @default 'holder' */
  holderRole?: string

  /** @default 'downloader' */
  downloaderRole?: string

  /** `false` if the downloader drops what it gets. */
  verify?: boolean

  /** Called when all are ready, with the downloader first; what it returns is called after the run. */
  around? (players: Player[]): Promise<() => Promise<void>>
}

/** Starts the holders and the downloader, measures the download, compares what arrived, and ends them. */
export async function transferRun (init: TransferRun): Promise<Measured> {
  const target = path.join(init.folder, 'downloader')
  await fs.rm(target, { recursive: true, force: true })
  await fs.mkdir(target, { recursive: true })

  try {
    await using players = new AsyncDisposableStack()
    const holders = await launchHolders(init, players)
    const downloader = players.use(await launch(init.program, init.downloaderRole ?? 'downloader', { folder: target }))
    const after = await init.around?.([downloader, ...holders])
    const measured = await downloader.run(holders.map(({ info }) => info))
    await after?.()

    if (init.verify !== false) {
      await assertSame(measured.result.path, init.source)
    }

    return measured
  } finally {
    await fs.rm(target, { recursive: true, force: true })
  }
}

/** Starts and ends the holders, so that whatever they do with the source the first time is done. */
export async function prepareHolders (init: TransferRun): Promise<void> {
  await using players = new AsyncDisposableStack()
  await launchHolders(init, players)
}

async function launchHolders (init: TransferRun, players: AsyncDisposableStack): Promise<Player[]> {
  const holders: Player[] = []

  for (const [i, setting] of (init.holders ?? [{}]).entries()) {
    const folder = path.join(init.folder, `holder-${i}`)
    await fs.mkdir(folder, { recursive: true })
    holders.push(players.use(await launch(init.program, init.holderRole ?? 'holder', { ...setting, folder, source: init.source })))
  }

  return holders
}
