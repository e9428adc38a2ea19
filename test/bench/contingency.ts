/**
 * Contingency, simulated: what is lost, how soon somebody answers for who is
 * gone, and what travels for it, beside what is asked for.
 *
 * Membership is taken as it is: a crash is suspected after 1 to 3 s and known
 * after 4 to 8. One seed is one colony.
 *
 * @module
 */

import { bothSidesAppoint, busiest, chaos, handover, handoverBytes, HANDOVERS, oldCatalog, serving, sessions, shortAbsence, twoWithOneKey } from '../simulation/contingency-scenarios.ts'
import { format, percentile } from './contest.ts'
import type { Outcome } from '../simulation/contingency-scenarios.ts'
import type { Benchmark, Context, Row } from './contest.ts'

const HOUR = 3_600_000

export const contingency: Benchmark = {
  title: 'Contingency, simulated (one-way delays of 5 to 50 ms)',

  async run (context) {
    return [...safety(context), ...crashes(context), ...speed(context), ...load(), ...churn(context)]
  }
}

function seeds<T> (count: number, run: (seed: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => run(i + 1))
}

function row (what: string, ours: string, goal: string, met?: boolean, reference = ''): Row {
  return { what, ours, reference, result: '', goal, met }
}

function countFaults (outcomes: Outcome[]): number {
  return outcomes.reduce((sum, { faults }) => sum + faults.length, 0)
}

function safety ({ runs, log }: Context): Row[] {
  log('colonies in which everything goes wrong')
  const outcomes = seeds(100 * runs, chaos)
  const faults = countFaults(outcomes)
  const stale = outcomes.reduce((sum, { staleWrites }) => sum + staleWrites, 0)
  const replayed = seeds(10, seed => chaos(seed).trace === outcomes[seed - 1].trace).every(Boolean)
  const others = countFaults(seeds(10 * runs, seed => [twoWithOneKey(seed), bothSidesAppoint(seed), oldCatalog(seed)]).flat())

  return [
    row(`too few copies, in ${outcomes.length} colonies`, `${faults}`, '0', faults === 0),
    row('writes with a stale epoch', `${stale}`, '0', stale === 0),
    row(`the same with two nodes of one key, partitions, old disks, ${30 * runs} colonies`, `${others}`, '0', others === 0),
    row('each seed replays', replayed ? 'yes' : 'no', 'yes', replayed)
  ]
}

function crashes ({ log }: Context): Row[] {
  log('a crash at every step of every handover')
  const outcomes = HANDOVERS.flatMap(what => {
    const { steps } = handover(what, { seed: 1 })

    return seeds(2 * steps, i => handover(what, { seed: 1, crashAt: (i - 1) >> 1, isEmptied: i % 2 === 0 }))
  })
  const faults = countFaults(outcomes)

  return [row(`too few copies, in ${outcomes.length} crashes`, `${faults}`, '0', faults === 0)]
}

function speed ({ runs, log }: Context): Row[] {
  log('answering for who is gone, and handing over')
  const times = seeds(20 * runs, serving)
  const p50 = percentile(times.map(({ sinceCrash }) => sinceCrash), 0.5)
  const worst = Math.max(...times.map(({ sinceSuspicion }) => sinceSuspicion))
  const again = seeds(8 * runs, shortAbsence).reduce((sum, bytes) => sum + bytes, 0)
  const beyond = Math.max(...seeds(20 * runs, handoverBytes).map(({ moved, lacking }) => 100 * (moved / lacking - 1)))

  return [
    row('served after a silent crash, p50', `${format(p50 / 1000)} s`, '<= 3 s', p50 <= 3_000),
    row('served after suspicion, worst', `${format(worst / 1000)} s`, '<= 1 s', worst <= 1_000),
    row('copied again within the grace', `${again} bytes`, '0', again === 0),
    row('moved beyond what is lacking, worst', `${format(beyond)} %`, '<= 1 %', beyond <= 1)
  ]
}

function load (): Row[] {
  return [1, 2, 3].map(copies => {
    const most = busiest(1, 100, copies)

    return row(`most wards of 100 members, ${copies} contingents`, `${format(most)} x mean`, '<= 3', most <= 3)
  })
}

/** A simulated hour of 200 members takes seconds, so that there are fewer than the thousand of the issue. */
function churn ({ runs, log }: Context): Row[] {
  const hours = 4 * runs
  log(`${hours} hours of 200 members that come and go`)
  const { exits, crashes, lost, away, unserved } = sessions(1, 200, hours, HOUR)
  // both contingents fail within a minute of the ward: reference/protocols.md 5.3
  const model = (1 - Math.exp(-60_000 / HOUR)) ** 2

  return [
    row(`data lost in ${hours} h, ${exits} exits, ${crashes} crashes, half with the disk`, `${lost}`, 'printed', undefined, `${format(crashes * model)} (model: every crash takes the disk)`),
    row('members away whose data nobody has', `${format(100 * unserved / Math.max(1, away))} %`, 'printed')
  ]
}
