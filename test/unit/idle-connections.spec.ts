import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect } from 'chai'
import { IdleConnections } from '../../src/node/idle-connections.ts'
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'

describe('idle connections', () => {
  let ada: PeerId
  let ben: PeerId
  let connections: Connection[]
  let kept: PeerId[]
  let idle: IdleConnections

  before(async () => {
    [ada, ben] = await Promise.all([1, 2].map(async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))))
  })

  beforeEach(() => {
    connections = []
    kept = []
    idle = new IdleConnections({
      getConnections: (peer?: PeerId) => connections.filter(({ remotePeer }) => peer == null || remotePeer.equals(peer)),
      peerStore: { get: async (peer: PeerId) => ({ tags: new Map(kept.some(other => other.equals(peer)) ? [['keep-alive-circuit-relay', { value: 1 }]] : []) }) }
    } as unknown as Pick<Libp2p, 'getConnections' | 'peerStore'>)
  })

  function connect (remotePeer: PeerId, init: Partial<Connection> = {}): Connection {
    const connection = {
      remotePeer,
      status: 'open',
      multiplexer: '/webrtc',
      streams: [],
      close: async () => { connection.status = 'closed' },
      ...init
    } as unknown as Connection
    connections.push(connection)

    return connection
  }

  /** Looks every ten seconds. */
  async function pass (seconds: number, from = 0): Promise<void> {
    for (let at = from; at <= from + seconds; at += 10) {
      await idle.look(at * 1000)
    }
  }

  it('over WebRTC are closed after a minute', async () => {
    const connection = connect(ada)
    await pass(50)
    expect(connection.status).to.equal('open')
    await pass(0, 60)
    expect(connection.status).to.equal('closed')
  })

  it('are not closed while a stream is open, or was a while ago', async () => {
    const connection = connect(ada, { streams: [{}] as Connection['streams'] })
    await pass(100)
    connection.streams.length = 0
    await pass(50, 110)
    expect(connection.status).to.equal('open')
  })

  it('with a relay that holds a reservation stay', async () => {
    const connection = connect(ada)
    kept.push(ada)
    await pass(200)
    expect(connection.status).to.equal('open')
  })

  it('over other transports stay', async () => {
    const connection = connect(ada, { multiplexer: '/yamux/1.0.0' })
    await pass(200)
    expect(connection.status).to.equal('open')
  })

  it('through a relay stay until there is a direct one, and are closed soon after', async () => {
    const relayed = connect(ada, { multiplexer: '/yamux/1.0.0', limits: {} })
    connect(ben)
    await pass(200)
    expect(relayed.status).to.equal('open')
    connect(ada, { streams: [{}] as Connection['streams'] })
    await pass(10, 210)
    expect(relayed.status).to.equal('closed')
  })
})
