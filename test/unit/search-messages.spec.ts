import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { base16 } from 'multiformats/bases/base16'
import { MAX_NAME_SIZE } from '../../src/content/names.ts'
import { MAX_ADDRESS_SIZE, MAX_ADDRESSES, MAX_HITS_PER_MESSAGE, MAX_MESSAGE_SIZE, MAX_PATH_LENGTH } from '../../src/search/constants.ts'
import { parseAnswer, parseQuery } from '../../src/search/core/messages.ts'
import { decodeValue } from '../../src/wire/channel.ts'
import { makeHit } from '../fixtures/search-shelf.ts'
import vectors from '../vectors/search.json' with { type: 'json' }

const query = { type: 'query', id: new Uint8Array(16), text: 'owls', hops: 3, limit: 100, timeout: 5000, filter: {}, asked: new Uint8Array() }
const hit = makeHit('owls.txt')
const done = { type: 'done', messages: 3, members: 2, hops: 1, unanswered: 0 }

function hits (...changed: object[]): object {
  return { type: 'hits', hits: changed.map(fields => ({ ...hit, ...fields })) }
}

/** Bytes as hex, as they stand in the file of vectors. */
function toJSON (value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, value: unknown) => value instanceof Uint8Array ? base16.baseEncode(value) : value))
}

