import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { Uint8ArrayList } from 'uint8arraylist'
import { DiskWatch } from '../../src/node/disk-watch.ts'
import { listenError, startError } from '../../src/node/listen-error.ts'
import { freeOnDisconnect } from '../../src/node/reservations.ts'
import { boundedWebSockets } from '../../src/node/web-sockets.ts'
import { failure, makeBare } from '../fixtures/colony.ts'
import { until } from '../fixtures/until.ts'
import type { HubServices } from '../../src/node/hub.ts'
import type { Connection, Libp2p } from '@libp2p/interface'

describe('what a hub says when it cannot listen', () => {
  const cases: Array<[string, string]> = [
    ['listen EADDRINUSE: address already in use 127.0.0.1:4001', 'another program listens there'],
    ['listen EADDRNOTAVAIL: address not available 192.0.2.7:4001', 'this machine has no such address'],
    ['listen EACCES: permission denied 0.0.0.0:80', 'that port is for administrators'],
    ['something else', 'something else']
  ]

  for (const [message, reason] of cases) {
    it(`is: ${reason}`, () => {
      expect(listenError(new Error(message), 'here')).to.include({ name: 'ListenError', message: `Could not listen on here: ${reason}` })
    })
  }

  it('names every address that libp2p had trouble with', async () => {
    const err = startError(await failure(makeBare({ addresses: { listen: ['/ip4/192.0.2.7/tcp/0', '/ip4/127.0.0.1/udp/0'] } })))

    expect(err).to.have.property('name', 'ListenError')
    expect(err).to.have.property('message').that.matches(/^Could not listen on \/ip4\/192\.0\.2\.7\/tcp\/0: this machine has no such address, \/ip4\/127\.0\.0\.1\/udp\/0: .+$/)
  })

  it('is what others said, if it is about something else', () => {
    const err = new Error('x')

    expect(startError(err)).to.equal(err)
  })
})

describe('reservations at the relay', () => {
  it('end with the connection, and cannot end a later one of the same node', () => {
    const ends: number[] = []
    const reservations = new Map([['ada', { signal: { reset: (ms: number) => { ends.push(ms) } } }], ['ben', { signal: { reset: () => { throw new Error('not his') } } }]])
    const libp2p = Object.assign(new EventTarget(), { services: { relay: { reservations } } })
    freeOnDisconnect(libp2p as unknown as Libp2p<HubServices>)
    libp2p.dispatchEvent(new CustomEvent('peer:disconnect', { detail: 'ada' }))
    libp2p.dispatchEvent(new CustomEvent('peer:disconnect', { detail: 'cleo' }))

    expect([...reservations.keys()]).to.deep.equal(['ben'])
    expect(ends).to.deep.equal([0])
  })
})

describe('WebSockets of a hub', () => {
  const HANDSHAKE = 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
  const openings: Array<[string, string]> = [
    ['nothing', ''],
    ['one byte', 'G'],
    ['half a request', 'GET / HTTP/1.1\r\n']
  ]

  let hub: Libp2p

  /** Connects and says something; resolves with the connection. */
  async function say (text: string): Promise<ReturnType<typeof connect>> {
    const port = Number(hub.getMultiaddrs()[0].toString().split('/')[4])
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(text)

    return socket
  }

  /** Resolves when a connection is closed, in whatever way. */
  async function gone (socket: ReturnType<typeof connect>): Promise<void> {
    await new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
  }

  async function start (idleTimeout: number): Promise<void> {
    hub = await makeBare({ addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] }, transports: [boundedWebSockets({ idleTimeout })] })
  }

  afterEach(async () => {
    await hub.stop()
  })

  for (const [what, text] of openings) {
    it(`end a connection that says ${what}`, async () => {
      await start(50)
      await gone(await say(text))
    })

    it(`close in time while a connection has said ${what}`, async () => {
      await start(60_000)
      const socket = await say(text)
      const closed = gone(socket)
      await hub.stop()
      await closed
    })
  }

  it('stay open once they are there', async () => {
    await start(1_000)
    const peer = await makeBare({ addresses: { listen: [] }, transports: [boundedWebSockets()] })
    let connection: Connection | undefined
    // a machine that stands still for a second may be too late, and comes again
    await until(async () => (connection = await peer.dial(multiaddr(hub.getMultiaddrs()[0])).catch(() => undefined)) != null)
    await new Promise(resolve => { setTimeout(resolve, 1_500) })

    expect(connection?.status).to.equal('open')
    await peer.stop()
  })

  it('send what is in many parts in few messages', async () => {
    await start(60_000)
    const sizes: number[] = []
    const { WebSocket: original } = globalThis
    globalThis.WebSocket = class extends original {
      constructor (url: string | URL) {
        super(url)
        this.addEventListener('message', ({ data }) => { sizes.push(data.byteLength) })
      }
    }

    try {
      const parts = Array.from({ length: 800 }, (_, i) => new Uint8Array(1_024).fill(i))
      await hub.handle('/parts', stream => { stream.send(new Uint8ArrayList(...parts)) })
      const peer = await makeBare({ addresses: { listen: [] }, transports: [boundedWebSockets()] })
      const stream = await peer.dialProtocol(multiaddr(hub.getMultiaddrs()[0]), '/parts')
      const received = new Uint8ArrayList()
      await new Promise<void>(resolve => {
        stream.addEventListener('message', ({ data }) => {
          received.append(data)

          if (received.byteLength === 800 * 1_024) {
            resolve()
          }
        })
      })

      expect(Buffer.compare(received.subarray(), Buffer.concat(parts))).to.equal(0)
      expect(sizes.filter(size => size === 1_024)).to.deep.equal([])
      expect(Math.max(...sizes)).to.be.within(60_000, 256 * 1_024)
      await peer.stop()
    } finally {
      globalThis.WebSocket = original
    }
  })

  it('answer a handshake', async () => {
    await start(60_000)
    const socket = await say(HANDSHAKE)
    const [answer] = await once(socket, 'data')

    expect(String(answer)).to.match(/^HTTP\/1\.1 101 /)
    socket.destroy()
  })
})

describe('the disk of a hub', () => {
  it('has room, and none when its folder is gone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'formicary-watch-'))
    const changes: boolean[] = []
    const disk = new DiskWatch(folder, full => { changes.push(full) })
    await disk.check()
    expect(disk).to.include({ full: false, folder })
    expect(disk.free).to.be.above(0).and.below(Infinity)

    await rm(folder, { recursive: true })
    await disk.check()
    await disk.check()
    expect(disk).to.include({ full: true, free: 0 })
    expect(changes).to.deep.equal([true])
  })
})
