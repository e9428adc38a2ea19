import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { base16 } from 'multiformats/bases/base16'
import { encodeMessage, parseMessage } from '../../src/membership/codec.ts'
import { readClaim, readRecord, sealClaim, sealRecord } from '../../src/membership/record.ts'
import { decodeValue } from '../../src/wire/channel.ts'
import file from './membership.json' with { type: 'json' }
import type { WireMessage } from '../../src/membership/codec.ts'
import type { Message, News } from '../../src/membership/core/messages.ts'

interface Vectors {
  records: Array<{ envelope: string, record: object }>
  claims: Array<{ envelope: string, claim: object }>
  messages: Array<{ what: string, type: WireMessage['type'], bytes: string }>
}

const NETWORK = 'films'
const TYPES = ['hello', 'ping', 'ack', 'gossip', 'probe', 'report', 'sync', 'versions', 'want', 'bye']

function bytesOf (hex: string): Uint8Array {
  return base16.baseDecode(hex)
}

/** With bytes as hex, and without what is not there. */
function toJSON (value: object): unknown {
  return JSON.parse(JSON.stringify(value, (_key, item: unknown) => item instanceof Uint8Array ? base16.baseEncode(item) : item))
}

/** What was read, as it would be sent again. */
function open (message: WireMessage): Message | { type: 'bye' } {
  if (message.type === 'hello') {
    return { type: 'hello', signed: readRecord(message.record, NETWORK).value }
  }

  if (!('news' in message)) {
    return message
  }

  const { records, claims, doubts } = message.news
  const news: News[] = [
    ...records.map(bytes => ({ type: 'record' as const, signed: readRecord(bytes, NETWORK).value })),
    ...claims.map(bytes => ({ type: 'claim' as const, claim: readClaim(bytes, NETWORK).value })),
    ...doubts.map(doubt => ({ type: 'doubt' as const, doubt }))
  ]

  return { ...message, news }
}

describe('membership: version 1.0.0', () => {
  const vectors = file as Vectors

  it('reads every record and claim, and knows their signatures', async () => {
    for (const { envelope, record } of vectors.records) {
      const { value, check } = readRecord(bytesOf(envelope), NETWORK)
      expect(toJSON(value.record)).to.deep.equal({ light: false, hidden: false, left: false, ...record })
      expect(await check()).to.equal(true)
      expect(await readRecord(bytesOf(envelope), 'others').check()).to.equal(false)
    }

    for (const { envelope, claim } of vectors.claims) {
      const { value, check } = readClaim(bytesOf(envelope), NETWORK)
      expect(value).to.deep.include(claim)
      expect(await check()).to.equal(true)
    }
  })

  it('writes what is seldom so only where it is so', async () => {
    const key = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(9))
    const card = { epoch: 1, counter: 0, name: '', addresses: [], roles: [], storage: 0, digest: 0 }
    const plain = await sealRecord(card, key, NETWORK)
    expect((await sealRecord({ ...card, hidden: false }, key, NETWORK)).envelope).to.deep.equal(plain.envelope)
    expect((await sealRecord({ ...card, hidden: true }, key, NETWORK)).envelope).to.not.deep.equal(plain.envelope)
    const said = { target: plain.record.peer, epoch: 1, counter: 0 }
    expect((await sealClaim({ ...said, broken: false }, key, NETWORK)).envelope).to.deep.equal((await sealClaim(said, key, NETWORK)).envelope)
  })

  it('takes no claim for a record, and no record for a claim', () => {
    expect(() => readRecord(bytesOf(vectors.claims[0].envelope), NETWORK)).to.throw(TypeError)
    expect(() => readClaim(bytesOf(vectors.records[0].envelope), NETWORK)).to.throw(TypeError)
  })

  it('reads every message, and writes it to the same bytes', () => {
    for (const { what, type, bytes } of vectors.messages) {
      const message = parseMessage(decodeValue(bytesOf(bytes)))
      expect(message.type, what).to.equal(type)
      expect(base16.baseEncode(encodeMessage(open(message))), what).to.equal(bytes)
    }

    expect(vectors.messages.map(({ type }) => type)).to.have.members(TYPES)
  })
})
