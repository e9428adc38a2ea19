/**
 * Twenty real nodes, of which one goes and one comes every ten seconds.
 *
 * @module
 */

import path from 'node:path'
import { Churn, departures } from '../fixtures/churn.ts'
import { format } from './contest.ts'
import { MIB } from './fixtures.ts'
import type { ChurnReport } from '../fixtures/churn.ts'
import type { Benchmark, Row } from './contest.ts'

const GIB = 1024 * MIB
const MEMBERS = 20
const CONTINGENTS = 2

/** How long who is down may come back before its place is given to another, in ms: the default. */
const GRACE = 60_000
const DURATION = 300_000

/** When others have what somebody had who went, in ms: after the longest grace, and the time it takes to copy. */
const WINDOW = GRACE * 1.25 + 30_000
const INTERVAL = 10_000
const SEED = 1

export const churn: Benchmark = {
  title: `Churn: ${MEMBERS} nodes with 50 MiB each, every ${INTERVAL / 1000} s one goes and another comes, for ${DURATION / 1000} s`,

  async run ({ folder, log }) {
    await using colony = new Churn({
      folder: path.join(folder, 'colony'),
      members: MEMBERS,
      files: 4,
      fileSize: 12.5 * MIB,
      values: 4,
      departures: departures(DURATION / INTERVAL, SEED),
      interval: INTERVAL,
      contingency: { room: 2 * GIB, grace: GRACE },
      seed: SEED,
      losses: { most: CONTINGENTS, within: WINDOW },
      log
    })

    return rows(await colony.run())
  }
}

function rows ({ kills, stops, returns, hasty, copied, contents, vaults, lost, disksLost }: ChurnReport): Row[] {
  const print = (what: string, result: string): Row => ({ what, ours: '', reference: '', result, goal: '' })
  const window = Math.max(0, ...disksLost.map(start => disksLost.filter(at => at >= start && at < start + WINDOW).length))

  return [
    print('killed, stopped', `${kills}, ${stops}`),
    print('back with their disk, with an empty one, newcomers', `${returns.same}, ${returns.empty}, ${returns.never}`),
    print('stopped before others had all they kept', String(hasty)),
    print(`disks lost; most within one window, of ${CONTINGENTS} that may be`, `${disksLost.length}; ${window}`),
    print('copied before and during the churn', `${format(copied.before / MIB)} and ${format(copied.during / MIB)} MiB`),
    { ...print('contents verified', `${contents.verified} of ${contents.all}`), goal: 'all', met: contents.verified === contents.all },
    { ...print('vaults recovered', `${vaults.recovered} of ${vaults.all}`), goal: 'all', met: vaults.recovered === vaults.all },
    { ...print('lost', String(lost.length)), goal: '0', met: lost.length === 0 }
  ]
}
