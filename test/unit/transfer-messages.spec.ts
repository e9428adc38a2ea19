import { expect } from 'chai'
import { Uint8ArrayList } from 'uint8arraylist'
import { MAX_CONTENT_SIZE, MAX_NODE_SIZE, PIECE_SIZE } from '../../src/content/constants.ts'
import { BLOCK_SIZE } from '../../src/transfer/constants.ts'
import { parseMessage } from '../../src/transfer/core/messages.ts'

const ROOT = new Uint8Array(36).fill(1)
const LAST_PIECE = MAX_CONTENT_SIZE / PIECE_SIZE - 1

const good: Array<Record<string, unknown>> = [
  { type: 'hello', root: ROOT, have: 'all', size: 5 },
  { type: 'hello', root: ROOT, have: 'none', size: undefined },
  { type: 'hello', root: ROOT, have: 'none', size: 5, background: true },
  { type: 'hello', root: ROOT, have: 'all', size: 5, background: false },
  { type: 'hello', root: ROOT, have: Uint8Array.of(0x80), size: MAX_CONTENT_SIZE },
  { type: 'hello', root: ROOT, have: new Uint8Array((LAST_PIECE + 1) / 8), size: 0 },
  { type: 'have', piece: 0 },
  { type: 'have', piece: LAST_PIECE },
  { type: 'interested' },
  { type: 'not-interested' },
  { type: 'choke' },
  { type: 'unchoke' },
  { type: 'request', piece: 1, begin: 0, length: PIECE_SIZE },
  { type: 'request', piece: 1, begin: PIECE_SIZE - 1, length: 1 },
  { type: 'request', piece: 0, begin: 0, length: 0 },
  { type: 'reject', piece: 1, begin: BLOCK_SIZE, length: BLOCK_SIZE },
  { type: 'cancel', piece: 1, begin: BLOCK_SIZE, length: BLOCK_SIZE },
  { type: 'block', piece: 1, begin: BLOCK_SIZE, bytes: new Uint8Array(BLOCK_SIZE) },
  { type: 'block', piece: 0, begin: 0, bytes: new Uint8Array() },
  { type: 'manifest', cid: ROOT },
  { type: 'node', cid: ROOT, bytes: new Uint8Array(MAX_NODE_SIZE) },
  { type: 'node', cid: ROOT, bytes: undefined },
  { type: 'end' }
]

const bad: Array<[what: string, value: unknown]> = [
  ['a number', 7],
  ['nil', null],
  ['a list', []],
  ['bytes', new Uint8Array(3)],
  ['no type', {}],
  ['an unknown type', { type: 'hallo' }],
  ['a type that objects have by themselves', { type: 'toString' }],
  ['a type that is no string', { type: ['have'], piece: 1 }],
  ['a hello without a root', { type: 'hello', have: 'all' }],
  ['a root that is a string', { type: 'hello', root: 'bafy', have: 'all' }],
  ['a background that is a number', { type: 'hello', root: ROOT, have: 'all', background: 1 }],
  ['a background that is a word', { type: 'hello', root: ROOT, have: 'all', background: 'yes' }],
  ['an empty root', { type: 'hello', root: new Uint8Array(), have: 'all' }],
  ['a root that is too long', { type: 'hello', root: new Uint8Array(129), have: 'all' }],
  ['a hello that does not say what it has', { type: 'hello', root: ROOT }],
  ['a bitfield of no pieces', { type: 'hello', root: ROOT, have: new Uint8Array() }],
  ['a bitfield of more pieces than there can be', { type: 'hello', root: ROOT, have: new Uint8Array((LAST_PIECE + 1) / 8 + 1) }],
  ['another word than all or none', { type: 'hello', root: ROOT, have: 'some' }],
  ['a size below zero', { type: 'hello', root: ROOT, have: 'all', size: -1 }],
  ['a size above the largest', { type: 'hello', root: ROOT, have: 'all', size: MAX_CONTENT_SIZE + 1 }],
  ['half a piece', { type: 'have', piece: 0.5 }],
  ['a piece below zero', { type: 'have', piece: -1 }],
  ['a piece above the last', { type: 'have', piece: LAST_PIECE + 1 }],
  ['a piece that is a string', { type: 'have', piece: '1' }],
  ['no piece', { type: 'have' }],
  ['a request that ends after its piece', { type: 'request', piece: 0, begin: PIECE_SIZE - 1, length: 2 }],
  ['a request that begins before its piece', { type: 'request', piece: 0, begin: -BLOCK_SIZE, length: BLOCK_SIZE }],
  ['a request of less than nothing', { type: 'request', piece: 0, begin: 0, length: -1 }],
  ['a request of NaN', { type: 'request', piece: 0, begin: 0, length: NaN }],
  ['a request without a length', { type: 'request', piece: 0, begin: 0 }],
  ['a block that is too long', { type: 'block', piece: 0, begin: 0, bytes: new Uint8Array(BLOCK_SIZE + 1) }],
  ['a block without bytes', { type: 'block', piece: 0, begin: 0 }],
  ['a block of text', { type: 'block', piece: 0, begin: 0, bytes: 'owls' }],
  ['a block that only says how long it is', { type: 'block', piece: 0, begin: 0, bytes: { byteLength: 3 } }],
  ['a node that is too large', { type: 'node', cid: ROOT, bytes: new Uint8Array(MAX_NODE_SIZE + 1) }],
  ['an empty node', { type: 'node', cid: ROOT, bytes: new Uint8Array() }],
  ['a manifest without a CID', { type: 'manifest' }]
]

describe('transfer: messages', () => {
  for (const message of good) {
    it(`reads ${JSON.stringify(message, (_key, value: unknown) => value instanceof Uint8Array ? `${value.byteLength} bytes` : value)}`, () => {
      expect(parseMessage(message)).to.deep.equal(message)
    })
  }

  for (const [what, value] of bad) {
    it(`refuses ${what}`, () => {
      expect(() => parseMessage(value)).to.throw(TypeError)
    })
  }

  it('drops fields it does not know', () => {
    expect(parseMessage({ type: 'have', piece: 3, more: 1 })).to.deep.equal({ type: 'have', piece: 3 })
  })

  it('leaves bytes in the parts in which they came', () => {
    const bytes = new Uint8ArrayList(new Uint8Array(3), new Uint8Array(4))

    expect(parseMessage({ type: 'block', piece: 0, begin: 0, bytes })).to.have.property('bytes', bytes)
    expect(() => parseMessage({ type: 'block', piece: 0, begin: 0, bytes: new Uint8ArrayList(new Uint8Array(BLOCK_SIZE), new Uint8Array(1)) })).to.throw(TypeError)
  })

  it('knows every type of message', () => {
    expect(new Set(good.map(({ type }) => type)).size).to.equal(13)
  })
})
