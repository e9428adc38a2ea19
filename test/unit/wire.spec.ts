import { streamPair } from '@libp2p/utils'
import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { Uint8ArrayList } from 'uint8arraylist'
import { seededRandom } from '../../src/random.ts'
import { decodeValue, openChannel } from '../../src/wire/channel.ts'
import { encodeFrame, FrameDecoder } from '../../src/wire/frame.ts'
import { parseBytes, parseFields, parseInteger, parseList, parseOptional, parseString } from '../../src/wire/parse.ts'
import type { Channel } from '../../src/wire/channel.ts'
import type { Stream } from '@libp2p/interface'

const LIMIT = 1000

function bodies (decoder: FrameDecoder, bytes: Uint8Array | Uint8ArrayList): number[][] {
  return Array.from(decoder.push(bytes), body => [...body.subarray()])
}

describe('wire: frames', () => {
  it('puts the length before the body, which is not copied', () => {
    const body = Uint8Array.of(7, 8)
    const frame = encodeFrame(body)

    expect([...frame.subarray()]).to.deep.equal([0, 0, 0, 2, 7, 8])
    expect([...frame][1].buffer).to.equal(body.buffer)
  })

  it('finds the frames again, however the stream is cut', () => {
    const random = seededRandom(3)
    const sent = Array.from({ length: 200 }, (_, i) => Array.from({ length: Math.floor(random() * (i % 7 === 0 ? LIMIT : 10)) }, () => Math.floor(random() * 256)))
    const stream = new Uint8ArrayList(...sent.flatMap(body => [...encodeFrame(Uint8Array.from(body))])).subarray()

    for (const largest of [1, 3, 5, 64, 5_000, stream.byteLength]) {
      const decoder = new FrameDecoder(LIMIT)
      const got: number[][] = []

      for (let at = 0; at < stream.byteLength;) {
        const size = 1 + Math.floor(random() * largest)
        const part = stream.subarray(at, at + size)
        got.push(...bodies(decoder, size % 2 === 0 ? part : new Uint8ArrayList(part.subarray(0, 1), part.subarray(1))))
        at += size
      }

      expect(got).to.deep.equal(sent)
      expect(decoder.pending).to.equal(0)
    }
  })

  it('gives a body that stays as it is when more arrives', () => {
    const decoder = new FrameDecoder(LIMIT)
    const [first] = decoder.push(encodeFrame(Uint8Array.of(1, 2)))
    bodies(decoder, encodeFrame(Uint8Array.of(3, 4)))

    expect([...first.subarray()]).to.deep.equal([1, 2])
  })

  it('takes a body of the limit and refuses one more, before it is here', () => {
    expect(bodies(new FrameDecoder(LIMIT), encodeFrame(new Uint8Array(LIMIT)))).to.have.lengthOf(1)

    for (const size of [[0, 0, 3, 233], [0xff, 0xff, 0xff, 0xff], [0x80, 0, 0, 0]]) {
      expect(() => bodies(new FrameDecoder(LIMIT), Uint8Array.from(size))).to.throw().with.property('name', 'MessageTooLargeError')
    }
  })

  it('gives what came before a frame that is too long', () => {
    const got: number[][] = []
    const decoder = new FrameDecoder(LIMIT)

    expect(() => {
      for (const body of decoder.push(Uint8Array.of(0, 0, 0, 1, 5, 0xff, 0xff, 0xff, 0xff))) {
        got.push([...body.subarray()])
      }
    }).to.throw()
    expect(got).to.deep.equal([[5]])
  })

  it('counts the bytes of a frame that is not whole', () => {
    const decoder = new FrameDecoder(LIMIT)
    const counts = [0, 0, 0, 2, 7, 8].map(byte => {
      bodies(decoder, Uint8Array.of(byte))

      return decoder.pending
    })

    expect(counts).to.deep.equal([1, 2, 3, 4, 5, 0])
  })
})

