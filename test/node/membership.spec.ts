import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { NodeProcess } from '../fixtures/node-process.ts'
import type { MemberState } from '../../src/index.ts'

const LISTEN = ['/ip4/127.0.0.1/tcp/0']
const SIZE = 30

/** Nothing takes longer than this, in ms, where thirty processes share a busy core or two. */
const LIMIT = 120_000

type Table = Partial<Record<MemberState, Array<{ name: string }>>>

interface Started { addresses: string[] }

/** A node in a process of its own, by the name of which others know it. */
class Ant {
  readonly name: string
  readonly process = new NodeProcess()
  addresses: string[] = []

  constructor (name: string) {
    this.name = name
  }

  async start (bootstrap: string[], dataDir?: string): Promise<this> {
    const { addresses } = await this.process.tell<Started>({ type: 'start', init: { name: this.name, listen: LISTEN, bootstrap, dataDir } })
    this.addresses = addresses

    return this
  }

  /** Names of the members in a state, itself included. */
  async names (state: MemberState): Promise<string[]> {
    const table = await this.process.tell<Table>({ type: 'members' })

    return (table[state] ?? []).map(({ name }) => name).sort()
  }
}

/** Ms until something is so for all; fails after `limit`. */
async function untilAll (ants: Ant[], limit: number, what: (ant: Ant) => Promise<boolean>): Promise<number> {
  const start = performance.now()

  for (;;) {
    const fits = await Promise.all(ants.map(what))

    if (fits.every(Boolean)) {
      return performance.now() - start
    }

    if (performance.now() - start > limit) {
      const tables = await Promise.all(ants.filter((_, i) => !fits[i]).map(async ({ name, process }) => `${name}: ${JSON.stringify(await process.tell({ type: 'members' }))}`))

      throw new Error(`Not so after ${limit} ms for ${tables.join('; ')}`)
    }

    await new Promise(resolve => { setTimeout(resolve, 50) })
  }
}

function seconds (ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

describe('members as processes', function () {
  // starting so many takes most of it on a busy machine
  this.timeout(600_000)

  it(`${SIZE} know each other, notice who dies, and need nobody to stay`, async () => {
    await using stack = new AsyncDisposableStack()
    const begin = (name: string): Ant => {
      const ant = new Ant(name)
      stack.use(ant.process)

      return ant
    }
    const door = await begin('door').start([])
    const ants = [door]

    // a few at a time, or the machine is busy with starting
    for (let i = 1; i < SIZE; i += 3) {
      ants.push(...await Promise.all([0, 1, 2].filter(j => i + j < SIZE).map(async j => begin(`ant-${i + j}`).start(door.addresses))))
    }

    // a busy machine may take its time; what it took is printed
    const known = await untilAll(ants, LIMIT, async ant => (await ant.names('alive')).length === SIZE)

    await new Promise(resolve => { setTimeout(resolve, 5_000) })
    await Promise.all(ants.map(async ({ process }) => process.tell({ type: 'cpu' })))
    const idle = performance.now()
    await new Promise(resolve => { setTimeout(resolve, 10_000) })
    const spent = await Promise.all(ants.map(async ({ process }) => process.tell<number>({ type: 'cpu' })))
    const cpu = spent.map(ms => 100 * ms / (performance.now() - idle))

    const killed = ants.splice(3, 3)
    await Promise.all(killed.map(async ({ process }) => process.kill()))
    const noticed = await untilAll(ants, LIMIT, async ant => killed.every(({ name }) => name !== ant.name) && (await ant.names('down')).length === 3)
    expect(await ants[1].names('down')).to.deep.equal(killed.map(({ name }) => name).sort())

    // who showed everybody in is missed by nobody
    await door.process.kill()
    ants.shift()
    await untilAll(ants, LIMIT, async ant => (await ant.names('down')).includes('door'))
    const late = await begin('late').start(ants[7].addresses)
    ants.push(late)
    await untilAll(ants, LIMIT, async ant => (await ant.names('alive')).length === SIZE - 3)

    const [sleeper] = ants
    sleeper.process.signal('SIGSTOP')
    await new Promise(resolve => { setTimeout(resolve, 20_000) })
    sleeper.process.signal('SIGCONT')
    const back = await untilAll(ants, LIMIT, async ant => (await ant.names('alive')).length === SIZE - 3)
    const downs = await Promise.all(ants.map(async ({ process }) => process.tell<string[]>({ type: 'downs' })))
    const expected = new Set(['door', sleeper.name, ...killed.map(({ name }) => name)])
    expect(downs.flat().filter(name => !expected.has(name))).to.deep.equal([])

    console.log(`      all know all ${seconds(known)} after the last start; three killed are known to all after ${seconds(noticed)}; ` +
      `one that stood still for 20 s is back after ${seconds(back)}; idle: ${Math.min(...cpu).toFixed(1)} to ${Math.max(...cpu).toFixed(1)} % of a core`)
    expect(cpu.toSorted((a, b) => a - b)[SIZE >> 1]).to.be.below(10)
  })

  it('are in for good once they have started, also if the one they came through is killed at once', async () => {
    await using stack = new AsyncDisposableStack()
    const begin = async (name: string, bootstrap: string[]): Promise<Ant> => {
      const ant = new Ant(name)
      stack.use(ant.process)

      return ant.start(bootstrap)
    }
    const ants = [await begin('ada', [])]

    for (let round = 1; round <= 3; round++) {
      const door = await begin(`door ${round}`, ants[0].addresses)
      ants.push(await begin(`newcomer ${round}`, door.addresses))
      await door.process.kill()
      await untilAll(ants, LIMIT, async ant => (await ant.names('alive')).length === ants.length)
    }
  })

  it('come back into a colony whose door is dead, by whom they knew', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'formicary-members-'))

    try {
      await using stack = new AsyncDisposableStack()
      const begin = async (name: string, bootstrap: string[]): Promise<Ant> => {
        const ant = new Ant(name)
        stack.use(ant.process)

        return ant.start(bootstrap, join(folder, name))
      }
      const door = await begin('door', [])
      const ada = await begin('ada', door.addresses)
      const ben = await begin('ben', door.addresses)
      await untilAll([ada, ben], LIMIT, async ant => (await ant.names('alive')).length === 3)
      await ben.process.tell({ type: 'stop' })
      await untilAll([ada], LIMIT, async ant => (await ant.names('left')).includes('ben'))
      await door.process.kill()
      await untilAll([ada], LIMIT, async ant => (await ant.names('down')).includes('door'))

      const again = await begin('ben', door.addresses)
      await untilAll([ada, again], LIMIT, async ant => (await ant.names('alive')).length === 2)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
