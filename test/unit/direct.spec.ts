import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { waitFor } from '../../src/delay.ts'
import { directConnection, openDirect, openStream } from '../../src/direct.ts'
import { failure } from '../fixtures/failure.ts'
import type { Connections } from '../../src/direct.ts'
import type { Connection, NewStreamOptions, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const HUB = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'
const PEER = '12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust'
const TCP = multiaddr('/ip4/192.0.2.7/tcp/4001')
const CIRCUIT = multiaddr(`/ip4/192.0.2.7/tcp/4002/ws/p2p/${HUB}/p2p-circuit`)
const WEBRTC = CIRCUIT.encapsulate('/webrtc')

/** Dials as told, and remembers what was dialled. */
class Subject implements Connections {
  readonly open: Connection[] = []
  readonly dialled: string[][] = []
  readonly #answers: Array<Partial<Connection> | Error>

  constructor (...answers: Array<Partial<Connection> | Error>) {
    this.#answers = answers
  }

  getConnections (): Connection[] {
    return this.open
  }

  async openConnection (target: unknown): Promise<Connection> {
    this.dialled.push((Array.isArray(target) ? target as Multiaddr[] : [target]).map(String))
    const answer = this.#answers.shift()

    if (answer == null || answer instanceof Error) {
      throw answer ?? new Error('Dialled once too often')
    }

    return answer as Connection
  }
}

const direct = { status: 'open', limits: undefined } as Partial<Connection>
const limited = { status: 'open', limits: {}, remoteAddr: CIRCUIT.encapsulate(`/p2p/${PEER}`) } as Partial<Connection>

describe('direct connections', () => {
  it('are taken if there is one that is open and not limited', async () => {
    const subject = new Subject()
    subject.open.push(...[limited, { ...direct, status: 'closing' as const }, direct].map(connection => connection as Connection))

    expect(directConnection(subject, PEER)).to.equal(direct)
    expect(await openDirect(subject, PEER, [TCP])).to.equal(direct)
    expect(subject.dialled).to.deep.equal([])
  })

  it('are taken if they were opened last: who is back may have left the others open', () => {
    const subject = new Subject()
    const [first, second, third] = [1, 3, 2].map(open => ({ ...direct, timeline: { open } }) as Connection)
    subject.open.push(first, second, third)

    expect(directConnection(subject, PEER)).to.equal(second)
  })

  it('are dialled where the peer is, beside one that is limited', async () => {
    const subject = new Subject(direct)
    subject.open.push(limited as Connection)

    expect(await openDirect(subject, PEER, [TCP, WEBRTC])).to.equal(direct)
    expect(subject.dialled).to.deep.equal([[`${TCP}/p2p/${PEER}`, `${WEBRTC}/p2p/${PEER}`]])
  })

  it('are dialled over WebRTC where the address is that of a relay', async () => {
    const subject = new Subject(direct)
    await openDirect(subject, PEER, [CIRCUIT])

    expect(subject.dialled).to.deep.equal([[`${WEBRTC}/p2p/${PEER}`]])
  })

  it('are dialled by name without an address, and over WebRTC if that leads to a relay', async () => {
    const subject = new Subject(limited, direct)

    expect(await openDirect(subject, PEER, [])).to.equal(direct)
    expect(subject.dialled).to.deep.equal([[PEER], [`${WEBRTC}/p2p/${PEER}`]])
  })

  it('are tried a second time over WebRTC, and no third', async () => {
    expect(await openDirect(new Subject(new Error('first'), direct), PEER, [WEBRTC])).to.equal(direct)
    expect(await failure(openDirect(new Subject(new Error('first'), new Error('second')), PEER, [WEBRTC]))).to.have.property('message', 'second')
  })

  it('are tried once over anything else', async () => {
    expect(await failure(openDirect(new Subject(new Error('first'), direct), PEER, [TCP]))).to.have.property('message', 'first')
  })

  it('that came while one was dialled are taken', async () => {
    const subject = new Subject(new Error('first'))
    const opening = openDirect(subject, PEER, [WEBRTC])
    subject.open.push(direct as Connection)

    expect(await opening).to.equal(direct)
    expect(subject.dialled).to.have.length(1)
  })

  it('are given up when nobody waits any more', async () => {
    const controller = new AbortController()
    const opening = openDirect(new Subject(new Error('first'), direct), PEER, [WEBRTC], controller)
    controller.abort(new Error('enough'))

    expect(await failure(opening)).to.have.property('message', 'enough')
  })

  it('are left for newer ones when nobody answers there', async () => {
    const subject = new Subject()
    const silent = { ...direct, timeline: { open: 1 }, newStream: silence } as Connection
    const stream = {} as Stream
    const newer = { ...direct, timeline: { open: 2 }, newStream: async () => stream } as unknown as Connection
    subject.open.push(silent)
    const opening = openStream(subject, PEER, '/protocol', [], new AbortController())
    subject.open.push(newer)

    expect(await opening).to.deep.equal({ stream, connection: newer })
    expect(subject.dialled).to.deep.equal([])
  })

  it('are not left when opening a stream fails, or nobody waits any more', async () => {
    const subject = new Subject()
    const refusing = { ...direct, newStream: async () => { throw new Error('no') } } as unknown as Connection
    subject.open.push(refusing)
    expect(await failure(openStream(subject, PEER, '/protocol', [], new AbortController()))).to.have.property('message', 'no')

    subject.open[0] = { ...direct, newStream: silence } as Connection
    const controller = new AbortController()
    const opening = openStream(subject, PEER, '/protocol', [], controller)
    controller.abort(new Error('enough'))
    expect(await failure(opening)).to.have.property('message', 'enough')
  })
})

/** What a connection does behind which nobody is any more. */
async function silence (_protocol: string | string[], { signal }: NewStreamOptions = {}): Promise<Stream> {
  return waitFor(new Promise<never>(() => {}), signal)
}