describe('wire: checkers', () => {
  const good: Array<[what: string, read: () => unknown, value: unknown]> = [
    ['a map', () => parseFields({ a: 1 }, 'x'), { a: 1 }],
    ['the least whole number', () => parseInteger(0, 'x'), 0],
    ['the largest whole number', () => parseInteger(Number.MAX_SAFE_INTEGER, 'x'), Number.MAX_SAFE_INTEGER],
    ['a number at its least', () => parseInteger(-3, 'x', -3, 5), -3],
    ['a number at its most', () => parseInteger(5, 'x', -3, 5), 5],
    ['an empty string', () => parseString('', 'x', 0), ''],
    ['a string of the limit', () => parseString('äb', 'x', 2), 'äb'],
    ['bytes of the limit', () => parseBytes(Uint8Array.of(1, 2), 'x', 2, 2), Uint8Array.of(1, 2)],
    ['a list', () => parseList([1, 2], 'x', 2, value => parseInteger(value, 'y') + 1), [2, 3]],
    ['what is missing', () => parseOptional(undefined, () => 1), undefined],
    ['nil', () => parseOptional(null, () => 1), undefined],
    ['what is there', () => parseOptional(0, () => 1), 1]
  ]

  for (const [what, read, value] of good) {
    it(`take ${what}`, () => {
      expect(read()).to.deep.equal(value)
    })
  }

  const bad: Array<[what: string, read: () => unknown]> = [
    ['nil as a map', () => parseFields(null, 'field')],
    ['a list as a map', () => parseFields([], 'field')],
    ['bytes as a map', () => parseFields(new Uint8Array(), 'field')],
    ['a string as a map', () => parseFields('map', 'field')],
    ['half a number', () => parseInteger(0.5, 'field')],
    ['NaN', () => parseInteger(NaN, 'field')],
    ['infinity', () => parseInteger(Infinity, 'field')],
    ['a number that is not exact', () => parseInteger(2 ** 53, 'field')],
    ['a bigint', () => parseInteger(1n, 'field')],
    ['a string as a number', () => parseInteger('1', 'field')],
    ['a number below its least', () => parseInteger(-1, 'field')],
    ['a number above its most', () => parseInteger(6, 'field', 0, 5)],
    ['a number as a string', () => parseString(1, 'field', 5)],
    ['a string that is too long', () => parseString('abc', 'field', 2)],
    ['a string as bytes', () => parseBytes('ab', 'field', 0, 5)],
    ['too few bytes', () => parseBytes(new Uint8Array(1), 'field', 2, 5)],
    ['too many bytes', () => parseBytes(new Uint8Array(6), 'field', 2, 5)],
    ['a map as a list', () => parseList({ length: 0 }, 'field', 5, value => value)],
    ['a list that is too long', () => parseList([1, 2], 'field', 1, value => value)]
  ]

  for (const [what, read] of bad) {
    it(`refuse ${what}, and say where it was`, () => {
      expect(read).to.throw(TypeError, 'field')
    })
  }

  it('say what is wrong with an item of a list', () => {
    expect(() => parseList([1, -1], 'list', 5, value => parseInteger(value, 'item'))).to.throw(TypeError, 'item')
  })
})

