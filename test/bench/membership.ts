/**
 * Membership, simulated: how soon all know what happens, beside what the
 * algorithm of memberlist (LAN) takes in a model of the same network.
 *
 * The references are from that model, measured once (seconds after a crash);
 * those in rounds are Serf's convergence formula. One seed is one colony.
 *
 * @module
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { churn, crash, idle, mistakes, partition, spread } from '../simulation/membership-scenarios.ts'
import { dialsPerHour, hiddenOnes, lightCrash, pagesComeAndGo, settled, shape } from '../simulation/membership-browsers.ts'
import { recordOf, World } from '../simulation/membership-world.ts'
import { SwimCore } from '../../src/membership/core/swim.ts'
import { format, percentile } from './contest.ts'
import type { Benchmark, Context, Row } from './contest.ts'

const ROUND = 200
const MINUTE = 60_000
const HOUR = 60 * MINUTE

export const membership: Benchmark = {
  title: 'Membership, simulated (one-way delays of 5 to 50 ms)',

  async run (context) {
    return [
      ...crashes(context),
      ...spreads(context),
      ...mistaken(context),
      ...quiet(context),
      ...partitions(context),
      ...large(),
      ...coming(context),
      ...browsers(context),
      replay()
    ]
  }
}

function seeds<T> (count: number, run: (seed: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => run(i + 1))
}

function seconds (ms: number): string {
  return `${format(ms / 1000)} s`
}

function row (what: string, ours: string, reference: string, goal: string, met?: boolean): Row {
  return { what, ours, reference, result: '', goal, met }
}

function crashes ({ runs, log }: Context): Row[] {
  log('crashes')
  const small = seeds(20 * runs, seed => crash({ seed, size: 100 }, 'silent'))
  const closed = seeds(20 * runs, seed => crash({ seed, size: 100 }, 'closed'))
  const large = seeds(2 * runs, seed => crash({ seed, size: 1_000 }, 'silent'))
  const p50 = percentile(small, 0.5)
  const p99 = percentile(small, 0.99)

  return [
    row('silent crash known by all of 100, p50', seconds(p50), '10.3 s', '≤ 5.5 s', p50 <= 5_500),
    row('the same, p99', seconds(p99), '14.3 s', '≤ 8 s', p99 <= 8_000),
    row('the same with closed connections, p99', seconds(percentile(closed, 0.99)), '-', '≤ 3 s', percentile(closed, 0.99) <= 3_000),
    row('silent crash known by all of 1,000, p99', seconds(percentile(large, 0.99)), '-', '≤ 10 s', percentile(large, 0.99) <= 10_000)
  ]
}

function spreads ({ runs, log }: Context): Row[] {
  log('joining and leaving')

  return [[100, 0, 10], [1_000, 0, 11], [100, 0.25, 13], [1_000, 0.25, 15]].flatMap(([size, loss, rounds]) => (['joined', 'left'] as const).map(what => {
    const times = seeds(size > 100 ? runs : 10 * runs, seed => spread({ seed, size, loss }, what))
    const median = percentile(times, 0.5) / ROUND

    return row(`${what}, known to 99.99 % of ${size} with ${100 * loss} % loss, p50 (worst)`, `${format(median)} (${format(Math.max(...times) / ROUND)}) rounds`, `${rounds} rounds`, `≤ ${rounds}`, median <= rounds)
  }))
}

function mistaken ({ runs, log }: Context): Row[] {
  log('mistakes')
  const results = seeds(runs, seed => mistakes({ seed, size: 100, loss: 0.25 }, { ms: 2_000_000, share: 0.04 }))
  const healthy = results.reduce((sum, result) => sum + result.healthy, 0)
  const nodeSeconds = results.reduce((sum, result) => sum + result.nodeSeconds, 0)

  return [
    row('healthy members declared down, 25 % loss, 4 % of members standing still', `${healthy} in ${nodeSeconds.toLocaleString('en')} node-s`, '2,028 in 540,000', '0 in 1,000,000', healthy === 0),
    row('messages a member sends meanwhile', `${format(results[0].messages)} /s`, '17.6 /s', '')
  ]
}

function quiet ({ log }: Context): Row[] {
  log('idle')

  return [100, 1_000].map(size => {
    const { messages, bytes } = idle({ seed: 1, size })

    return row(`idle, ${size} members`, `${format(messages)} messages/s, ${format(bytes)} B/s`, '2.4 messages/s', '≤ 2.5, 1,000', messages <= 2.5 && bytes <= 1_000)
  })
}

function partitions ({ runs, log }: Context): Row[] {
  log('partitions')

  return ([['10 s', 10_000, 60], ['10 min', 10 * MINUTE, 60], ['1 h', HOUR, 30], ['24 h', 24 * HOUR, 12]] as const).map(([name, ms, size]) => {
    const shares = [0.02, 0.2, 0.5]
    const times = shares.flatMap(share => seeds(ms > HOUR ? 1 : runs, seed => partition({ seed, size }, { ms, share })))

    return row(`whole again after ${name} in two parts of any size (${size} members), worst`, seconds(Math.max(...times)), 'never', '≤ 60 s', Math.max(...times) <= MINUTE)
  })
}

/** One member of ten thousand, and somebody who comes through it. */
function large (): Row[] {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = (): number => {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()

    return heapUsed + arrayBuffers
  }
  const count = 10_000
  const peers = Array.from({ length: count }, (_, i) => `12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76Z${1_000_000_000 + i}`)
  const before = used()
  const core = new SwimCore({ self: 'self', random: Math.random })

  for (const peer of peers) {
    const signed = recordOf(peer, 1, 0)
    core.members.add({ ...signed, envelope: signed.envelope.slice() }, 'alive', 0)
  }

  const memory = used() - before
  const world = new World({ seed: 1, size: 2, settled: false })
  const [full, empty] = world.list
  peers.forEach(peer => { full.core.members.add(recordOf(peer, 1, 0), 'alive', 0) })
  full.start()
  empty.start()
  world.link(empty, full.peer)
  const done = world.run(10_000, () => empty.core.members.size < count + 2)
  const kept = core.members.size

  return [
    row('10,000 members: table of one, records and all', `${format(memory / 2 ** 20)} MiB (${format(memory / kept)} B a member)`, '-', ''),
    row('10,000 members: a newcomer knows all after', done ? `${seconds(world.clock.now)}, ${format(world.bytes / 2 ** 20)} MiB in ${world.messages} messages, largest ${world.largest} B` : 'never', '-', '≤ 64 KiB', done && world.largest <= 65_536)
  ]
}

