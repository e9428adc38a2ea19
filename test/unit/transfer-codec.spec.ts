import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { Uint8ArrayList } from 'uint8arraylist'
import { seededRandom } from '../../src/random.ts'
import { copyBytes, decodeMessage, encodeBlock, encodeMessage } from '../../src/transfer/codec.ts'
import { BLOCK_SIZE, MAX_MESSAGE_SIZE } from '../../src/transfer/constants.ts'
import { parseMessage } from '../../src/transfer/core/messages.ts'
import { HEADER_SIZE } from '../../src/wire/frame.ts'
import type { AnyMessage } from '../../src/transfer/core/messages.ts'

const HEAD_SIZE = 41
const ROOT = new Uint8Array(36).fill(3)

/** A frame without its header, which must tell its length. */
function bodyOf (frame: Uint8Array): Uint8Array {
  expect(new DataView(frame.buffer, frame.byteOffset).getUint32(0)).to.equal(frame.byteLength - HEADER_SIZE)

  return frame.subarray(HEADER_SIZE)
}

function bodyOfBlock (piece: number, begin: number, bytes: Uint8Array): Uint8Array {
  return bodyOf(new Uint8ArrayList(...encodeBlock(piece, begin, bytes)).subarray())
}

/** A message as it is read, with the bytes of a block in one part. */
function read (...parts: Uint8Array[]): AnyMessage {
  const message = parseMessage(decodeMessage(new Uint8ArrayList(...parts)))

  return message.type === 'block' ? { ...message, bytes: Uint8Array.from((message.bytes as Uint8Array | Uint8ArrayList).subarray()) } : message
}

const messages: AnyMessage[] = [
  { type: 'hello', root: ROOT, have: 'all', size: 2 ** 40 },
  { type: 'hello', root: ROOT, have: 'none', size: undefined },
  { type: 'hello', root: ROOT, have: new Uint8Array(131_072).fill(0xff), size: 0 },
  { type: 'have', piece: 1_048_575 },
  { type: 'interested' },
  { type: 'not-interested' },
  { type: 'choke' },
  { type: 'unchoke' },
  { type: 'request', piece: 1_048_575, begin: 0, length: 1_048_576 },
  { type: 'reject', piece: 7, begin: 65_536, length: 0 },
  { type: 'cancel', piece: 0, begin: 1_048_576, length: 0 },
  { type: 'block', piece: 3, begin: 65_536, bytes: Uint8Array.of(1, 2, 3) },
  { type: 'manifest', cid: ROOT },
  { type: 'node', cid: ROOT, bytes: new Uint8Array(65_536).fill(9) },
  { type: 'node', cid: ROOT, bytes: undefined },
  { type: 'end' }
]

describe('transfer: codec', () => {
  for (const message of messages) {
    it(`reads the ${message.type} it writes`, () => {
      const body = bodyOf(encodeMessage(message))

      expect(read(body)).to.deep.equal(message)
      expect(body.byteLength).to.be.at.most(MAX_MESSAGE_SIZE)
    })
  }

  it('does not write over a frame when it writes the next', () => {
    const first = encodeMessage({ type: 'have', piece: 1 })
    encodeMessage({ type: 'have', piece: 2 })

    expect(read(bodyOf(first))).to.deep.equal({ type: 'have', piece: 1 })
  })

  const blocks: Array<[piece: number, begin: number, length: number]> = [
    [0, 0, 0], [0, 0, 1], [1, 65_536, BLOCK_SIZE - 1], [127, 128, 200], [255, 256, 300], [65_535, 65_536, BLOCK_SIZE], [1_048_575, 983_040, BLOCK_SIZE]
  ]

  for (const [piece, begin, length] of blocks) {
    it(`writes ${length} bytes at ${begin} of piece ${piece} as MessagePack, without a copy`, () => {
      const bytes = new Uint8Array(length).fill(0x84)
      const message = { type: 'block' as const, piece, begin, bytes }

      expect(encodeBlock(piece, begin, bytes)[1]).to.equal(bytes)
      expect(read(bodyOfBlock(piece, begin, bytes))).to.deep.equal(message)
      // anybody's MessagePack is read as well, whatever lengths its numbers have
      expect(read(encode(message))).to.deep.equal(message)
      expect(read(encode({ bytes, begin, piece, type: 'block' }))).to.deep.equal(message)
    })
  }

  it('reads a block however it is cut, and leaves its bytes where they are', () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i)
    const body = bodyOfBlock(5, 65_536, bytes)

    for (let cut = 0; cut <= HEAD_SIZE + 10; cut++) {
      expect(read(body.subarray(0, cut), body.subarray(cut)), `cut at ${cut}`).to.deep.equal({ type: 'block', piece: 5, begin: 65_536, bytes })
    }

    const { bytes: left } = decodeMessage(new Uint8ArrayList(body.subarray(0, 500), body.subarray(500))) as { bytes: Uint8ArrayList }
    expect([...left].map(part => part.buffer)).to.deep.equal([body.buffer, body.buffer])
  })

  it('reads no block whose head and length do not agree', () => {
    const body = bodyOfBlock(1, 0, new Uint8Array(100))

    expect(() => read(body.subarray(0, body.byteLength - 1))).to.throw()
    expect(() => read(body, Uint8Array.of(0))).to.throw()
    expect(() => read(body.subarray(0, HEAD_SIZE - 1))).to.throw()
  })

  it('refuses a block that is too long, or whose numbers no content has', () => {
    expect(() => read(bodyOfBlock(0, 0, new Uint8Array(BLOCK_SIZE + 1)))).to.throw(TypeError, 'bytes')
    expect(() => read(bodyOfBlock(1_048_576, 0, new Uint8Array(1)))).to.throw(TypeError, 'piece')
    expect(() => read(bodyOfBlock(0, 1_048_577, new Uint8Array(1)))).to.throw(TypeError, 'begin')
  })

  it('reads a spoiled message as what it says, or not at all', () => {
    const random = seededRandom(7)
    const bodies = [...messages.map(message => bodyOf(encodeMessage(message))), bodyOfBlock(5, 65_536, new Uint8Array(200))]
    let refused = 0

    for (const body of bodies) {
      for (let i = 0; i < 300; i++) {
        const spoiled = Uint8Array.from(body)
        spoiled[Math.floor(random() * Math.min(60, body.byteLength))] = Math.floor(random() * 256)

        try {
          expect(messages.map(({ type }) => type)).to.include(read(spoiled).type)
        } catch (err) {
          expect(err).to.not.have.property('name', 'AssertionError')
          refused++
        }
      }
    }

    expect(refused).to.be.within(300, 300 * bodies.length - 300)
  })

  it('copies bytes in one part or several to where they belong', () => {
    const whole = new Uint8Array(6)
    copyBytes(Uint8Array.of(1, 2), whole, 1)
    copyBytes(new Uint8ArrayList(Uint8Array.of(3), Uint8Array.of(4, 5)), whole, 3)

    expect([...whole]).to.deep.equal([0, 1, 2, 3, 4, 5])
    expect(() => { copyBytes(new Uint8ArrayList(Uint8Array.of(3), Uint8Array.of(4, 5)), whole, 4) }).to.throw(RangeError)
  })
})
