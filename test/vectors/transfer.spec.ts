import { readFileSync } from 'node:fs'
import { decode, encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { Uint8ArrayList } from 'uint8arraylist'
import { decodeMessage, encodeBlock, encodeMessage } from '../../src/transfer/codec.ts'
import { parseMessage } from '../../src/transfer/core/messages.ts'
import { FrameDecoder, HEADER_SIZE } from '../../src/wire/frame.ts'
import type { AnyMessage } from '../../src/transfer/core/messages.ts'

interface Vector {
  frame: string
  message: Record<string, unknown>
}

/** Bytes are `{ hex }` in JSON. */
function revive (value: unknown): unknown {
  const hex = (value as { hex?: string } | null)?.hex

  return hex == null ? value : Uint8Array.from(Buffer.from(hex, 'hex'))
}

const vectors = (JSON.parse(readFileSync(new URL('./transfer.json', import.meta.url), 'utf8')) as Vector[]).map(({ frame, message }) => ({
  frame: Uint8Array.from(Buffer.from(frame, 'hex')),
  message: Object.fromEntries(Object.entries(message).map(([key, value]) => [key, revive(value)])) as unknown as AnyMessage
}))

/** What a message is made of, whether its bytes came in one part or several. */
function plain (message: AnyMessage): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined)
    .map(([key, value]: [string, unknown]) => [key, value instanceof Uint8ArrayList ? value.subarray() : value]))
}

function read (frame: Uint8ArrayList): AnyMessage {
  const [body] = [...new FrameDecoder(1 << 20).push(frame)]

  return parseMessage(decodeMessage(body))
}

describe('vectors of transfer', () => {
  it('have every message of the protocol', () => {
    expect([...new Set(vectors.map(({ message }) => message.type))].sort()).to.deep.equal([
      'block', 'cancel', 'choke', 'end', 'have', 'hello', 'interested', 'manifest', 'node', 'not-interested', 'reject', 'request', 'unchoke'
    ])
  })

  for (const { frame, message } of vectors) {
    it(`of ${message.type} are read, and written the same`, () => {
      expect(plain(read(new Uint8ArrayList(frame)))).to.deep.equal(message)

      const written = message.type === 'block'
        ? Buffer.concat(encodeBlock(message.piece, message.begin, message.bytes as Uint8Array))
        : encodeMessage(message)
      expect(Buffer.from(written).toString('hex')).to.equal(Buffer.from(frame).toString('hex'))
    })

    it(`of ${message.type} are read in whatever parts they come`, () => {
      for (let cut = 1; cut < frame.byteLength; cut++) {
        expect(plain(read(new Uint8ArrayList(frame.slice(0, cut), frame.slice(cut))))).to.deep.equal(message)
      }
    })

    it(`of ${message.type} are read however else MessagePack writes them`, () => {
      const fields = Object.entries(decode(frame.subarray(HEADER_SIZE)) as object).reverse()
      const body = encode({ ...Object.fromEntries(fields), unknown: ['to', 'us'] })

      expect(plain(parseMessage(decodeMessage(new Uint8ArrayList(body))))).to.deep.equal(message)
    })
  }
})