function coming ({ log }: Context): Row[] {
  log('coming and going')
  const { slowest, late, rows, pending, joined, left, crashed } = churn({ seed: 1, size: 500 }, { ms: HOUR, mean: 10 * MINUTE, within: 20_000 })

  return [
    row(`500 members for 1 h: ${joined} joined, ${left} left, ${crashed} crashed; slowest to be known`, `${seconds(slowest)}, ${late} later than 20 s`, '-', '≤ 20 s', late === 0),
    row('rows in the largest table, news waiting', `${rows}, ${pending}`, '-', 'bounded', rows <= 500)
  ]
}

/** Sixty members, fifty of them pages, ten of those out of sight. */
function browsers ({ runs, log }: Context): Row[] {
  log('browsers')
  const init = { size: 60, light: 50 }
  const world = settled({ seed: 1, ...init })
  const dials = dialsPerHour(world, HOUR)
  const { most, connected } = shape(world)
  const down = [false, true].flatMap(frozen => seeds(runs, seed => hiddenOnes({ seed, ...init }, 10, frozen).down.length))
  const worst = (exit: 'silent' | 'closed', hidden: boolean): number => Math.max(...seeds(4 * runs, seed => lightCrash({ seed, ...init }, exit, { hidden })))
  const stir = pagesComeAndGo({ seed: 1, ...init }, HOUR)

  return [
    row('60 members, 50 light: most links of a light one; connections it opens or takes in a quiet hour', `${most}; ${format(dials)}`, '31', '≤ 8; ≤ 12', most <= 8 && dials <= 12 && connected),
    row('the same while 20 pages come and go every few minutes', `${stir.end.most}; ${format(stir.dials)}`, '-', '≤ 8; ≤ 500', stir.end.most <= 8 && stir.dials <= 500 && stir.end.connected),
    row('10 of them hidden for 10 min with timers, or everything, once a minute: declared down', String(down.reduce((sum, count) => sum + count, 0)), '-', '0', down.every(count => count === 0)),
    ...(['silent', 'closed'] as const).flatMap(exit => [false, true].map(hidden => {
      const time = worst(exit, hidden)
      const goal = exit === 'closed' ? (hidden ? 8_000 : 3_000) : hidden ? 120_000 : 8_000

      return row(`${exit} crash of a light member${hidden ? ' that is hidden' : ''}, worst`, seconds(time), '-', `≤ ${goal / 1000} s`, time <= goal)
    }))
  ]
}

function replay (): Row {
  const trace = (): number => {
    const world = new World({ seed: 7, size: 100, loss: 0.1 })
    world.startAll()
    world.run(30_000)

    return world.trace
  }
  const first = trace()

  return row('same seed twice', first.toString(16), trace().toString(16), 'the same', first === trace())
}
