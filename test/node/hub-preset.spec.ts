import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { createNode } from '../../src/index.ts'
import { createHub } from '../../src/node/hub.ts'
import { failure } from '../fixtures/colony.ts'
import { freePort } from '../fixtures/free-port.ts'
import type { Hub, HubInit } from '../../src/node/hub.ts'

const LOCAL = { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'], http: false } as const

/** Asks again until what is seen is right; says what was seen last if that does not come about. */
async function until<Seen> (look: () => Promise<Seen>, isRight: (seen: Seen) => boolean): Promise<void> {
  const began = performance.now()

  for (let seen = await look(); !isRight(seen); seen = await look()) {
    if (performance.now() - began > 45_000) {
      throw new Error(`Still ${JSON.stringify(seen)}`)
    }

    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
}

describe('createHub', () => {
  let folder: string
  let stack: AsyncDisposableStack

  async function make (init: HubInit = {}): Promise<Hub> {
    return stack.use(await createHub({ ...LOCAL, listen: [...LOCAL.listen], ...init }))
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-preset-'))
    stack = new AsyncDisposableStack()
    stack.defer(async () => rm(folder, { recursive: true, force: true }))
  })

  afterEach(async () => {
    await stack.disposeAsync()
  })

  it('makes a hub that can be started and stopped more than once', async () => {
    const hub = await make({ dataDir: join(folder, 'hub'), http: '127.0.0.1:0', start: false })
    expect([hub.addresses, hub.http, (await hub.health()).status]).to.deep.equal([[], undefined, 'stopped'])

    for (let i = 0; i < 2; i++) {
      await Promise.all([hub.start(), hub.start()])
      expect(hub.addresses).to.have.lengthOf(2)
      expect((await (await fetch(`${String(hub.http)}/health`)).json()).status).to.equal('ok')
      const url = String(hub.http)
      await Promise.all([hub.stop(), hub.stop()])
      expect([hub.addresses, hub.http]).to.deep.equal([[], undefined])
      expect(await failure(fetch(`${url}/health`))).to.be.an('error')
    }
  })

  it('makes a hub that stops, also when nobody has the time to wait for it', async () => {
    const hub = await make({ dataDir: join(folder, 'hub') })
    expect(await hub.stop({ signal: AbortSignal.abort() }).catch((err: Error) => err.name)).to.equal('AbortError')
    await until(async () => hub.libp2p.status, status => status === 'stopped')
  })

  it('makes a hub that stops, whatever its services do', async () => {
    const hub = await make({ dataDir: join(folder, 'hub'), services: { stuck: () => ({ start: () => {}, stop: async () => new Promise(() => {}) }) } })
    const began = performance.now()
    await hub.stop()

    // after 4 s it leaves the service to itself, and would wait for ever otherwise; a busy machine may take longer for the rest
    expect(performance.now() - began).to.be.within(3_900, 20_000)
    expect(await failure(hub.start())).to.have.property('name', 'NotStartedError')
    // the folder is free again
    await make({ dataDir: join(folder, 'hub') })
  })

  it('shows who is here, and who has left', async () => {
    const hub = await make({ name: 'door', http: '127.0.0.1:0' })
    const node = await createNode({ listen: ['/ip4/127.0.0.1/tcp/0'], name: 'ada', bootstrap: hub.addresses })
    stack.defer(async () => node.stop())
    const states = async (): Promise<string[]> => (await hub.health()).members.map(({ name, state }) => `${name} ${state}`).sort()
    const metrics = async (): Promise<string> => (await fetch(`${String(hub.http)}/metrics`)).text()

    await until(states, seen => seen.length === 2)
    expect(await states()).to.deep.equal(['ada alive', 'door alive'])
    expect([...node.members()].map(({ name }) => name)).to.have.members(['ada', 'door'])
    expect(await metrics()).to.match(/^formicary_hub_members\{state="alive"\} 2$/m)

    await node.stop()
    await until(states, seen => seen[0] === 'ada left')
    expect(await states()).to.deep.equal(['ada left', 'door alive'])
    expect(await metrics()).to.match(/^formicary_hub_members\{state="alive"\} 1$/m)
    await hub.stop()
    expect(await states()).to.deep.equal([])
  })

  it('makes hubs that find each other, also when one was down and others came in meanwhile', async () => {
    const port = await freePort()
    const late = `/ip4/127.0.0.1/tcp/${port}`
    const first = await make({ bootstrap: [late] })
    stack.use(await createNode({ listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: first.addresses, contingency: false }))
    await until(async () => (await first.health()).peers, peers => peers === 1)
    const second = await make({ listen: [late] })
    await until(async () => Promise.all([first, second].map(async hub => (await hub.health()).members.length)), seen => seen.every(count => count === 3))
  })

  it('makes more than one in a process', async () => {
    const [first, second] = [await make(), await make({ http: '127.0.0.1:0' })]
    const node = stack.use(await createNode({ listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: [...first.addresses, ...second.addresses] }))

    expect(node.libp2p.getPeers()).to.have.lengthOf(2)
    expect((await (await fetch(`${String(second.http)}/health`)).json()).peers).to.equal(1)
  })

  it('keeps nothing open when it cannot listen', async () => {
    const first = await make()
    const port = String(first.addresses[0]).split('/')[4]
    const init = { dataDir: join(folder, 'hub'), http: '127.0.0.1:0' }
    const err = await failure(make({ ...init, listen: ['/ip4/127.0.0.1/tcp/0/ws', `/ip4/127.0.0.1/tcp/${port}`] }))
    expect(err).to.have.property('name', 'ListenError')

    // the folder is free again
    await make(init)
  })

  const wrong: Array<[string, HubInit]> = [
    ['a network with a slash', { network: 'a/b' }],
    ['an address to announce that is none', { announce: ['hub.example.org'] }],
    ['addresses to announce that are no list', { announce: '/ip4/192.0.2.7' as unknown as string[] }],
    ['an HTTP address without a port', { http: 'localhost' }],
    ['a name without end', { name: 'x'.repeat(65) }],
    ['a negative number of reservations', { maxReservations: -1 }],
    ['half a connection', { maxConnections: 0.5 }]
  ]

  for (const [what, init] of wrong) {
    it(`refuses ${what}`, async () => {
      expect(await failure(make({ dataDir: join(folder, 'hub'), ...init }))).to.have.property('name', 'InvalidParametersError')
    })
  }
})