describe('wire: channels', () => {
  interface Side {
    channel: Channel<unknown>
    got: number[]
    closed: Promise<Error | undefined>
  }

  /** A channel that reads numbers. */
  function open (stream: Stream, onMessage: (message: number) => void = () => {}): Side {
    const { promise, resolve } = Promise.withResolvers<Error | undefined>()
    const got: number[] = []
    const channel = openChannel<number, unknown>(stream, {
      maxMessageSize: LIMIT,
      parse: value => parseInteger(value, 'number'),
      onMessage: message => {
        got.push(message)
        onMessage(message)
      },
      onClose: resolve
    })

    return { channel, got, closed: promise }
  }

  let streams: [Stream, Stream]

  beforeEach(async () => {
    streams = await streamPair()
  })

  afterEach(() => {
    streams.forEach(stream => { stream.abort(new Error('The test is over')) })
  })

  it('carries messages both ways, in order, and ends', async () => {
    const [ada, ben] = [open(streams[0]), open(streams[1])]

    for (let i = 0; i < 100; i++) {
      ada.channel.send(i)
      ben.channel.sendBody(encode(i + 1000))
    }

    ben.channel.sendFrames(new Uint8ArrayList(encodeFrame(encode(1)), encodeFrame(encode(2))))
    await Promise.all([ada.channel.close(), ben.channel.close()])

    expect(await ada.closed).to.equal(undefined)
    expect(await ben.closed).to.equal(undefined)
    expect(ben.got).to.deep.equal(Array.from({ length: 100 }, (_, i) => i))
    expect(ada.got).to.deep.equal([...Array.from({ length: 100 }, (_, i) => i + 1000), 1, 2])
  })

  it('leaves out fields that are undefined', async () => {
    const received = Promise.withResolvers<unknown>()
    openChannel(streams[1], { maxMessageSize: LIMIT, parse: value => value, onMessage: message => { received.resolve(message) } })
    open(streams[0]).channel.send({ a: 1, b: undefined })

    expect(await received.promise).to.deep.equal({ a: 1 })
  })

  it('sends nothing that is over the limit', () => {
    const { channel } = open(streams[0])

    expect(() => channel.send('x'.repeat(LIMIT))).to.throw().with.property('name', 'MessageTooLargeError')
    expect(() => channel.sendBody(new Uint8Array(LIMIT + 1))).to.throw().with.property('name', 'MessageTooLargeError')
    expect(streams[0].status).to.equal('open')
  })

  const wrong: Array<[what: string, bytes: number[], name: string]> = [
    ['what is not MessagePack', [0, 0, 0, 1, 0xc1], 'InvalidMessageError'],
    ['nothing', [0, 0, 0, 0], 'InvalidMessageError'],
    ['two values in one message', [0, 0, 0, 2, 1, 1], 'InvalidMessageError'],
    ['what parse refuses', [0, 0, 0, 1, 0xff], 'InvalidMessageError'],
    ['a list of four billion', [0, 0, 0, 5, 0xdd, 0xff, 0xff, 0xff, 0xff], 'InvalidMessageError'],
    ['a map of four billion', [0, 0, 0, 5, 0xdf, 0xff, 0xff, 0xff, 0xff], 'InvalidMessageError'],
    ['an extension', [0, 0, 0, 3, 0xd4, 1, 1], 'InvalidMessageError'],
    ['an endless frame', [0xff, 0xff, 0xff, 0xff, 1, 2, 3], 'MessageTooLargeError']
  ]

  for (const [what, bytes, name] of wrong) {
    it(`breaks off when it gets ${what}, after what came before`, async () => {
      const ada = open(streams[0])
      streams[1].send(Uint8Array.from([0, 0, 0, 1, 5, ...bytes, 0, 0, 0, 1, 6]))

      expect(await ada.closed).to.have.property('name', name)
      expect(ada.got).to.deep.equal([5])
      expect(streams[0].status).to.equal('aborted')
    })
  }

  it('breaks off when the reader throws, and reads nothing more', async () => {
    const ada = open(streams[0], message => {
      if (message === 2) {
        throw new Error('enough')
      }
    })
    streams[1].send(Uint8Array.from([1, 2, 3].flatMap(i => [0, 0, 0, 1, i])))

    expect(await ada.closed).to.have.property('message', 'enough')
    expect(ada.got).to.deep.equal([1, 2])
  })

  it('reads nothing more after the reader broke it off', async () => {
    const ada = open(streams[0], () => { ada.channel.abort(new Error('enough')) })
    streams[1].send(Uint8Array.from([1, 2, 3].flatMap(i => [0, 0, 0, 1, i])))

    expect(await ada.closed).to.have.property('message', 'enough')
    expect(ada.got).to.deep.equal([1])
  })

  it('tells an end inside a message from one between two', async () => {
    const ada = open(streams[0])
    streams[1].send(Uint8Array.of(0, 0, 0, 2, 1))
    await streams[1].close()

    expect(await ada.closed).to.have.property('name', 'ProtocolError')
  })

  it('says that the other side broke it off', async () => {
    const ada = open(streams[0])
    streams[1].abort(new Error('gone'))

    expect(await ada.closed).to.be.an('error')
    expect(() => ada.channel.send(1)).to.throw()
  })

  it('waits until a full stream takes more, and every time', async () => {
    const [ada, ben] = [open(streams[0]), open(streams[1])]
    await ada.channel.drained()
    const frame = encodeFrame(encode(1)).subarray()

    for (let round = 0; round < 3; round++) {
      streams[0].writableNeedsDrain = true
      let drained = false
      const waiting = ada.channel.drained().then(() => { drained = true })
      await Promise.resolve()
      expect(drained).to.equal(false)
      streams[0].writableNeedsDrain = false
      streams[0].dispatchEvent(new Event('drain'))
      await waiting
      expect(ada.channel.sendFrames(frame)).to.be.a('boolean')
    }

    await ada.channel.close()
    await ben.closed
    expect(ben.got).to.deep.equal([1, 1, 1])
  })

  it('does not wait for a stream that closes, or once it is told not to', async () => {
    const ada = open(streams[0])
    streams[0].writableNeedsDrain = true
    const stop = new AbortController()
    const stopped = ada.channel.drained({ signal: stop.signal }).catch((err: Error) => err)
    const closed = ada.channel.drained().catch((err: Error) => err)
    stop.abort(new Error('enough'))
    expect(await stopped).to.have.property('message', 'enough')
    expect(await ada.channel.drained({ signal: stop.signal }).catch((err: Error) => err)).to.have.property('message', 'enough')
    ada.channel.abort(new Error('gone'))
    expect(await closed).to.have.property('name', 'ProtocolError')
    streams[0].writableNeedsDrain = true
    expect(await ada.channel.drained().catch((err: Error) => err)).to.have.property('name', 'ProtocolError')
  })

  it('leaves no listener on a stream that is over', async () => {
    const types = ['message', 'end', 'close', 'drain'] as const
    const counts = (): number[] => types.map(type => (streams[0] as unknown as { listenerCount: (type: string) => number }).listenerCount(type))
    const before = counts()
    const ada = open(streams[0])
    expect(counts()).to.not.deep.equal(before)
    ada.channel.abort(new Error('enough'))
    await ada.closed

    expect(counts()).to.deep.equal(before)
  })

  it('hands over bytes as they lie in the body', () => {
    const body = encode(Uint8Array.of(1, 2, 3))
    const value = decodeValue(body) as Uint8Array

    expect(value.buffer).to.equal(body.buffer)
    expect([...value]).to.deep.equal([1, 2, 3])
  })
})
