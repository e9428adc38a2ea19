import { generateKeyPair } from '@libp2p/crypto/keys'
import { UnsupportedProtocolError } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { expect } from 'chai'
import { Lines } from '../../src/contingency/lines.ts'
import { Seals } from '../../src/contingency/sealed.ts'
import { waitFor } from '../../src/delay.ts'
import { until } from '../fixtures/until.ts'
import type { AnyMessage } from '../../src/contingency/codec.ts'
import type { Connection, NewStreamOptions, PrivateKey, Stream } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'

const ROOT = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'

describe('contingency: lines', () => {
  let keys: PrivateKey[]
  let ada: Lines
  let ben: Lines
  let heard: AnyMessage[]

  /** Who does not speak the protocol. */
  let unsupported: string[]

  /** Streams that were opened to ben, both ends, and what opening one fails with. */
  let opened: Array<[Stream, Stream]>
  let faults: Error[]

  /** Connections with ben, the oldest first, and over which of them each stream was to be opened. */
  let connections: Connection[]
  let tried: number[]

  beforeEach(async () => {
    keys = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
    heard = []
    unsupported = []
    opened = []
    faults = []
    connections = []
    tried = []
    connect()
    ada = make(keys[0])
    ben = make(keys[1])
  })

  afterEach(async () => {
    await Promise.all([ada.close(), ben.close()])
  })

  function make (key: PrivateKey): Lines {
    return new Lines({
      protocol: '/contingency',
      connectionManager: { getConnections: () => connections } as unknown as ConnectionManager,
      seals: new Seals(key, 'formicary'),
      log: defaultLogger().forComponent('test'),
      addresses: () => [],
      onMessage: (_, message) => { heard.push(message) },
      onUnsupported: peer => { unsupported.push(peer) }
    })
  }

  /** Adds a connection; with one that is `dead`, nobody answers. */
  function connect (dead = false): void {
    const open = connections.length
    connections.push({
      status: 'open',
      timeline: { open },
      async newStream (_protocol: string, { signal }: NewStreamOptions) {
        tried.push(open)
        const fault = faults.shift()

        if (fault != null) {
          throw fault
        }

        if (dead) {
          return waitFor(new Promise<never>(() => {}), signal)
        }

        const pair = await streamPair()
        opened.push(pair)
        ben.accept(pair[1], { remotePeer: peerIdFromPrivateKey(keys[0]) } as unknown as Connection)

        return pair[0]
      }
    } as unknown as Connection)
  }

  function say (epoch: number): void {
    ada.send(String(peerIdFromPrivateKey(keys[1])), { type: 'released', ward: String(peerIdFromPrivateKey(keys[0])), epoch })
  }

  function epochs (): unknown[] {
    return heard.map(message => 'epoch' in message ? message.epoch : message.type)
  }

  it('carry what is said in order, over one stream', async () => {
    [1, 2, 3].forEach(say)
    await until(() => heard.length === 3)
    say(4)
    await until(() => heard.length === 4)
    expect(epochs()).to.deep.equal([1, 2, 3, 4])
    expect(opened).to.have.lengthOf(1)
  })

  it('are opened again when the other side has closed them, and lose nothing that was said since', async () => {
    say(1)
    await until(() => heard.length === 1)
    const closed = new Promise(resolve => { opened[0][0].addEventListener('close', resolve) })
    opened[0][1].abort(new Error('It is gone'))
    await closed
    ;[2, 3].forEach(say)
    await until(() => heard.length === 3)
    expect([epochs(), opened.length]).to.deep.equal([[1, 2, 3], 2])
  })

  it('go over the newest connection, beside which the others may lead to nobody any more', async () => {
    say(1)
    await until(() => heard.length === 1)
    connect()
    say(2)
    await until(() => heard.length === 2)
    say(3)
    await until(() => heard.length === 3)
    expect(tried).to.deep.equal([0, 1])
  })

  it('do not wait for an answer over a connection when there is a newer one', async () => {
    connect(true)
    say(1)
    await until(() => tried.length === 1)
    connect()
    await until(() => heard.length === 1)
    expect(tried).to.deep.equal([1, 2])
  })

  it('go over another stream when the other side was gone', async () => {
    say(1)
    await until(() => heard.length === 1)
    ada.drop(String(peerIdFromPrivateKey(keys[1])))
    say(2)
    await until(() => heard.length === 2)
    expect(tried).to.deep.equal([0, 0])
  })

  it('are tried again while who is spoken to is just starting', async () => {
    faults = [new UnsupportedProtocolError('not yet'), new Error('no')]
    say(1)
    await until(() => heard.length === 1)
    expect(unsupported).to.deep.equal([])
  })

  it('tell of who does not speak the protocol, and are tried again for what is said after', async () => {
    faults = Array.from({ length: 5 }, () => new UnsupportedProtocolError('never'))
    say(1)
    await until(() => unsupported.length === 1)
    expect(unsupported).to.deep.equal([String(peerIdFromPrivateKey(keys[1]))])
    say(2)
    await until(() => heard.length === 1)
    expect(epochs()).to.deep.equal([2])
  }).timeout(60_000)

  it('sign receipts on the way', async () => {
    const by = String(peerIdFromPrivateKey(keys[0]))
    ada.send(String(peerIdFromPrivateKey(keys[1])), { type: 'receipt', receipt: { by, ward: String(peerIdFromPrivateKey(keys[1])), epoch: 1, root: ROOT, quota: 5 } })
    await until(() => heard.length === 1)
    expect(heard[0]).to.have.nested.property('receipt.envelope').that.is.instanceOf(Uint8Array)
  })

  it('say nothing once they are closed', async () => {
    say(1)
    await until(() => heard.length === 1)
    await ada.close()
    say(2)
    await ben.close()
    expect([epochs(), opened.length]).to.deep.equal([[1], 1])
  })
})
