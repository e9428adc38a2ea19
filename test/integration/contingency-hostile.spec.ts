import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { contingencyProtocol } from '../../src/contingency/constants.ts'
import { encodeFrame } from '../../src/wire/frame.ts'
import { memoryStore } from '../../src/store/index.ts'
import { transferProtocol } from '../../src/transfer/constants.ts'
import { bytesOf, shareBytes } from '../fixtures/colony.ts'
import { Liar } from '../fixtures/contingency-liar.ts'
import { contentsOf, crash, has, makeWard, nameOf, together, until } from '../fixtures/contingency.ts'
import { cidOf, entryOf } from '../fixtures/items.ts'
import type { AnyMessage } from '../../src/contingency/codec.ts'
import type { Appointment, Message } from '../../src/contingency/core/messages.ts'
import type { Ward, WardInit } from '../fixtures/contingency.ts'
import type { PrivateKey } from '@libp2p/interface'

const MIB = 1024 * 1024
const PROTOCOL = contingencyProtocol('formicary')

describe('contingency among hostile peers', function () {
  this.timeout(60_000)

  let nodes: Ward[]
  let ada: Ward
  let ben: Ward
  let liar: Liar
  let keys: PrivateKey[]

  beforeEach(() => { nodes = [] })

  afterEach(async () => {
    await Promise.all(nodes.map(async node => node.services.contingency == null ? node.stop() : crash(node)))
  })

  /** Two who are honest, and one who is not. */
  async function colony (...init: WardInit[]): Promise<void> {
    keys = await Promise.all([1, 2].map(async () => generateKeyPair('Ed25519')));
    [ada, ben] = await Promise.all(keys.map(async (privateKey, i) => makeWard({ privateKey, ...init[i] })))
    liar = await Liar.make()
    nodes.push(ada, ben, liar.node)
    await together(ada, ben, liar.node)
  }

  /** An honest ward is kept as ever. */
  async function stillWorks (): Promise<void> {
    const { cid } = await shareBytes(ada, bytesOf(5000, 77), 'still')
    await until(() => ada.services.contingency.copiesOf(cid) > 0 && ben.services.contingency.status().wards.some(({ peerId, complete }) => peerId.equals(ada.peerId) && complete))
    expect(await has(ben, cid)).to.equal(true)
  }

  function wardAt (peer: Ward): { bytes: number, complete: boolean } | undefined {
    return peer.services.contingency.status().wards.find(({ peerId }) => String(peerId) === liar.id)
  }

  function heard<T extends AnyMessage['type']> (type: T): Array<Extract<AnyMessage, { type: T }>> {
    return liar.heard.filter((message): message is Extract<AnyMessage, { type: T }> => message.type === type)
  }

  function offer (appointment: Appointment): Message {
    return { type: 'offer', appointment, sources: [liar.id], urgent: true }
  }

  /** Says that it has whatever it is offered. */
  function signsAnything (message: AnyMessage): void {
    if (message.type === 'offer') {
      const { ward, epoch, root, size } = message.appointment.assignment
      void liar.say(ada, { type: 'receipt', receipt: { by: liar.id, ward, epoch, root, quota: size } })
    }
  }

  it('finds out who signs for what it does not have', async () => {
    await colony({ challengeInterval: 1000 })
    liar.answer = message => {
      signsAnything(message)

      if (message.type === 'challenge') {
        void liar.say(ada, { type: 'proof', id: message.id, digest: new Uint8Array(32) })
      }
    }
    await shareBytes(ada, bytesOf(100_000))
    await until(() => heard('challenge').length > 0)
    await until(() => ada.services.contingency.status().contingents.every(({ peerId }) => String(peerId) !== liar.id))
    await until(() => ada.services.contingency.status().verified === 1)
    expect(ada.services.contingency.status().state).to.equal('partly')
    // it is never asked again
    const asked = heard('offer').length
    await stillWorks()
    expect(ada.services.contingency.status().contingents.map(({ peerId }) => String(peerId))).to.deep.equal([nameOf(ben)])
    expect(heard('offer').length).to.equal(asked)
  })

  it('counts no receipt of another, of another root or of another ward', async () => {
    await colony()
    const key = { by: liar.id, ward: nameOf(ada), root: String(cidOf('other')), quota: 2 ** 50 }
    liar.answer = message => {
      if (message.type === 'offer') {
        const { epoch, root } = message.appointment.assignment
        void liar.say(ada, ...[
          { ...key, epoch },
          { ...key, epoch: epoch + 1, root },
          { ...key, epoch: 2 ** 52, root },
          { ...key, epoch, root, ward: liar.id },
          { ...key, epoch, root, ward: nameOf(ben) }
        ].map(receipt => ({ type: 'receipt' as const, receipt })))
      } else if (message.type === 'receipt') {
        // somebody else's
        void liar.say(ada, message)
      }
    }
    const { cid } = await shareBytes(ada, bytesOf(100))
    await until(() => ada.services.contingency.copiesOf(cid) === 1)
    await until(() => heard('offer').length > 1)
    expect(ada.services.contingency.status()).to.include({ state: 'partly', verified: 1 })
    expect(ada.services.contingency.status().contingents.find(({ peerId }) => String(peerId) === liar.id)?.state).to.not.equal('verified')
  })

  it('lets go of nothing for a release with receipts that are forged, missing, or not from all', async () => {
    await colony()
    const { cid } = await shareBytes(ada, bytesOf(100))
    await until(() => ada.services.contingency.copiesOf(cid) > 0 && heard('offer').length > 0)
    const { assignment } = heard('offer')[0].appointment
    const { ward, epoch, root } = assignment
    const takeover = await liar.seals.takeover({ ward, epoch, generation: 9, by: liar.id, contingents: [liar.id] })
    const own = await liar.seals.receipt({ by: liar.id, ward, epoch, root, quota: 2 ** 50 })
    const appointments: Appointment[] = [{ assignment }, { assignment, takeover }]

    for (const appointment of appointments) {
      for (const receipts of [[], [own], [own, own]]) {
        await liar.say(ben, { type: 'release', appointment, receipts })
      }
    }

    const forged = own.envelope.map((byte, i) => i === own.envelope.length - 1 ? byte ^ 1 : byte)
    await liar.sayRaw(ben, { type: 'release', appointment: [assignment.envelope], receipts: [forged] })
    await stillWorks()
    expect(await has(ben, cid)).to.equal(true)
    expect(ben.services.contingency.status().wards.map(({ peerId, complete }) => [String(peerId), complete])).to.deep.include([nameOf(ada), true])
  })

  it('breaks off with who says what is no message, or what nobody signed, and goes on with others', async () => {
    await colony()
    const assignment = await liar.assign([ben], [])
    const bad = assignment.envelope.map((byte, i) => i === assignment.envelope.length - 1 ? byte ^ 1 : byte)
    const says: Array<() => Promise<{ status: string }>> = [
      async () => liar.send(ben, new Uint8Array(100).fill(0xc1)),
      async () => liar.send(ben, new Uint8Array(40_000)),
      async () => liar.sayRaw(ben, { type: 'hello' }),
      async () => liar.sayRaw(ben, { type: 'accept', ward: liar.id, epoch: 2 ** 53, quota: 0 }),
      async () => liar.sayRaw(ben, { type: 'offer', appointment: [bad], sources: [], urgent: true }),
      async () => liar.say(ben, { type: 'accept', ward: liar.id, epoch: 2 ** 52 + 2, quota: 0 })
    ]

    for (const say of says) {
      const stream = await say()
      await until(() => stream.status === 'reset' || stream.status === 'aborted')
    }

    expect(wardAt(ben)).to.equal(undefined)
    await stillWorks()
  })

  it('takes the highest epoch there is, and refuses all below', async () => {
    await colony()
    await liar.say(ben, offer({ assignment: await liar.assign([ben], [], { epoch: 2 ** 52 }) }))
    await until(() => wardAt(ben)?.complete === true)
    await liar.say(ben, offer({ assignment: await liar.assign([ben], [entryOf('a')], { epoch: 2 ** 52 - 1 }) }))
    await until(() => heard('refuse').some(({ reason }) => reason === 'stale'))
    await stillWorks()
  })

  it('does not listen to who says more than there can be to say', async () => {
    await colony()
    const message = offer({ assignment: await liar.assign([ben], []) })
    const body = Array.from({ length: 3_000 }, () => message)
    const stream = await liar.say(ben, ...body)
    await until(() => stream.status === 'reset' || stream.status === 'aborted')
    await stillWorks()
  })

  it('is not held up by who never ends a message', async () => {
    await colony()
    const streams = await Promise.all([1, 2, 3, 4].map(async () => liar.node.dialProtocol(ben.getMultiaddrs(), PROTOCOL)))
    streams.forEach(stream => stream.send(encodeFrame(new Uint8Array(1000)).subarray(0, 500)))
    await stillWorks()
    expect(streams.map(({ writeStatus }) => writeStatus)).to.deep.equal(['writable', 'writable', 'writable', 'writable'])
  })

  it('keeps no more than the last of a ward that changes all the time', async () => {
    await colony()
    const before = (await contentsOf(ben)).length
    const epochs = 40

    for (let epoch = 1; epoch <= epochs; epoch++) {
      const content = bytesOf(300_000, epoch)
      const entry = await shareBytes(liar.node, content, `film ${epoch}`)
      const assignment = await liar.assign([ben], [entryOf(`film ${epoch}`, { cid: entry.cid, size: entry.size })], { epoch })
      await liar.say(ben, offer({ assignment }))

      if (epoch % 10 === 0) {
        await until(() => wardAt(ben)?.complete === true)
      }
    }

    // a root, a page and a film
    await until(async () => (await contentsOf(ben)).length === before + 3)
    expect(wardAt(ben)).to.include({ bytes: 300_000, complete: true })
    await stillWorks()
  })

  it('keeps nothing of what was given up half-way', async () => {
    await colony()
    const before = (await contentsOf(ben)).length
    const films = await Promise.all([1, 2, 3].map(async i => shareBytes(liar.node, bytesOf(300_000, i), `film ${i}`)))

    for (const [i, { name, cid, size }] of films.entries()) {
      // nobody has the second, so there is no end to it
      const items = [entryOf(name, { cid, size }), entryOf('lost', { cid: cidOf('lost'), size: 1 })]
      await liar.say(ben, offer({ assignment: await liar.assign([ben], items, { epoch: i + 1 }) }))
      await until(async () => has(ben, cid))
    }

    await liar.say(ben, offer({ assignment: await liar.assign([ben], [entryOf('film 3', { cid: films[2].cid, size: films[2].size })], { epoch: 9 }) }))
    await until(() => wardAt(ben)?.complete === true)
    // a root, a page and a film
    await until(async () => (await contentsOf(ben)).length === before + 3)
    expect(await Promise.all(films.map(async ({ cid }) => has(ben, cid)))).to.deep.equal([false, false, true])
  })

  it('is not filled by sizes that are lies', async () => {
    await colony({}, { room: 3 * MIB })
    const film = await shareBytes(liar.node, bytesOf(20 * MIB), 'film')
    const items = [entryOf('film', { cid: film.cid, size: 2 * MIB })]
    await liar.say(ben, offer({ assignment: await liar.assign([ben], items) }))
    await until(() => heard('accept').length > 0)
    await liar.say(ben, offer({ assignment: await liar.assign([ben], [entryOf('b', { cid: (await shareBytes(liar.node, bytesOf(10), 'b')).cid, size: 10 })], { epoch: 2, size: 0 }) }))
    await until(() => wardAt(ben)?.complete === true)
    // nothing fits into the nothing that it asked for
    expect(wardAt(ben)?.bytes).to.be.at.most(10)
    expect(await has(ben, film.cid)).to.equal(false)
    expect(ben.services.contingency.status().used).to.be.at.most(3 * MIB)
  })

  it('takes no snapshot that is none, and none of which there is nothing', async () => {
    await colony()
    const share = async (name: string, content: Uint8Array): Promise<{ root: string, rootSize: number }> => ({ root: String((await shareBytes(liar.node, content, name)).cid), rootSize: content.byteLength })
    const roots = [
      await share('garbage', bytesOf(1000)),
      await share('large', bytesOf(MIB)),
      await share('lie', bytesOf(50)),
      { root: String(cidOf('nothing')), rootSize: 50 }
    ]
    roots[2].rootSize = 20

    for (const [i, root] of roots.entries()) {
      await liar.say(ben, offer({ assignment: await liar.seals.assignment({ ward: liar.id, epoch: i + 1, contingents: [nameOf(ben)], size: 2 ** 53 - 1, ...root }) }))
    }

    await until(() => heard('accept').length > 0)
    expect(wardAt(ben)?.complete).to.equal(false)
    // whoever wants everything gets no more than there is
    expect(ben.services.contingency.status().used).to.be.at.most(1024 * MIB)
    await liar.say(ben, offer({ assignment: await liar.assign([ben], [], { epoch: 9 }) }))
    await until(() => wardAt(ben)?.complete === true)
  })

  it('keeps what there is of a ward of which something is nowhere', async () => {
    await colony()
    const there = await shareBytes(liar.node, bytesOf(2000, 5), 'there')
    const items = [entryOf('lost', { cid: cidOf('lost'), size: 1 }), entryOf('there', { cid: there.cid, size: there.size })]
    await liar.say(ben, offer({ assignment: await liar.assign([ben], items) }))
    await until(async () => has(ben, there.cid))
    expect(wardAt(ben)?.complete).to.equal(false)
    expect(heard('receipt')).to.deep.equal([])
  })

  it('says what is at risk when contingents have too little room', async () => {
    await colony({ room: 0 }, { room: 50_000 })
    const [small] = [await shareBytes(ada, bytesOf(20_000, 3), 'small'), await shareBytes(ada, bytesOf(80_000, 5), 'large')]
    await until(() => ada.services.contingency.copiesOf(small.cid) === 1)
    expect(ada.services.contingency.status()).to.deep.include({ state: 'partly', items: 2, atRisk: { items: 1, bytes: 80_000 } })
    expect(ben.services.contingency.status()).to.include({ room: 50_000, used: 50_000 })
    expect(await has(ben, small.cid)).to.equal(true)
    // who offers nothing is asked for nothing
    expect(ada.services.contingency.status().wards).to.deep.equal([])
  })

  it('refuses when the disk is full, and its own things stay', async () => {
    await colony({}, { store: memoryStore({ limit: 100_000 }) })
    const own = await shareBytes(ben, bytesOf(50_000, 3), 'own')
    await shareBytes(ada, bytesOf(80_000, 5), 'large')
    await until(() => heard('offer').length > 0)
    await until(() => ada.services.contingency.status().contingents.every(({ peerId }) => !peerId.equals(ben.peerId)))
    await until(() => ben.services.contingency.status().wards.length === 0)
    expect(ben.services.catalog.has(own.cid)).to.equal(true)
    expect(ada.services.contingency.status()).to.deep.include({ state: 'unprotected', items: 1 })
  })

  it('takes nothing from who serves garbage, and finds the rest elsewhere', async () => {
    await colony()
    const films = await Promise.all([1, 2, 3].map(async i => shareBytes(ada, bytesOf(400_000, i), `film ${i}`)))
    await until(() => ben.services.contingency.status().wards.some(({ complete }) => complete) && heard('offer').length > 0)
    const { assignment } = heard('offer').at(-1)?.appointment as Appointment
    await crash(ada)
    // a connection that is about to break would be used again
    await until(() => [ben, liar.node].every(peer => peer.services.membership.get(ada.peerId)?.state !== 'alive'))
    await liar.node.unhandle(transferProtocol('formicary'))
    await liar.node.handle(transferProtocol('formicary'), stream => { stream.send(crypto.getRandomValues(new Uint8Array(5000))) })
    ada = await makeWard({ privateKey: keys[0] })
    nodes.push(ada)
    await together(ada, ben, liar.node)
    await liar.say(ada, { type: 'keep', appointment: { assignment } })
    expect(await ada.services.contingency.recover()).to.deep.include({ entries: 3, missing: [] })
    expect(films.every(({ cid }) => ada.services.catalog.has(cid))).to.equal(true)
  })
})
