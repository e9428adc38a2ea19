/**
 * A partition of real nodes: six processes, three in each of two network
 * namespaces, with a line between them that loses everything for a while.
 * Needs root and `ip`.
 *
 * @module
 */

import { execFileSync } from 'node:child_process'
import { NodeProcess } from '../fixtures/node-process.ts'
import type { Benchmark, Context, Row } from './contest.ts'
import type { MemberState } from '../../src/index.ts'

/** The two sides: a namespace, its end of the line, and the address its nodes listen on. */
const SIDES = [
  { name: 'formicary-a', device: 'formicary-a0', line: '10.77.0.1', address: '10.77.1.1' },
  { name: 'formicary-b', device: 'formicary-b0', line: '10.77.0.2', address: '10.77.1.2' }
] as const
const EACH = 3

/** How long the line is cut, in ms, after both sides have noticed. */
const CUT = 60_000
const LIMIT = 90_000

export const partition: Benchmark = {
  title: 'A partition between two network namespaces, six processes',

  async run (context) {
    connect()

    try {
      return await divide(context)
    } finally {
      SIDES.forEach(({ name }) => { run('ip', 'netns', 'del', name) })
    }
  }
}

async function divide ({ log }: Context): Promise<Row[]> {
  await using stack = new AsyncDisposableStack()
  const nodes: NodeProcess[] = []
  let bootstrap: string[] = []

  for (const { name, address } of SIDES) {
    for (let i = 0; i < EACH; i++) {
      const process = stack.use(new NodeProcess(['ip', 'netns', 'exec', name]))
      const { addresses } = await process.tell<{ addresses: string[] }>({ type: 'start', init: { name: `${name} ${i}`, listen: [`/ip4/${address}/tcp/0`], bootstrap } })
      bootstrap = bootstrap.length > 0 ? bootstrap : addresses
      nodes.push(process)
    }
  }

  await untilAll(nodes, 'alive', 2 * EACH)
  log('one colony; the line is cut')
  setLoss(true)
  const noticed = await untilAll(nodes, 'down', EACH)
  log(`noticed by all after ${(noticed / 1000).toFixed(1)} s`)
  await new Promise(resolve => { setTimeout(resolve, CUT) })
  setLoss(false)
  const whole = await untilAll(nodes, 'alive', 2 * EACH)

  return [
    { what: 'known to all on both sides', ours: `${(noticed / 1000).toFixed(1)} s`, reference: '-', result: '', goal: '' },
    { what: 'one colony again after the line was mended', ours: `${(whole / 1000).toFixed(1)} s`, reference: '-', result: '', goal: '≤ 60 s', met: whole <= 60_000 }
  ]
}

function connect (): void {
  const [a, b] = SIDES
  SIDES.forEach(({ name }) => { run('ip', 'netns', 'add', name) })
  run('ip', 'link', 'add', a.device, 'netns', a.name, 'type', 'veth', 'peer', 'name', b.device, 'netns', b.name)

  for (const [side, other] of [[a, b], [b, a]]) {
    const ip = (...args: string[]): void => { run('ip', '-n', side.name, ...args) }
    ip('addr', 'add', `${side.line}/30`, 'dev', side.device)
    ip('addr', 'add', `${side.address}/32`, 'dev', 'lo')
    ip('link', 'set', 'lo', 'up')
    ip('link', 'set', side.device, 'up')
    ip('route', 'add', `${other.address}/32`, 'via', other.line, 'src', side.address)
  }
}

/** Sends everything to a card that is not there, both ways, so that it is lost without a word; or no more. */
function setLoss (all: boolean): void {
  const [a, b] = SIDES

  for (const [side, other] of [[a, b], [b, a]]) {
    const where = [other.line, 'dev', side.device]
    run('ip', '-n', side.name, 'neigh', ...all ? ['replace', ...where, 'lladdr', '02:00:00:00:00:99', 'nud', 'permanent'] : ['del', ...where])
  }
}

/** Ms until all nodes know so many members in a state. */
async function untilAll (nodes: NodeProcess[], state: MemberState, count: number): Promise<number> {
  const start = performance.now()

  for (;;) {
    const tables = await Promise.all(nodes.map(async node => node.tell<Partial<Record<MemberState, object[]>>>({ type: 'members' })))

    if (tables.every(table => table[state]?.length === count)) {
      return performance.now() - start
    }

    if (performance.now() - start > LIMIT) {
      throw new Error(`Not ${count} ${state} after ${LIMIT} ms: ${JSON.stringify(tables)}`)
    }

    await new Promise(resolve => { setTimeout(resolve, 100) })
  }
}

function run (command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
