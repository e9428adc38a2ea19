import { execFile } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { createNode } from '../../src/index.ts'
import { loadIdentity } from '../../src/node/identity.ts'
import { RecordsDatastore } from '../../src/node/records.ts'
import { search } from '../../src/search/index.ts'
import { bytesOf, makeBare } from '../fixtures/colony.ts'
import { FormicaryProcess, LOCAL, startHub } from '../fixtures/hub-process.ts'
import type { Node, NodeInit } from '../../src/index.ts'
import type { Search } from '../../src/search/index.ts'
import type { Libp2p } from '@libp2p/interface'
import type { Libp2pInit } from 'libp2p'
import type { AddressInfo, Server, Socket } from 'node:net'

const run = promisify(execFile)
const listen = ['/ip4/127.0.0.1/tcp/0']

/** Asks again until it holds; for what takes a moment to get about. */
async function eventually (holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (await holds()) {
      return
    }

    await new Promise(resolve => { setTimeout(resolve, 25) })
  }

  throw new Error(`Not within 25 s: ${String(holds)}`)
}

describe('a hub as a process', function () {
  this.timeout(60_000)

  let folder: string
  let stack: AsyncDisposableStack

  /** A hub that is ended after the test, in a folder of its own. */
  async function hub (...args: string[]): Promise<FormicaryProcess> {
    return stack.use(await startHub([...LOCAL, '--data', join(folder, String(Math.random())), ...args]))
  }

  async function node (init: NodeInit): Promise<Node> {
    return stack.use(await createNode({ listen, contingency: false, ...init }))
  }

  /** A libp2p node without the preset. */
  async function bare (init: Partial<Libp2pInit>): Promise<Libp2p> {
    return stack.adopt(await makeBare({ addresses: { listen: [] }, ...init }), async peer => peer.stop())
  }

  /** A node that can be reached through a hub only, once that has a place for it. */
  async function behind (address: string): Promise<Libp2p> {
    const peer = await bare({ addresses: { listen: ['/p2p-circuit'] }, transports: [tcp(), circuitRelayTransport()], services: { ping: ping() } })
    await peer.dial(multiaddr(address))
    await eventually(() => peer.getMultiaddrs().length > 0)

    return peer
  }

  /** A connection that says nothing. */
  async function silent (port: number): Promise<Socket> {
    const socket = stack.adopt(connect(port, '127.0.0.1'), each => { each.destroy() })
    socket.on('error', () => {})
    await new Promise(resolve => { socket.once('connect', resolve) })

    return socket
  }

  /** A port that somebody listens on. */
  async function takenPort (): Promise<number> {
    const server = await new Promise<Server>(resolve => {
      const made = createServer().listen(0, '127.0.0.1', () => { resolve(made) })
    })
    stack.defer(() => { server.close() })

    return (server.address() as AddressInfo).port
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-hub-'))
    stack = new AsyncDisposableStack()
    stack.defer(async () => rm(folder, { recursive: true, force: true }))
  })

  afterEach(async () => {
    await stack.disposeAsync()
  })

  it('prints the addresses that lead to it, one a line, and nothing else', async () => {
    const { lines, log } = await hub()

    expect(lines).to.have.lengthOf(2)
    expect(lines[0]).to.match(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW\w+$/)
    expect(lines[1]).to.match(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\/12D3KooW\w+$/)
    expect(log).to.have.lengthOf(1)
    expect(log[0]).to.include({ level: 'info', msg: 'started' })
    expect(new Date(log[0].time).toISOString()).to.equal(log[0].time)
  })

  it('lets nodes find and fetch from each other that know nobody else', async () => {
    const { lines } = await hub()
    const ada = await node({ bootstrap: lines })
    const ben = await node({ bootstrap: lines })
    const [{ cid }] = await Array.fromAsync(ada.share({ name: 'ants.txt', content: bytesOf(100_000) }))
    const hits = await Array.fromAsync(ben.search('ants', { limit: 1 }))

    expect(hits.map(hit => String(hit.cid))).to.deep.equal([String(cid)])
    expect((await ben.download(hits[0])).size).to.equal(100_000)
  })

  it('answers in the DHT', async () => {
    const { lines } = await hub()
    const ada = await node({ bootstrap: lines })
    const ben = await node({ bootstrap: lines })
    const [{ cid }] = await Array.fromAsync(ada.share({ name: 'ants.txt', content: bytesOf(100_000) }))

    expect((await ben.download(String(cid), { patience: 30_000 })).size).to.equal(100_000)
  })

  it('lets a node in that is told all its addresses, if one of them can be dialled', async () => {
    const { addresses: { tcp, ws } } = await hub()
    const nobody = tcp.replace(/tcp\/\d+/, 'tcp/1')
    const ada = await node({ bootstrap: [nobody, ws, tcp] })

    expect(ada.libp2p.getConnections().map(({ remoteAddr }) => String(remoteAddr))).to.deep.equal([tcp])
  })

  it('lets a node in over WebSockets, which finds what others share', async () => {
    const { addresses: { tcp, ws } } = await hub('--network', 'films')
    const ada = await node({ network: 'films', bootstrap: [tcp] })
    await Array.fromAsync(ada.share({ name: 'ants.txt', content: bytesOf(100) }))
    const ben = await bare({ transports: [webSockets()], services: { search: search({ network: 'films' }) } })
    const identified = new Promise(resolve => { ben.addEventListener('peer:identify', resolve, { once: true }) })
    const { remoteAddr } = await ben.dial(multiaddr(ws))
    await identified
    const hits = await Array.fromAsync((ben.services as unknown as { search: Search }).search.find('ants', { limit: 1 }))

    expect(String(remoteAddr)).to.equal(ws)
    expect(hits.map(({ name, holder }) => `${name} ${String(holder)}`)).to.deep.equal([`ants.txt ${String(ada.peerId)}`])
  })

  it('relays the first handshake, and frees the place of whoever is gone', async () => {
    const place = await hub('--max-reservations', '1')
    const ada = await behind(place.addresses.tcp)
    const ben = await bare({ transports: [tcp(), circuitRelayTransport()], services: { ping: ping() } })
    const connection = await ben.dial(ada.getMultiaddrs())

    expect(String(connection.remotePeer)).to.equal(String(ada.peerId))
    expect(connection.limits).to.not.equal(undefined)
    expect((await place.health()).reservations).to.deep.equal({ used: 1, max: 1 })

    // there is one place only, and it is taken
    const cleo = await bare({ addresses: { listen: [`${place.addresses.tcp}/p2p-circuit`] }, transports: [tcp(), circuitRelayTransport()] }).catch((err: Error) => err)
    expect(cleo).to.be.an('error').with.property('message').that.matches(/RESERVATION_REFUSED/)

    await ada.stop()
    await eventually(async () => (await place.health()).reservations.used === 0)
    await behind(place.addresses.tcp)
    expect((await place.health()).reservations.used).to.equal(1)
  })

  it('refuses more connections than it is told to hold', async () => {
    const { addresses, url } = await hub('--max-connections', '2')
    const peers = await Promise.all([1, 2, 3].map(async () => bare({})))
    const dials = await Promise.allSettled(peers.map(async peer => peer.dial(multiaddr(addresses.tcp))))
    await eventually(async () => {
      const { connections } = await (await fetch(`${url}/health`)).json()

      return connections.used === 2 && peers.filter(peer => peer.getConnections().length > 0).length === 2
    })

    expect(dials.filter(({ status }) => status === 'fulfilled').length).to.be.at.least(2)
  })

  it('knows another hub, and those who came in there', async () => {
    const first = await hub()
    const second = await hub('--bootstrap', first.addresses.ws)
    const ada = await node({ bootstrap: [first.addresses.tcp] })
    const ben = await node({ bootstrap: [second.addresses.tcp] })
    await Array.fromAsync(ada.share({ name: 'ants.txt', content: bytesOf(100) }))

    // hubs find each other while nodes come in
    await eventually(async () => (await Array.fromAsync(ben.search('ants', { limit: 1, timeout: 1_000 }))).length === 1)
  })

  it('tells others the addresses it is given to announce', async () => {
    const { lines } = await hub('--announce', '/dns4/hub.example.org/tcp/443/tls/ws', '--announce', '/ip4/192.0.2.7/tcp/4001')

    expect(lines.map(line => line.replace(/12D3\w+/, 'x'))).to.deep.equal(['/dns4/hub.example.org/tcp/443/tls/ws/p2p/x', '/ip4/192.0.2.7/tcp/4001/p2p/x'])
  })

  it('answers health and metrics over HTTP, and nothing else', async () => {
    const place = await hub('--network', 'films', '--name', 'front door')
    const ada = await node({ network: 'films', name: 'ada', bootstrap: [place.addresses.tcp] })
    const known = async (): Promise<string[][]> => (await place.health()).members.map(({ addresses }: { addresses: string[] }) => addresses)
    await eventually(async () => (await known()).filter(addresses => addresses.length > 0).length === 2)
    const health = await place.health()
    const metrics = await fetch(`${place.url}/metrics`)
    const text = await metrics.text()

    expect(health).to.include({ status: 'ok', name: 'front door', network: 'films', peerId: place.lines[0].split('/').at(-1), peers: 1 })
    expect(health).to.deep.include({ addresses: place.lines, connections: { used: 1, max: 2_000 }, reservations: { used: 0, max: 1_024 } })
    expect(health.members).to.have.deep.members([
      { peerId: health.peerId, name: 'front door', state: 'alive', roles: ['hub', 'relay'], addresses: place.lines },
      { peerId: String(ada.peerId), name: 'ada', state: 'alive', roles: [], addresses: ada.addresses.map(String) }
    ])
    expect(health.uptime).to.be.within(0, 60)
    expect(health.diskFree).to.be.above(0)
    expect(metrics.headers.get('content-type')).to.match(/^text\/plain/)
    expect(text).to.match(/^formicary_hub_peers 1$/m)
    expect(text).to.match(/^formicary_hub_members\{state="alive"\} 2$/m)
    expect(text).to.match(/^formicary_hub_reservations_max 1024$/m)
    expect(text).to.match(/^formicary_membership_messages_received_total\{type="hello"\} [1-9]\d*$/m)
    expect(text).to.match(/^formicary_membership_events_total\{type="joined"\} 1$/m)
    expect(text).to.match(/^libp2p_data_transfer_bytes_total\{protocol="global received"\} [1-9]\d*$/m)
    expect(text).to.match(/^libp2p_connection_manager_connections\{.*="inbound"\} 1$/m)
    expect((await fetch(`${place.url}/health?now`, { method: 'HEAD' })).status).to.equal(200)
    expect((await fetch(`${place.url}/health`, { method: 'POST' })).status).to.equal(405)
    expect((await fetch(`${place.url}/records`)).status).to.equal(404)
  })

  it('listens on no HTTP port when that is off', async () => {
    const { log } = await hub('--http', 'off')

    expect(log[0].http).to.equal(undefined)
  })

  it('is the same after a restart', async () => {
    const args = [...LOCAL, '--data', join(folder, 'data')]
    const names: string[] = []

    for (let i = 0; i < 2; i++) {
      const place = stack.use(await startHub(args))
      names.push(String(place.log[0].peerId))
      place.signal('SIGTERM')
      expect((await place.ended).code).to.equal(0)
    }

    expect(names[0]).to.equal(names[1])
  })

  it('keeps its records in the folder where it was started, if it is told no other', async () => {
    stack.use(await startHub(LOCAL, { cwd: folder }))

    expect(await readdir(join(folder, 'formicary-hub'))).to.include('records')
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`leaves within 5 s of ${signal}, whatever others do`, async () => {
      const place = await hub('--bootstrap', '/ip4/192.0.2.7/tcp/4001')
      const ada = await node({ bootstrap: [place.addresses.tcp] })
      await behind(place.addresses.tcp)
      await silent(Number(place.addresses.tcp.split('/')[4]))
      await silent(Number(place.addresses.ws.split('/')[4]))
      await silent(Number(new URL(place.url).port))
      place.signal(signal)
      const { code } = await place.ended

      expect(code, place.stderr).to.equal(0)
      expect(place.log.map(({ msg }) => msg)).to.deep.equal(['started', 'stopping', 'stopped'])
      // by its own clock; what does not end is left to itself after 4 s
      expect(place.log[2].ms).to.be.below(4_000)
      await eventually(() => ada.libp2p.getConnections().length === 0)
    })
  }

  it('leaves properly when it is told twice at once, as by a terminal and npx', async () => {
    const place = await hub()
    place.signal('SIGINT')
    place.signal('SIGTERM')
    const { code } = await place.ended

    expect(code).to.equal(0)
    expect(place.log.map(({ msg }) => msg)).to.deep.equal(['started', 'stopping', 'stopped'])
  })

  it('says so when another hub uses its folder', async () => {
    const data = join(folder, 'data')
    await hub('--data', data)
    const { code, stdout, stderr } = await new FormicaryProcess(['hub', ...LOCAL, '--data', data]).ended

    expect(code).to.equal(1)
    expect(stdout).to.equal('')
    expect(JSON.parse(stderr)).to.include({ level: 'error', msg: `the hub cannot run: Another node uses ${join(data, 'records')}`, error: 'DataDirInUseError' })
  })

  it('says so when its folder cannot be', async () => {
    const { code, stderr } = await new FormicaryProcess(['hub', ...LOCAL, '--data', '/dev/null/hub']).ended

    expect(code).to.equal(1)
    expect(JSON.parse(stderr)).to.include({ level: 'error', error: 'StoreWriteError' })
  })

  const kinds: Array<[string, (port: number) => string[], (port: number) => string]> = [
    ['TCP', port => ['--listen', `/ip4/127.0.0.1/tcp/${port}`, '--http', 'off'], port => `/ip4/127.0.0.1/tcp/${port}`],
    ['WebSockets', port => ['--listen', '/ip4/127.0.0.1/tcp/0', '--listen', `/ip4/127.0.0.1/tcp/${port}/ws`, '--http', 'off'], port => `/ip4/127.0.0.1/tcp/${port}/ws`],
    ['HTTP', port => ['--listen', '/ip4/127.0.0.1/tcp/0', '--http', `127.0.0.1:${port}`], port => `http 127.0.0.1:${port}`]
  ]

  for (const [kind, args, where] of kinds) {
    it(`says so when its port for ${kind} is taken`, async () => {
      const port = await takenPort()
      const { code, stdout, stderr } = await new FormicaryProcess(['hub', '--data', join(folder, 'data'), ...args(port)]).ended

      expect(code).to.equal(1)
      expect(stdout).to.equal('')
      expect(JSON.parse(stderr)).to.include({ level: 'error', msg: `the hub cannot run: Could not listen on ${where(port)}: another program listens there`, error: 'ListenError' })
    })
  }

  it('goes on when nobody can read what it prints', async () => {
    const full = openSync('/dev/full', 'w')
    const place = stack.use(new FormicaryProcess(['hub', ...LOCAL, '--data', join(folder, 'data'), '--log', 'debug'], { stderr: full }))
    closeSync(full)
    await place.until(() => place.lines.length === 2)
    const ada = await node({ bootstrap: [place.addresses.tcp] })

    expect(ada.libp2p.getConnections()).to.have.lengthOf(1)
    place.signal('SIGTERM')
    expect((await place.ended).code).to.equal(0)
  })

  it('never prints its key', async () => {
    const data = join(folder, 'data')
    const place = await hub('--data', data, '--log', 'debug')
    await node({ bootstrap: [place.addresses.tcp] })
    await eventually(() => place.log.some(({ msg }) => msg === 'peer connected'))
    const told = [JSON.stringify(await place.health()), await (await fetch(`${place.url}/metrics`)).text()]
    place.signal('SIGTERM')
    const { stdout, stderr } = await place.ended
    const records = new RecordsDatastore(join(data, 'records'))
    await records.open()
    const { raw } = await loadIdentity(records)
    await records.close()
    const everything = [...told, stdout, stderr].join()
    const secret = Buffer.from(raw).subarray(0, 32)

    for (const text of [secret.toString('hex'), secret.toString('base64').slice(0, 40), secret.toString('base64url').slice(0, 40), String(secret)]) {
      expect(everything).to.not.include(text)
    }
  })

  // mounting is for root
  if (process.getuid?.() === 0) {
    describe('on a small disk', () => {
      let disk: string

      beforeEach(async () => {
        disk = join(folder, 'small')
        await mkdir(disk)
        await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk])
        stack.defer(async () => { await run('umount', [disk]) })
      })

      async function fill (): Promise<void> {
        await writeFile(join(disk, 'filler'), new Uint8Array(32 * 1024 * 1024)).catch(() => {})
      }

      it('does not start when that is full, and says why', async () => {
        await fill()
        const { code, stdout, stderr } = await new FormicaryProcess(['hub', ...LOCAL, '--data', join(disk, 'hub')]).ended

        expect(code).to.equal(1)
        expect(stdout).to.equal('')
        expect(JSON.parse(stderr)).to.include({ level: 'error', error: 'StoreFullError' })
        expect(JSON.parse(stderr).msg).to.match(/^the hub cannot run: Could not open .*no space left/i)
      })

      it('says so when that is full, goes on, and writes again when there is room', async () => {
        const place = await hub('--data', join(disk, 'hub'))
        await fill()
        expect((await place.health()).status).to.equal('disk-full')
        const ada = await node({ bootstrap: [place.addresses.tcp] })
        const ben = await node({ bootstrap: [place.addresses.ws, place.addresses.tcp] })

        for (let i = 0; i < 20; i++) {
          const [{ cid }] = await Array.fromAsync(ada.share({ name: `ants ${i}.txt`, content: new Uint8Array(1_000).fill(i) }))
          // the hub answers in the DHT, and has nothing to write that down with
          await ada.libp2p.contentRouting.provide(cid)
        }

        expect(await Array.fromAsync(ben.search('ants', { limit: 20 }))).to.have.lengthOf(20)
        expect(await (await fetch(`${place.url}/metrics`)).text()).to.match(/^formicary_hub_disk_full 1$/m)
        await rm(join(disk, 'filler'))
        expect((await place.health()).status).to.equal('ok')
        await node({ bootstrap: [place.addresses.tcp] })
        // what it says of itself over HTTP may be faster
        await place.until(() => place.log.length >= 3)
        expect(place.log.map(({ level, msg }) => `${level}: ${msg}`)).to.deep.equal([
          'info: started',
          'error: there is no room left: records are kept in memory only',
          'info: there is room again'
        ])
        await fill()
        place.signal('SIGTERM')
        expect((await place.ended).code).to.equal(0)
      })
    })
  }
})
