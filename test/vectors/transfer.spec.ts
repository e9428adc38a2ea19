import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { base16 } from 'multiformats/bases/base16'
import { isUint8ArrayList, Uint8ArrayList } from 'uint8arraylist'
import { MAX_MESSAGE_SIZE } from '../../src/transfer/constants.ts'
import { decodeMessage, encodeBlock, encodeMessage } from '../../src/transfer/codec.ts'
import { parseMessage } from '../../src/transfer/core/messages.ts'
import { encodeFrame, FrameDecoder } from '../../src/wire/frame.ts'
import file from './transfer.json' with { type: 'json' }
import type { AnyMessage } from '../../src/transfer/core/messages.ts'

interface Vector {
  what: string

  /** The frame as hex. */
  bytes: string

  /** What it says, with bytes as hex. */
  message: { type: AnyMessage['type'] }
}

const TYPES: Array<AnyMessage['type']> = [
  'hello', 'have', 'interested', 'not-interested', 'choke', 'unchoke', 'request', 'reject', 'cancel', 'block', 'manifest', 'node', 'end'
]

/** Reads frames the way a line does. */
function read (frames: Uint8Array | Uint8ArrayList): AnyMessage[] {
  return Array.from(new FrameDecoder(MAX_MESSAGE_SIZE).push(frames), body => parseMessage(decodeMessage(body)))
}

function write (message: AnyMessage): Uint8Array {
  return message.type === 'block'
    ? new Uint8ArrayList(...encodeBlock(message.piece, message.begin, bytesOf(message.bytes as Uint8Array))).subarray()
    : encodeMessage(message)
}

function bytesOf (bytes: Uint8Array | Uint8ArrayList): Uint8Array {
  return bytes.subarray()
}

/** A message as it stands in the file. */
function toJSON (message: AnyMessage): unknown {
  return JSON.parse(JSON.stringify(message, (_key, value: unknown) => {
    return value instanceof Uint8Array || isUint8ArrayList(value) ? base16.baseEncode(bytesOf(value)) : value
  }))
}

describe('transfer: every message of version 1.0.0', () => {
  const vectors = file as Vector[]

  it('is read as it was written', () => {
    for (const { what, bytes, message } of vectors) {
      expect(read(base16.baseDecode(bytes)).map(toJSON), what).to.deep.equal([message])
    }

    expect(new Set(vectors.map(({ message }) => message.type))).to.deep.equal(new Set(TYPES))
  })

  it('is written to the same bytes', () => {
    for (const { what, bytes } of vectors) {
      expect(read(base16.baseDecode(bytes)).map(message => base16.baseEncode(write(message))), what).to.deep.equal([bytes])
    }
  })

  it('is read from any MessagePack that says the same', () => {
    for (const { what, bytes, message } of vectors) {
      const fields = Object.entries(decodeMessage(new Uint8ArrayList(base16.baseDecode(bytes).subarray(4))) as object)
      const plain = fields.map(([name, value]) => [name, isUint8ArrayList(value) ? value.subarray() : value] as const)
      const other = encodeFrame(encode(Object.fromEntries([['unknown', 1], ...plain.reverse()])))

      expect(read(other).map(toJSON), what).to.deep.equal([message])
    }
  })

  it('is found in a stream that arrives byte by byte', () => {
    const frames = new FrameDecoder(MAX_MESSAGE_SIZE)
    const stream = base16.baseDecode(vectors.map(({ bytes }) => bytes).join(''))
    const messages = Array.from(stream, byte => [...frames.push(Uint8Array.of(byte))]).flat().map(body => toJSON(parseMessage(decodeMessage(body))))

    expect(messages).to.deep.equal(vectors.map(({ message }) => message))
    expect(frames.pending).to.equal(0)
  })
})
