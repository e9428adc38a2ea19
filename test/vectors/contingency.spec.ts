import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { base16 } from 'multiformats/bases/base16'
import { encodeMessage, parseMessage } from '../../src/contingency/codec.ts'
import { MAX_MESSAGE_SIZE } from '../../src/contingency/constants.ts'
import { Seals } from '../../src/contingency/sealed.ts'
import { decodeValue } from '../../src/wire/channel.ts'
import { encodeFrame, FrameDecoder } from '../../src/wire/frame.ts'
import file from './contingency.json' with { type: 'json' }
import type { AnyMessage } from '../../src/contingency/codec.ts'
import type { Takeover } from '../../src/contingency/core/messages.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

const { baseDecode: bytesOf, baseEncode: hexOf } = base16

const TYPES: Array<AnyMessage['type']> = ['offer', 'accept', 'refuse', 'receipt', 'keep', 'leaving', 'release', 'released', 'challenge', 'proof']

/** A message as it stands in the file, with bytes as hex. */
function toJSON (message: unknown): unknown {
  return JSON.parse(JSON.stringify(message, (_key, value: unknown) => value instanceof Uint8Array ? hexOf(value) : value))
}

describe('contingency: every message of version 1.0.0', () => {
  const { vectors } = file
  let seals: Seals[]

  before(async () => {
    seals = await Promise.all(file.seeds.map(async seed => new Seals(await generateKeyPairFromSeed('Ed25519', bytesOf(seed)), 'formicary')))
  })

  /** Reads frames the way a line does, and checks what is signed. */
  async function read (frames: Uint8Array | Uint8ArrayList): Promise<unknown[]> {
    const bodies = [...new FrameDecoder(MAX_MESSAGE_SIZE).push(frames)]

    return Promise.all(bodies.map(async body => parseMessage(decodeValue(body), seals[0])()))
  }

  it('is read as it was written, and its signatures are right', async () => {
    for (const { what, bytes, message } of vectors) {
      expect((await read(bytesOf(bytes))).map(toJSON), what).to.deep.equal([message])
    }

    expect(new Set(vectors.map(({ message }) => message.type))).to.deep.equal(new Set(TYPES))
  })

  it('is written to the same bytes', async () => {
    for (const { what, bytes } of vectors) {
      const [message] = await read(bytesOf(bytes))
      const written = encodeFrame(await encodeMessage(message as AnyMessage, seals[0]))
      expect(hexOf(written.subarray()), what).to.equal(bytes)
    }
  })

  it('is read from any MessagePack that says the same', async () => {
    for (const { what, bytes, message } of vectors) {
      const fields = Object.entries(decodeValue(bytesOf(bytes).subarray(4)) as object)
      const other = encodeFrame(encode(Object.fromEntries([['unknown', 1], ...fields.reverse()])))
      expect((await read(other)).map(toJSON), what).to.deep.equal([message])
    }
  })

  it('is found in a stream that arrives byte by byte', async () => {
    const frames = new FrameDecoder(MAX_MESSAGE_SIZE)
    const stream = bytesOf(vectors.map(({ bytes }) => bytes).join(''))
    const bodies = Array.from(stream, byte => [...frames.push(Uint8Array.of(byte))]).flat()
    const messages = await Promise.all(bodies.map(async body => parseMessage(decodeValue(body), seals[0])()))
    expect(messages.map(toJSON)).to.deep.equal(vectors.map(({ message }) => message))
    expect(frames.pending).to.equal(0)
  })

  it('is signed to the same bytes by the same keys', async () => {
    const messages = await Promise.all(vectors.map(async ({ bytes }) => (await read(bytesOf(bytes)))[0] as AnyMessage))
    const { assignment, takeover } = messages.flatMap(message => message.type === 'offer' && message.urgent ? message.appointment : [])[0]
    const [receipt] = messages.flatMap(message => message.type === 'receipt' ? message.receipt : [])

    expect(await seals[0].assignment(assignment)).to.deep.equal(assignment)
    expect(await seals[1].takeover(takeover as Takeover)).to.deep.equal(takeover)
    expect(await seals[2].receipt(receipt)).to.deep.equal(receipt)
  })
})
