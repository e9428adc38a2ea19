import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { encode } from '@msgpack/msgpack'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { membershipProtocol } from '../../src/membership/constants.ts'
import { Members } from '../../src/membership/core/members.ts'
import { Inbox } from '../../src/membership/inbox.ts'
import { membership } from '../../src/membership/index.ts'
import { sealClaim, sealRecord } from '../../src/membership/record.ts'
import { encodeFrame } from '../../src/wire/frame.ts'
import { failure, makeBare } from '../fixtures/colony.ts'
import { endAfterEach } from '../fixtures/end-after-each.ts'
import { until } from '../fixtures/until.ts'
import type { Message } from '../../src/membership/core/messages.ts'
import type { Membership, MembershipInit, MemberState, Unreachable } from '../../src/membership/index.ts'
import type { Card } from '../../src/membership/record.ts'
import type { Libp2p, PrivateKey, Stream } from '@libp2p/interface'
import type { Libp2pInit, ServiceFactoryMap } from 'libp2p'

type Peer = Libp2p<{ membership: Membership }>

const PROTOCOL = membershipProtocol('formicary')
const CARD: Omit<Card, 'peer'> = { epoch: 1, counter: 0, name: 'evil', addresses: [], roles: [], storage: 0, digest: 0 }

describe('membership between nodes', function () {
  this.timeout(60_000)

  const nodes = endAfterEach<Libp2p>(async node => node.stop())

  async function make (init: MembershipInit = {}, libp2p: Partial<Libp2pInit> = {}): Promise<Peer> {
    return nodes.add(await makeBare({ ...libp2p, services: { membership: membership(init) } as unknown as ServiceFactoryMap }) as unknown as Peer)
  }

  /** A colony in which all know all. */
  async function colony (size: number): Promise<Peer[]> {
    const peers = await Promise.all(Array.from({ length: size }, async (_, i) => make({ name: `n${i}` })))
    await Promise.all(peers.slice(1).map(async peer => peer.dial(peers[0].getMultiaddrs())))
    await until(() => peers.every(peer => names(peer, 'alive').length === size))

    return peers
  }

  /** Somebody without membership, with a stream of the protocol to a member. */
  async function stranger (peer: Peer, privateKey?: PrivateKey): Promise<{ node: Libp2p, stream: Stream, send: (...messages: object[]) => void }> {
    const node = nodes.add(await makeBare({ privateKey }))
    const stream = await node.dialProtocol(peer.getMultiaddrs(), PROTOCOL)
    // what comes back does not matter, but has to be read
    stream.addEventListener('message', () => {})

    return { node, stream, send: (...messages) => { messages.forEach(message => { stream.send(encodeFrame(encode(message))) }) } }
  }

  it('knows who is there, what they say of themselves, and when they leave', async () => {
    const [ada, ben, eve] = await colony(3)
    const left: string[] = []
    ada.services.membership.addEventListener('member:left', ({ detail: { member } }) => { left.push(`${member.name}: ${member.reason}`) })
    await ben.services.membership.update({ metadata: new Uint8Array(512).fill(7), roles: ['relay'], storage: 5 })
    await until(() => [ada, eve].every(peer => peer.services.membership.get(ben.peerId)?.storage === 5))
    expect(ada.services.membership.get(ben.peerId)).to.deep.include({ name: 'n1', roles: ['relay'], state: 'alive', self: false, metadata: new Uint8Array(512).fill(7) })
    expect(ada.services.membership.get(ben.peerId)?.addresses.map(String)).to.deep.equal(ben.getMultiaddrs().map(String))
    expect(ada.services.membership.self).to.include({ name: 'n0', self: true })

    await ben.services.membership.leave({ reason: 'done', successor: eve.peerId })
    await until(() => left.length === 1)
    expect(left).to.deep.equal(['n1: done'])
    expect(ada.services.membership.get(ben.peerId)?.successor?.equals(eve.peerId)).to.equal(true)
    await eve.stop()
    await until(() => names(ada, 'left').length === 2)
  })

  it('shows who is light and hidden, and tells the others when that changes', async () => {
    const [ada, ben] = await colony(2)
    await ben.services.membership.update({ light: true, hidden: true })
    await until(() => ada.services.membership.get(ben.peerId)?.hidden === true)
    expect(ada.services.membership.get(ben.peerId)).to.include({ light: true, hidden: true })
    expect(ben.services.membership.self).to.include({ hidden: true })
    await ben.services.membership.update({ hidden: false })
    await until(() => ada.services.membership.get(ben.peerId)?.hidden === false)
    expect(await failure(ben.services.membership.update({ hidden: 1 as unknown as boolean }))).to.have.property('name', 'InvalidParametersError')
  })

  it('says goodbye before it returns, for a page that is closed', async () => {
    const [ada, ben, eve] = await colony(3)
    const told: string[] = []
    const key = String(ben.peerId)
    ada.services.membership.addEventListener('member:left', ({ detail: { member } }) => { told.push(String(member.peerId)) })

    // resolves when the next goodbye is signed, too
    await ben.services.membership.update({ storage: 1 })
    let sent = 0
    const streams = ben.getConnections().flatMap(connection => connection.streams).filter(({ protocol }) => protocol === PROTOCOL)
    streams.forEach(stream => {
      const send = stream.send.bind(stream)
      stream.send = data => {
        sent++

        return send(data)
      }
    })
    expect(ben.services.membership.leaveNow()).to.equal(true)
    expect(sent).to.be.at.least(1)
    expect(ben.services.membership.self.state).to.equal('left')
    await until(() => [ada, eve].every(peer => peer.services.membership.get(ben.peerId)?.state === 'left'))
    expect(told).to.deep.equal([key])
    expect(ben.services.membership.leaveNow()).to.equal(true)
  })

  it('starts again in a new life, above the old one', async () => {
    const datastore = new MemoryDatastore()
    const privateKey = await generateKeyPair('Ed25519')
    const ada = await make()
    const ben = await make({ name: 'ben' }, { datastore, privateKey })
    await ben.dial(ada.getMultiaddrs())
    await until(() => names(ada, 'alive').length === 2)
    const { epoch } = ben.services.membership.self
    await ben.stop()
    await until(() => names(ada, 'left').includes('ben'))

    // the clock of the machine may have gone back by a day meanwhile
    const now = Date.now
    Date.now = () => now() - 24 * 3600 * 1000

    try {
      const again = await make({ name: 'ben' }, { datastore, privateKey })
      expect(again.services.membership.self.epoch).to.equal(epoch + 1)
      await again.dial(ada.getMultiaddrs())
      await until(() => names(ada, 'alive').includes('ben'))
    } finally {
      Date.now = now
    }
  })

  it('beats its own death without a datastore too, with a clock that went back', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const ada = await make()
    const ben = await make({ name: 'ben' }, { privateKey })
    await ben.dial(ada.getMultiaddrs())
    await until(() => names(ada, 'alive').length === 2)
    await ben.stop()
    await until(() => names(ada, 'left').includes('ben'))
    const now = Date.now
    Date.now = () => now() - 24 * 3600 * 1000

    try {
      const again = await make({ name: 'ben' }, { privateKey })
      await again.dial(ada.getMultiaddrs())
      await until(() => names(ada, 'alive').includes('ben'))
    } finally {
      Date.now = now
    }
  })

  it('does not let two colonies mix', async () => {
    const ada = await make({ network: 'a' })
    const ben = await make({ network: 'b' })
    await ben.dial(ada.getMultiaddrs())
    // whoever came in after it is known
    const cleo = await make({ network: 'a', name: 'cleo' })
    await cleo.dial(ada.getMultiaddrs())
    await until(() => everybody(ada).includes('cleo') && everybody(cleo).length === 2)
    expect(everybody(ada)).to.deep.equal(['', 'cleo'])
    expect(everybody(ben)).to.deep.equal([''])
    // nor their records: to send one is the end, as of any that is not signed for this colony
    const key = await generateKeyPair('Ed25519')
    const { stream } = await strangerIn(ada, 'a')
    const { envelope } = await sealRecord(CARD, key, 'b')
    stream.send(encodeFrame(encode({ type: 'gossip', records: [envelope] })))
    await until(() => stream.status !== 'open')
    expect(everybody(ada)).to.deep.equal(['', 'cleo'])
  })

  async function strangerIn (peer: Peer, network: string): Promise<{ stream: Stream }> {
    const node = nodes.add(await makeBare())

    return { stream: await node.dialProtocol(peer.getMultiaddrs(), membershipProtocol(network)) }
  }

  it('takes no record that was forged, or that comes from another than it says', async () => {
    const [ada, ben] = await colony(2)
    const { stream, send } = await stranger(ada)
    const key = await generateKeyPair('Ed25519')
    const { envelope } = await sealRecord({ ...CARD, name: 'forged' }, key, 'formicary')
    const good = await sealRecord({ ...CARD, name: 'good' }, await generateKeyPair('Ed25519'), 'formicary')
    const forged = envelope.slice()
    forged[forged.byteLength - 5] ^= 1
    // somebody else's record as a greeting changes nothing, a wrong signature is the end
    send({ type: 'hello', record: envelope }, { type: 'gossip', records: [good.envelope] })
    await until(() => everybody(ben).includes('good'))
    expect(stream.status).to.equal('open')
    send({ type: 'gossip', records: [forged] })
    await until(() => stream.status !== 'open')
    // what it knew before this, it would have told
    await ada.services.membership.update({ storage: 9 })
    await until(() => ben.services.membership.get(ada.peerId)?.storage === 9)
    expect(everybody(ada)).to.deep.equal(['good', 'n0', 'n1'])
    expect(everybody(ben)).to.deep.equal(['good', 'n0', 'n1'])
  })

  it('says whom it cannot reach, and how often it tried', async () => {
    const ada = await make({ name: 'ada' })
    const told: Unreachable[] = []
    ada.services.membership.addEventListener('membership:unreachable', ({ detail }) => { told.push(detail) })
    const key = await generateKeyPair('Ed25519')
    const { envelope } = await sealRecord({ ...CARD, name: 'nowhere', addresses: [multiaddr('/ip4/127.0.0.1/tcp/1').bytes] }, key, 'formicary')
    const { send } = await stranger(ada)
    send({ type: 'gossip', records: [envelope] })
    await until(() => told.length > 1)

    expect(told.map(({ failures }) => failures)).to.deep.equal(told.map((_, i) => i + 1))
    expect(told.map(({ peerId }) => String(peerId))).to.deep.equal(told.map(() => String(peerIdFromPrivateKey(key))))
    expect(told[0].error).to.be.an('error')
  })

  it('does not go back to a record that is repeated', async () => {
    const [ada, ben] = await colony(2)
    const key = await generateKeyPair('Ed25519')
    const old = await sealRecord({ ...CARD, name: 'old' }, key, 'formicary')
    const young = await sealRecord({ ...CARD, counter: 1, name: 'young' }, key, 'formicary')
    const { send } = await stranger(ada)
    send({ type: 'gossip', records: [young.envelope] }, { type: 'gossip', records: [old.envelope] })
    await until(() => names(ben, 'alive').includes('young'))
    expect(names(ada, 'alive')).to.not.include('old')
  })

  it('finds out that a member exists only in its record', async () => {
    const [ada, ben] = await colony(2)
    const { send } = await stranger(ada)
    const { envelope } = await sealRecord({ ...CARD, name: 'ghost', addresses: [multiaddr('/ip4/127.0.0.1/tcp/1').bytes] }, await generateKeyPair('Ed25519'), 'formicary')
    send({ type: 'gossip', records: [envelope] })
    await until(() => names(ada, 'alive').includes('ghost'))
    await until(() => names(ada, 'down').includes('ghost') && names(ben, 'down').includes('ghost'), 50_000)
  })

  it('loses nobody to a member that declares all dead every second', async () => {
    const peers = await colony(3)
    const downs: string[] = []
    const suspected = new Set<string>()
    peers.forEach(peer => { peer.services.membership.addEventListener('member:suspected', ({ detail: { member } }) => { suspected.add(member.name) }) })
    peers.forEach(peer => { peer.services.membership.addEventListener('member:down', ({ detail: { member } }) => { downs.push(member.name) }) })
    const key = await generateKeyPair('Ed25519')
    const { send } = await stranger(peers[0], key)
    send({ type: 'hello', record: (await sealRecord(CARD, key, 'formicary')).envelope })

    for (let second = 0; second < 4; second++) {
      // whichever of its incarnations a member is in
      const targets = peers.flatMap(({ peerId, services }) => Array.from({ length: 12 }, (_, counter) => ({ target: String(peerId), epoch: services.membership.self.epoch, counter })))
      const claims = await Promise.all(targets.map(async said => sealClaim(said, key, 'formicary')))
      send({ type: 'gossip', claims: claims.map(({ envelope }) => envelope) })
      await pause(1_000)
    }

    expect(suspected.size).to.be.above(0)
    expect(downs.filter(name => name !== 'evil')).to.deep.equal([])
    // what it said last may just have made somebody suspected
    await until(() => ['n0', 'n1', 'n2'].every(name => names(peers[1], 'alive').includes(name)))
  })

  const NONSENSE: Array<[string, Uint8Array]> = [
    ['invalid MessagePack', encodeFrame(Uint8Array.of(0xc1)).subarray()],
    ['a message of no type', encodeFrame(encode({ type: 'nonsense' })).subarray()],
    ['an endless frame', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['a digest too short', encodeFrame(encode({ type: 'sync', buckets: new Uint8Array(3) })).subarray()],
    ['a bucket there is not', encodeFrame(encode({ type: 'versions', buckets: [64], members: [] })).subarray()],
    ['a member that is none', encodeFrame(encode({ type: 'want', peers: ['../../x y'] })).subarray()]
  ]

  for (const [what, bytes] of NONSENSE) {
    it(`breaks off with who sends ${what}`, async () => {
      const [ada] = await colony(2)
      const { stream } = await stranger(ada)
      stream.send(bytes)
      await until(() => stream.status !== 'open')
      expect(names(ada, 'alive')).to.have.length(2)
    })
  }

  it('breaks off with who sends without end, and goes on with others', async () => {
    const [ada, ben] = await colony(2)
    const { stream, send } = await stranger(ada)

    for (let seq = 0; seq < 3_000 && stream.status === 'open'; seq++) {
      send({ type: 'ping', seq })
    }

    await until(() => stream.status !== 'open')
    await ben.services.membership.update({ storage: 9 })
    await until(() => ada.services.membership.get(ben.peerId)?.storage === 9)
  })

  it('keeps little for a peer that asks and never reads', async () => {
    const [ada, ben] = await colony(2)
    const { node, stream, send } = await stranger(ada)
    const keys = await Promise.all(Array.from({ length: 300 }, async () => generateKeyPair('Ed25519')))
    const records = await Promise.all(keys.map(async key => (await sealRecord(CARD, key, 'formicary')).envelope))
    Array.from({ length: 6 }, (_, i) => { send({ type: 'gossip', records: records.slice(50 * i, 50 * i + 50) }) })
    await until(() => [...ada.services.membership.members()].length === 302)
    stream.pause()
    let most = 0

    for (let i = 0; i < 500 && stream.status === 'open'; i++) {
      send({ type: 'sync', buckets: new Uint8Array(256).fill(i) })
      await pause(1)
      const unsent = ada.getConnections(node.peerId).flatMap(({ streams }) => streams).map(({ writeBufferLength }) => writeBufferLength)
      most = Math.max(most, ...unsent)
    }

    expect(most).to.be.within(1, 2 * 1024 * 1024)
    await ben.services.membership.update({ storage: 9 })
    await until(() => ada.services.membership.get(ben.peerId)?.storage === 9)
  })

  it('takes a bounded number of members that one peer makes known', async () => {
    const members = new Members('self')
    const inbox = new Inbox({
      network: 'formicary',
      self: 'self',
      members,
      newcomers: 5,
      onInvalid: (_, err) => { throw err },
      onMessage: (_, message) => { (message as Extract<Message, { type: 'gossip' }>).news.forEach(news => news.type === 'record' && members.add(news.signed, 'alive', 0)) }
    })
    const records = await Promise.all(Array.from({ length: 20 }, async () => (await sealRecord(CARD, await generateKeyPair('Ed25519'), 'formicary')).envelope))
    inbox.take('evil', { type: 'gossip', news: { records: records.slice(0, 10), claims: [], doubts: [] } })
    await until(() => members.size === 5)
    inbox.take('good', { type: 'gossip', news: { records: records.slice(10, 13), claims: [], doubts: [] } })
    await until(() => members.size === 8)
  })

  it('goes above the records of another node with the same key', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const ada = await make({ name: 'ada' })
    const one = await make({ name: 'one' }, { privateKey })
    await one.dial(ada.getMultiaddrs())
    await until(() => names(ada, 'alive').includes('one'))
    const began = performance.now()
    let updates = 0
    ada.services.membership.addEventListener('member:updated', () => { updates++ })
    const two = await make({ name: 'two' }, { privateKey })
    await two.dial(ada.getMultiaddrs())
    await pause(1_500)
    // one of them is shown, and they do not flood the colony with their dispute
    expect([...ada.services.membership.members()]).to.have.length(2)
    expect(updates).to.be.below(20 * (performance.now() - began) / 1_500)
    expect(ada.services.membership.self.name).to.equal('ada')
  })

  it('refuses details that nobody would take, and keeps those it had', async () => {
    const ada = await make({ name: 'ada' })
    const { membership: service } = ada.services

    for (const details of [{ name: 'x'.repeat(65) }, { metadata: new Uint8Array(513) }, { roles: Array(9).fill('r') }, { storage: -1 }, { digest: 0.5 }, { name: '\ud800' }]) {
      expect(await failure(service.update(details))).to.have.property('name', 'InvalidParametersError')
    }

    for (const reason of ['x'.repeat(129), '\ud800', 5 as never]) {
      expect(await failure(service.leave({ reason }))).to.have.property('name', 'InvalidParametersError')
    }

    expect(service.self).to.include({ name: 'ada', state: 'alive' })
    expect(() => membership({ name: 'x'.repeat(65) })({ peerId: ada.peerId } as never)).to.throw().with.property('name', 'InvalidParametersError')
  })

  it('leaves and stops with nobody there, and more than once', async () => {
    const ada = await make()
    await ada.services.membership.leave()
    await ada.services.membership.leave()
    await ada.stop()
    await ada.stop()
    expect([...ada.services.membership.members()]).to.deep.equal([])
    expect(() => ada.services.membership.self).to.throw().with.property('name', 'NotStartedError')
    expect(await failure(ada.services.membership.update({ name: 'x' }))).to.have.property('name', 'NotStartedError')
  })
})

function names (peer: Peer, state: MemberState): string[] {
  return [...peer.services.membership.members({ state })].map(({ name }) => name).sort()
}

/** Names of all who are known, whatever their state. */
function everybody (peer: Peer): string[] {
  return [...peer.services.membership.members()].map(({ name }) => name).sort()
}

async function pause (ms: number): Promise<void> {
  await new Promise(resolve => { setTimeout(resolve, ms) })
}
