/**
 * Contingency with 100,000 entries: what it takes to start, and in memory, and
 * what travels after one change. The contingent has room for a part only, and
 * all pages: the rest would be the time of so many downloads.
 *
 * @module
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { format } from './contest.ts'
import { randomFile, randomFolder } from './fixtures.ts'
import { launch } from './processes.ts'
import type { Benchmark, Context, Row } from './contest.ts'
import type { Task, Traffic } from './programs/contingency.ts'
import type { Player } from './processes.ts'

const FOLDERS = 100
const FILES = 1000
const SIZE = 20

/** Bytes that the contingent keeps: of two thousand entries. */
const ROOM = 2000 * SIZE

type Counted = Record<string, Traffic> & { contents: number }

export const contingencyScale: Benchmark = {
  title: 'Contingency of a node with 100,000 entries',

  async run (context) {
    const { folder, log } = context
    const source = path.join(folder, 'source')

    for (let i = 0; i < FOLDERS; i++) {
      await randomFolder(path.join(source, String(i)), FILES, SIZE)
    }

    const data = path.join(folder, 'data')
    await fs.mkdir(data)
    const shared = await begun({ folder: data, contingency: false, source }, async ({ info }) => info.shareMs)
    log(`shared without contingency in ${seconds(shared)}`)
    const off = await measure({ folder: data, contingency: false })
    log(`off: ${seconds(off.startMs)}, ${format(off.heap)} MiB`)
    const first = await measure({ folder: data, contingency: { copies: 1 } })
    log(`for the first time: ${seconds(first.startMs)}, ${format(first.heap)} MiB`)
    const again = await measure({ folder: data, contingency: { copies: 1 } })
    log(`again: ${seconds(again.startMs)}, ${format(again.heap)} MiB`)
    const { whole, change } = await changeOne(context, data)
    const row = (what: string, ours: string, reference: string, result = ''): Row => ({ what, ours, reference, result, goal: '' })

    return [
      row('start to first snapshot, against off', seconds(first.startMs), seconds(off.startMs)),
      row('the same when it was done before', seconds(again.startMs), seconds(off.startMs)),
      row('heap, against off', `${format(again.heap)} MiB`, `${format(off.heap)} MiB`, `+ ${format(again.heap - off.heap)} MiB`),
      row('the contingent has all pages, and 2,000 contents', seconds(whole), ''),
      row('time of one change until it is protected', seconds(change.ms), ''),
      row('blocks and contents that came with it', String(change.contents), '3'),
      ...Object.entries(change.sent).map(([protocol, { sends, bytes }]) => row(`sent with it by ${protocol}, both ways`, `${sends} messages, ${bytes} bytes`, ''))
    ]
  }
}

async function begun<T> (setting: object, use: (player: Player) => Promise<T>): Promise<T> {
  await using player = await launch('programs/contingency.ts', 'node', setting)

  return await use(player)
}

async function measure (setting: object): Promise<{ startMs: number, heap: number }> {
  return begun(setting, async player => ({ startMs: player.info.startMs, heap: await ask<number>(player, { type: 'memory' }) }))
}

async function ask<T> (player: Player, task: Task): Promise<T> {
  return (await player.run(task)).result as T
}

async function changeOne ({ folder, log }: Context, data: string): Promise<{ whole: number, change: { ms: number, contents: number, sent: Record<string, Traffic> } }> {
  await using ward = await launch('programs/contingency.ts', 'node', { folder: data, contingency: { copies: 1, room: 0 } })
  await using keeper = await launch('programs/contingency.ts', 'node', { folder: path.join(folder, 'keeper'), bootstrap: ward.info.addresses, contingency: { copies: 1, room: ROOM } })
  const { ms: whole } = await ward.run({ type: 'settled' })
  log(`the contingent has what it has room for after ${seconds(whole)}`)
  const before = [await ask<Counted>(ward, { type: 'traffic' }), await ask<Counted>(keeper, { type: 'traffic' })]
  const file = await randomFile(path.join(folder, 'one.bin'), SIZE - 1)
  const start = performance.now()
  await ward.run({ type: 'share', path: file })
  await ward.run({ type: 'settled' })
  const ms = performance.now() - start
  const after = [await ask<Counted>(ward, { type: 'traffic' }), await ask<Counted>(keeper, { type: 'traffic' })]
  const sent: Record<string, Traffic> = {}

  for (const { contents: _, ...counted } of after) {
    for (const [protocol, { sends, bytes }] of Object.entries(counted)) {
      sent[protocol] = { sends: sends + (sent[protocol]?.sends ?? 0), bytes: bytes + (sent[protocol]?.bytes ?? 0) }
    }
  }

  return { whole, change: { ms, contents: after[1].contents - before[1].contents, sent } }
}

function seconds (ms: number): string {
  return `${format(ms / 1000)} s`
}
