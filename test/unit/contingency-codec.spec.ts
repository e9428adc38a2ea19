import { generateKeyPair } from '@libp2p/crypto/keys'
import { RecordEnvelope } from '@libp2p/peer-record'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { decode, encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { CID } from 'multiformats/cid'
import { encodeMessage, MAX_CHALLENGE, parseMessage } from '../../src/contingency/codec.ts'
import { MAX_GENERATION, MAX_MESSAGE_SIZE, MAX_ROOT_SIZE } from '../../src/contingency/constants.ts'
import { MAX_CONTINGENTS, MAX_ENVELOPE_SIZE, Seals } from '../../src/contingency/sealed.ts'
import { seededRandom } from '../../src/random.ts'
import { cidOf } from '../fixtures/items.ts'
import type { AnyMessage } from '../../src/contingency/codec.ts'
import type { Assignment, Receipt, Takeover } from '../../src/contingency/core/messages.ts'
import type { PrivateKey } from '@libp2p/interface'

const ROOT = String(cidOf('root'))
const NONCE = new Uint8Array(16).fill(7)

interface Signer { key: PrivateKey, id: string, seals: Seals }

type Fields = Record<string, unknown>

describe('contingency: codec', () => {
  let ada: Signer
  let ben: Signer
  let cleo: Signer
  let crowd: string[]
  let assignment: Assignment
  let takeover: Takeover
  let receipt: Receipt & { envelope: Uint8Array }

  before(async () => {
    [ada, ben, cleo] = await Promise.all([1, 2, 3].map(async () => {
      const key = await generateKeyPair('Ed25519')

      return { key, id: String(peerIdFromPrivateKey(key)), seals: new Seals(key, 'formicary') }
    }))
    crowd = await Promise.all(Array.from({ length: MAX_CONTINGENTS + 1 }, async () => String(peerIdFromPrivateKey(await generateKeyPair('Ed25519')))))
    assignment = await ada.seals.assignment({ ward: ada.id, epoch: 7, contingents: [ben.id], root: ROOT, rootSize: 100, size: 5 })
    takeover = await ben.seals.takeover({ ward: ada.id, epoch: 7, generation: 1, by: ben.id, contingents: [cleo.id] })
    receipt = await cleo.seals.receipt({ by: cleo.id, ward: ada.id, epoch: 7, root: ROOT, quota: 5 })
  })

  /** What a peer makes of a map that another has sent; `undefined` if a signature is wrong. */
  async function read (fields: unknown, seals = cleo.seals): Promise<AnyMessage | undefined> {
    return parseMessage(decode(encode(fields, { ignoreUndefined: true })), seals)()
  }

  /** One of each message, as fields that are sent. */
  function valid (): Record<string, Fields> {
    const appointment = [assignment.envelope, takeover.envelope]
    const about = { ward: ada.id, epoch: 7 }

    return {
      offer: { type: 'offer', appointment, sources: [ben.id], urgent: true },
      accept: { type: 'accept', ...about, quota: 5 },
      refuse: { type: 'refuse', ...about, reason: 'stale', appointment },
      receipt: { type: 'receipt', receipt: receipt.envelope },
      keep: { type: 'keep', appointment, held: assignment.envelope },
      leaving: { type: 'leaving', ...about },
      release: { type: 'release', appointment, receipts: [receipt.envelope] },
      released: { type: 'released', ...about },
      challenge: { type: 'challenge', id: 1, cid: CID.parse(ROOT).bytes, offset: 0, length: MAX_CHALLENGE, nonce: NONCE },
      proof: { type: 'proof', id: 1, digest: new Uint8Array(32) }
    }
  }

  /** Seals what a peer with a library of its own could seal. */
  async function seal (signer: Signer, kind: 'assignment' | 'takeover' | 'receipt', payload: unknown, network = 'formicary'): Promise<Uint8Array> {
    const codec = Uint8Array.of(0x46, { assignment: 3, takeover: 4, receipt: 5 }[kind])
    const envelope = await RecordEnvelope.seal({ domain: `formicary/${network}/contingency/${kind}`, codec, marshal: () => encode(payload), equals: () => false }, signer.key)

    return envelope.marshal()
  }

  async function refused (fields: unknown, what?: string): Promise<void> {
    const error = await read(fields).then(message => message, (err: unknown) => err)
    expect(error, what ?? JSON.stringify(fields)).to.be.an.instanceOf(Error)
  }

  it('reads what it writes, and no message is larger than it may be', async () => {
    for (const [type, fields] of Object.entries(valid())) {
      const message = await read(fields)
      expect(message, type).to.have.property('type', type)
      const bytes = await encodeMessage(message as AnyMessage, cleo.seals)
      expect(await parseMessage(decode(bytes), cleo.seals)()).to.deep.equal(message)
    }

    const crowded = await ada.seals.assignment({ ...assignment, contingents: crowd.slice(1) })
    expect((await encodeMessage({ type: 'offer', appointment: { assignment: crowded, takeover }, sources: crowd.slice(1), urgent: true }, ada.seals)).byteLength).to.be.below(MAX_MESSAGE_SIZE)
    expect(crowded.envelope.byteLength).to.be.below(MAX_ENVELOPE_SIZE)
    expect(receipt.envelope.byteLength * MAX_CONTINGENTS).to.be.below(MAX_MESSAGE_SIZE / 2)
  })

  it('signs a receipt only when it is sent', async () => {
    const { envelope, ...plain } = receipt
    const bytes = await encodeMessage({ type: 'receipt', receipt: plain }, cleo.seals)
    expect(await parseMessage(decode(bytes), ada.seals)()).to.deep.equal({ type: 'receipt', receipt: { ...plain, envelope } })
  })

  /** Values that no field takes. */
  const NOTHINGS: unknown[] = [null, true, -1, 0.5, Number.MAX_SAFE_INTEGER + 2, NaN, Infinity, '', 'x'.repeat(1000), [], [[]], {}, { length: 3 }, new Uint8Array(0), new Uint8Array(5000)]

  it('refuses anything that is not a message', async () => {
    for (const value of [...NOTHINGS, { type: 'welcome' }, { type: ['offer'] }, { type: { toString: 'offer' } }, [valid().offer]]) {
      await refused(value)
    }
  })

  /** Fields that may be left out, and what they can be beside. */
  const OPTIONAL: Record<string, unknown[]> = { 'refuse.appointment': [null], 'keep.held': [null], 'proof.digest': [null], 'offer.sources': [[]], 'release.receipts': [[]] }

  it('refuses each message in which one field is of another type, missing, or beyond its limits', async () => {
    for (const [type, fields] of Object.entries(valid())) {
      // `urgent` is either true or it is not
      for (const name of Object.keys(fields).filter(name => name !== 'type' && name !== 'urgent')) {
        const allowed = OPTIONAL[`${type}.${name}`] ?? []

        for (const value of [...NOTHINGS, undefined].filter(value => !allowed.some(other => JSON.stringify(other) === JSON.stringify(value ?? null)))) {
          await refused({ ...fields, [name]: value }, `${type}.${name} = ${String(value)}`)
        }
      }
    }
  })

  it('refuses numbers at the far end, and lists that are too long', async () => {
    const { offer, accept, release, challenge, proof, refuse } = valid()
    const cases: Array<[string, Fields]> = [
      ['an epoch with none above it', { ...accept, epoch: 2 ** 52 + 1 }],
      ['the highest of all epochs', { ...accept, epoch: Number.MAX_SAFE_INTEGER }],
      ['an epoch of 64 bits', { ...accept, epoch: 2 ** 64 }],
      ['an epoch as text', { ...accept, epoch: '7' }],
      ['a negative quota', { ...accept, quota: -1 }],
      ['a quota beyond what can be counted', { ...accept, quota: 2 ** 53 }],
      ['a ward in another base', { ...accept, ward: `z${ada.id}` }],
      ['a ward as a CID', { ...accept, ward: String(peerIdFromPrivateKey(ada.key).toCID()) }],
      ['a challenge that is too long', { ...challenge, length: MAX_CHALLENGE + 1 }],
      ['a challenge at a negative offset', { ...challenge, offset: -1 }],
      ['a short nonce', { ...challenge, nonce: NONCE.subarray(1) }],
      ['a CID with something behind it', { ...challenge, cid: new Uint8Array([...CID.parse(ROOT).bytes, 0]) }],
      ['half a digest', { ...proof, digest: new Uint8Array(16) }],
      ['too many sources', { ...offer, sources: crowd }],
      ['a source twice', { ...offer, sources: [ben.id, ben.id] }],
      ['three envelopes', { ...offer, appointment: [assignment.envelope, takeover.envelope, takeover.envelope] }],
      ['too many receipts', { ...release, receipts: Array.from({ length: MAX_CONTINGENTS + 1 }, () => receipt.envelope) }],
      ['a reason that is none', { ...refuse, reason: 'tired' }]
    ]

    for (const [what, fields] of cases) {
      await refused(fields, what)
    }
  })

  it('refuses an envelope with something else in it', async () => {
    const { offer, keep, receipt: received } = valid()
    const cases: Array<[string, Fields]> = [
      ['a receipt for an assignment', { ...offer, appointment: [receipt.envelope] }],
      ['a takeover for an assignment', { ...offer, appointment: [takeover.envelope] }],
      ['an assignment for a takeover', { ...offer, appointment: [assignment.envelope, assignment.envelope] }],
      ['an assignment for a receipt', { ...received, receipt: assignment.envelope }],
      ['a takeover for what is held', { ...keep, held: takeover.envelope }],
      ['an envelope cut short', { ...offer, appointment: [assignment.envelope.subarray(0, -10)] }],
      ['no envelope at all', { ...offer, appointment: [new Uint8Array(100).fill(0xff)] }]
    ]

    for (const [what, fields] of cases) {
      await refused(fields, what)
    }
  })

  it('refuses what is signed and makes no sense', async () => {
    const root = CID.parse(ROOT).bytes
    const good = { epoch: 7, contingents: [ben.id], root, rootSize: 100, size: 5 }
    const assignments: unknown[] = [
      'no map',
      { ...good, epoch: -1 },
      { ...good, epoch: 2 ** 52 + 1 },
      { ...good, contingents: crowd },
      { ...good, contingents: [ben.id, ben.id] },
      { ...good, contingents: ['ben'] },
      { ...good, contingents: ben.id },
      { ...good, root: ROOT },
      { ...good, root: root.subarray(1) },
      { ...good, rootSize: 0 },
      { ...good, rootSize: MAX_ROOT_SIZE + 1 },
      { ...good, size: 2 ** 53 },
      { ...good, size: -1 }
    ]

    for (const payload of assignments) {
      await refused({ ...valid().offer, appointment: [await seal(ada, 'assignment', payload)] }, `assignment ${JSON.stringify(payload)}`)
    }

    for (const generation of [0, -1, 1.5, MAX_GENERATION + 1, 'first']) {
      const bad = await seal(ben, 'takeover', { ward: ada.id, epoch: 7, generation, contingents: [cleo.id] })
      await refused({ ...valid().offer, appointment: [assignment.envelope, bad] }, `generation ${generation}`)
    }

    for (const payload of [{ ward: ada.id, epoch: 7, root, quota: -1 }, { ward: 'ada', epoch: 7, root, quota: 1 }, { ward: ada.id, epoch: 7, root: NONCE, quota: 1 }, [ada.id]]) {
      await refused({ ...valid().receipt, receipt: await seal(cleo, 'receipt', payload) }, `receipt ${JSON.stringify(payload)}`)
    }

    expect(await read({ ...valid().offer, appointment: [await seal(ada, 'assignment', good)] })).to.have.property('type', 'offer')
  })

  it('refuses parts that are not about one ward', async () => {
    const { offer, keep, refuse } = valid()
    const ofCleo = await cleo.seals.assignment({ ...assignment, ward: cleo.id })
    const laterEpoch = await ben.seals.takeover({ ...takeover, epoch: 8 })
    const otherWard = await ben.seals.takeover({ ...takeover, ward: cleo.id })
    const cases: Array<[string, Fields]> = [
      ['a takeover of another epoch', { ...offer, appointment: [assignment.envelope, laterEpoch.envelope] }],
      ['a takeover of another ward', { ...offer, appointment: [assignment.envelope, otherWard.envelope] }],
      ['something of another ward that is held', { ...keep, held: ofCleo.envelope }],
      ['a refusal with an appointment of another ward', { ...refuse, appointment: [ofCleo.envelope] }]
    ]

    for (const [what, fields] of cases) {
      await refused(fields, what)
    }
  })

  it('finds out that a signature is wrong, wherever it is', async () => {
    const spoiled = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => i === bytes.length - 1 ? byte ^ 1 : byte)
    const { offer, keep, refuse, release } = valid()
    const [a, t, r] = [spoiled(assignment.envelope), spoiled(takeover.envelope), spoiled(receipt.envelope)]
    const cases: Array<[string, Fields]> = [
      ['offer', { ...offer, appointment: [a, takeover.envelope] }],
      ['offer', { ...offer, appointment: [assignment.envelope, t] }],
      ['keep', { ...keep, appointment: [a] }],
      ['keep', { ...keep, held: a }],
      ['refuse', { ...refuse, appointment: [assignment.envelope, t] }],
      ['release', { ...release, appointment: [a] }],
      ['release', { ...release, receipts: [receipt.envelope, r] }],
      ['receipt', { type: 'receipt', receipt: r }]
    ]

    for (const [what, fields] of cases) {
      expect(await read(fields), what).to.equal(undefined)
    }
  })

  it('takes nothing that was said in another colony, or as something else', async () => {
    const payload = { epoch: 7, contingents: [ben.id], root: CID.parse(ROOT).bytes, rootSize: 100, size: 5 }
    expect(await read(valid().offer, new Seals(cleo.key, 'other'))).to.equal(undefined)
    expect(await read({ ...valid().offer, appointment: [await seal(ada, 'assignment', payload, 'other')] })).to.equal(undefined)

    // signed for a domain of another kind
    const other = await RecordEnvelope.seal({ domain: 'formicary/formicary/contingency/receipt', codec: Uint8Array.of(0x46, 3), marshal: () => encode(payload), equals: () => false }, ada.key)
    expect(await read({ ...valid().offer, appointment: [other.marshal()] })).to.equal(undefined)
  })

  it('takes nothing else from an envelope in which a bit was changed', async () => {
    const random = seededRandom(5)
    const { envelope: _, ...said } = assignment
    let taken = 0

    for (let i = 0; i < 300; i++) {
      const at = Math.floor(random() * assignment.envelope.byteLength)
      const bytes = assignment.envelope.map((byte, j) => j === at ? byte ^ (1 << Math.floor(random() * 8)) : byte)
      const message = await read({ ...valid().offer, appointment: [bytes] }).catch(() => undefined)

      // a bit of the envelope itself may mean nothing
      if (message != null) {
        expect((message as Extract<AnyMessage, { type: 'offer' }>).appointment.assignment).to.deep.equal({ ...said, envelope: bytes })
        taken++
      }
    }

    expect(taken).to.be.below(30)
  })

  it('reads anything, and throws nothing but errors', async () => {
    const random = seededRandom(6)
    const messages = Object.values(valid()).map(fields => encode(fields))

    for (let i = 0; i < 2_000; i++) {
      const bytes = messages[i % messages.length].slice()

      for (let flips = 1 + Math.floor(random() * 3); flips > 0; flips--) {
        bytes[Math.floor(random() * bytes.byteLength)] = Math.floor(random() * 256)
      }

      const message = await (async () => parseMessage(decode(bytes), cleo.seals)())().catch((err: unknown) => err)
      const isError = message === undefined || message instanceof Error
      expect(isError || (message as AnyMessage).type in valid()).to.equal(true)
    }
  })

  it('keeps no more of a message than the envelopes', async () => {
    const body = encode(valid().offer)
    const message = await parseMessage(decode(body), cleo.seals)()
    const { appointment } = message as Extract<AnyMessage, { type: 'offer' }>
    expect(appointment.assignment.envelope.buffer.byteLength).to.equal(assignment.envelope.byteLength)
  })
})