describe('search: messages', () => {
  it('reads every message of version 1.0.0 as it was written', () => {
    for (const { what, bytes, message } of vectors) {
      const value = decodeValue(base16.baseDecode(bytes))
      const read = message.type === 'query' ? parseQuery(value) : parseAnswer(value)

      expect(toJSON(read), what).to.deep.equal(message)
      // what is sent today can be read by whoever reads the vectors
      expect(parseAgain(read), what).to.deep.equal(read)
    }

    expect(new Set(vectors.map(({ message }) => message.type))).to.deep.equal(new Set(['query', 'hits', 'done']))
  })

  function parseAgain (message: ReturnType<typeof parseQuery> | ReturnType<typeof parseAnswer>): unknown {
    const value = decodeValue(encode(message, { ignoreUndefined: true }))

    return message.type === 'query' ? parseQuery(value) : parseAnswer(value)
  }

  it('drops fields it does not know', () => {
    expect(parseQuery({ ...query, more: 1, filter: { minSize: 1, color: 'red' } })).to.deep.equal({ ...query, filter: { minSize: 1 } })
    expect(parseAnswer({ ...done, more: 1 })).to.deep.equal(done)
    expect(parseAnswer(hits({ more: 1 }))).to.deep.equal(hits({}))
  })

  it('reads a query without a filter and marks', () => {
    expect(parseQuery({ ...query, filter: undefined, asked: undefined })).to.deep.equal(query)
  })

  const badQueries: Array<[what: string, value: unknown]> = [
    ['a number', 7],
    ['nil', null],
    ['a list', []],
    ['bytes', new Uint8Array(3)],
    ['no type', { ...query, type: undefined }],
    ['a type of the other side', done],
    ['a short id', { ...query, id: new Uint8Array(15) }],
    ['a long id', { ...query, id: new Uint8Array(17) }],
    ['an id that is a string', { ...query, id: 'abcdefghijklmnop' }],
    ['no text', { ...query, text: undefined }],
    ['an empty text', { ...query, text: ' ' }],
    ['a huge text', { ...query, text: 'x'.repeat(60_000) }],
    ['half a character', { ...query, text: 'a\udc00' }],
    ['negative hops', { ...query, hops: -1 }],
    ['too many hops', { ...query, hops: 8 }],
    ['no limit', { ...query, limit: 0 }],
    ['a huge limit', { ...query, limit: 1_001 }],
    ['half a hit', { ...query, limit: 1.5 }],
    ['no time', { ...query, timeout: 0 }],
    ['all the time', { ...query, timeout: Infinity }],
    ['too many marks', { ...query, asked: new Uint8Array(65 * 4) }],
    ['part of a mark', { ...query, asked: new Uint8Array(6) }],
    ['a filter that is a string', { ...query, filter: 'big' }],
    ['a negative size', { ...query, filter: { minSize: -1 } }],
    ['a size that is a string', { ...query, filter: { maxSize: '1' } }],
    ['an odd media type', { ...query, filter: { mediaType: 'video' } }],
    ['a huge extension', { ...query, filter: { extension: 'x'.repeat(33) } }]
  ]

  for (const [what, value] of badQueries) {
    it(`refuses a query with ${what}`, () => {
      expect(() => parseQuery(value)).to.throw(TypeError)
    })
  }

  const badAnswers: Array<[what: string, value: unknown]> = [
    ['a query', query],
    ['a number', 1],
    ['a type like a method of objects', { type: 'constructor' }],
    ['hits that are no list', { type: 'hits', hits: {} }],
    ['too many hits', hits(...Array.from({ length: MAX_HITS_PER_MESSAGE + 1 }, () => ({})))],
    ['a hit that is nil', { type: 'hits', hits: [null] }],
    ['no CID', hits({ cid: undefined })],
    ['a CID that is a string', hits({ cid: 'bafk' })],
    ['an empty CID', hits({ cid: new Uint8Array() })],
    ['a CID that is none', hits({ cid: Uint8Array.of(9, 9, 9, 9) })],
    ['a CID with more behind it', hits({ cid: Uint8Array.of(...hit.cid, 0) })],
    ['an empty name', hits({ name: '' })],
    ['a name that leads out', hits({ name: '..' })],
    ['a name with folders', hits({ name: 'a/b' })],
    ['a name with NUL', hits({ name: 'a\0b' })],
    ['a name that a terminal obeys', hits({ name: '\u001b[2J' })],
    ['a name of 256 bytes', hits({ name: 'x'.repeat(256) })],
    ['a name of 256 bytes in 128 letters', hits({ name: 'é'.repeat(128) })],
    ['a name of half a character', hits({ name: '\ud800' })],
    ['no path', hits({ path: undefined })],
    ['a path that leads out', hits({ path: 'a/../b' })],
    ['a path from the root', hits({ path: '/etc' })],
    ['a huge path', hits({ path: 'x/'.repeat(MAX_PATH_LENGTH) })],
    ['a negative size', hits({ size: -1 })],
    ['a size beyond counting', hits({ size: 2 ** 53 })],
    ['an odd media type', hits({ mediaType: '<script>' })],
    ['a time that is a string', hits({ modified: 'now' })],
    ['a time that is no number', hits({ modified: NaN })],
    ['no holder', hits({ holder: undefined })],
    ['a holder that is no multihash', hits({ holder: Uint8Array.of(1, 9, 9) })],
    ['a ward that is a string', hits({ ward: 'ada' })],
    ['an empty ward', hits({ ward: new Uint8Array() })],
    ['a ward that is no multihash', hits({ ward: Uint8Array.of(1, 9, 9) })],
    ['a ward that is too long', hits({ ward: Uint8Array.of(0, 100, ...new Uint8Array(100)) })],
    ['too many addresses', hits({ addresses: Array.from({ length: MAX_ADDRESSES + 1 }, () => Uint8Array.of(1)) })],
    ['a huge address', hits({ addresses: [new Uint8Array(MAX_ADDRESS_SIZE + 1)] })],
    ['an address that is a string', hits({ addresses: ['/memory/1'] })],
    ['no score', hits({ score: undefined })],
    ['a score that is no number', hits({ score: NaN })],
    ['a score beyond all', hits({ score: Infinity })],
    ['no cost', { type: 'done' }],
    ['a negative cost', { ...done, messages: -1 }],
    ['an absurd cost', { ...done, members: 2 ** 40 }],
    ['absurd hops', { ...done, hops: 8 }]
  ]

  for (const [what, value] of badAnswers) {
    it(`refuses an answer with ${what}`, () => {
      expect(() => parseAnswer(value)).to.throw(Error)
    })
  }

  it('has room in a message for hits of the largest size', () => {
    const largest = {
      cid: makeHit('').cid,
      name: '東'.repeat(MAX_NAME_SIZE / 3),
      path: Array.from({ length: 64 }, () => '東'.repeat(15)).join('/'),
      size: Number.MAX_SAFE_INTEGER,
      mediaType: `${'x'.repeat(127)}/${'x'.repeat(127)}`,
      modified: 0.1,
      holder: hit.holder,
      addresses: Array.from({ length: MAX_ADDRESSES }, () => new Uint8Array(MAX_ADDRESS_SIZE)),
      ward: hit.holder,
      score: 0.1
    }
    const message = hits(...Array.from({ length: MAX_HITS_PER_MESSAGE }, () => largest))

    expect(parseAnswer(message)).to.deep.equal(message)
    expect(encode(message).byteLength).to.be.within(MAX_MESSAGE_SIZE * 0.8, MAX_MESSAGE_SIZE)
  })
})
