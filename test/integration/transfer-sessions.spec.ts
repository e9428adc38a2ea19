import { expect } from 'chai'
import { Uint8ArrayList } from 'uint8arraylist'
import { memoryStore } from '../../src/store/index.ts'
import { decodeMessage, encodeBlock, encodeMessage } from '../../src/transfer/codec.ts'
import { transferProtocol } from '../../src/transfer/constants.ts'
import { parseMessage } from '../../src/transfer/core/messages.ts'
import { FrameDecoder } from '../../src/wire/frame.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, failure, makeBare, makePeer, readAll, shareBytes, sourceOf } from '../fixtures/colony.ts'
import { endAfterEach } from '../fixtures/end-after-each.ts'
import { GatedStore } from '../fixtures/gate.ts'
import { until } from '../fixtures/until.ts'
import type { AnyMessage, Hello } from '../../src/transfer/core/messages.ts'
import type { Peer } from '../fixtures/colony.ts'
import type { Store } from '../../src/store/index.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

const MIB = 1024 * 1024
const BLOCK = 65_536
const PROTOCOL = transferProtocol('formicary')

/** A stream on which the test speaks for itself. */
class Line {
  readonly stream: Stream
  readonly got: AnyMessage[] = []
  readonly closed: Promise<Error | undefined>
  #heard = Promise.withResolvers<void>()

  constructor (stream: Stream) {
    this.stream = stream
    const frames = new FrameDecoder(1 << 20)
    stream.addEventListener('message', ({ data }) => {
      for (const body of frames.push(data)) {
        this.got.push(parseMessage(decodeMessage(body)))
      }

      this.#heard.resolve()
      this.#heard = Promise.withResolvers()
    })
    this.closed = new Promise(resolve => { stream.addEventListener('close', ({ error }) => { resolve(error) }) })
  }

  send (...messages: AnyMessage[]): void {
    if (this.stream.writeStatus === 'writable') {
      this.stream.send(new Uint8ArrayList(...messages.map(encodeMessage)))
    }
  }

  /** The next message of a type that came or will come. */
  async next<Type extends AnyMessage['type']> (type: Type): Promise<Extract<AnyMessage, { type: Type }>> {
    for (;;) {
      const at = this.got.findIndex(message => message.type === type)

      if (at !== -1) {
        return this.got.splice(at, 1)[0] as Extract<AnyMessage, { type: Type }>
      }

      const gone = await Promise.race([this.#heard.promise, this.closed.then(() => true)])

      if (gone === true && !this.got.some(message => message.type === type)) {
        throw new Error(`The stream closed without a ${type}`)
      }
    }
  }
}

/** A store that counts what is open for reading. */
function countingStore (): Store & { readers: number } {
  const inner = memoryStore()
  const store = {
    readers: 0,
    parts: inner.parts.bind(inner),
    part: inner.part.bind(inner),
    kept: inner.kept.bind(inner),
    delete: inner.delete.bind(inner),
    async open (...args: Parameters<Store['open']>) {
      const reader = await inner.open(...args)
      const close = reader.close.bind(reader)
      let open = true
      store.readers++
      reader.close = async () => {
        store.readers -= Number(open)
        open = false
        await close()
      }

      return reader
    }
  }

  return store
}

describe('sessions of transfer', function () {
  this.timeout(60_000)

  let gate: GatedStore

  beforeEach(() => { gate = new GatedStore() })
  // before nodes stop, which wait for what they serve
  afterEach(() => { gate.release() })

  const nodes = endAfterEach<{ stop: () => Promise<void> | void }>(node => node.stop())

  async function peer (...init: Parameters<typeof makePeer>): Promise<Peer> {
    return nodes.add(await makePeer(...init))
  }

  async function bare (onLine?: (line: Line) => void): Promise<Libp2p> {
    const made = nodes.add(await makeBare())

    if (onLine != null) {
      await made.handle(PROTOCOL, stream => { onLine(new Line(stream)) }, { maxInboundStreams: 1000 })
    }

    return made
  }

  /** A peer that answers each message as told. */
  async function speaker (answer: (message: AnyMessage, line: Line) => void): Promise<Libp2p> {
    return bare(line => {
      const frames = new FrameDecoder(1 << 20)
      line.stream.addEventListener('message', ({ data }) => {
        for (const body of frames.push(data)) {
          answer(parseMessage(decodeMessage(body)), line)
        }
      })
    })
  }

  async function open (connection: Connection): Promise<Line> {
    return new Line(await connection.newStream(PROTOCOL, { maxOutboundStreams: 1000 }))
  }

  /** A holder, and somebody who has a connection to it. */
  async function pair (size = 3 * MIB + 5, store: Store = memoryStore()): Promise<{ ada: Peer, root: Uint8Array, cid: CID, bytes: Uint8Array, connection: Connection, hello: Hello }> {
    const [ada, ben] = await Promise.all([peer({ store }), bare()])
    const bytes = bytesOf(size)
    const { cid } = await shareBytes(ada, bytes)

    return { ada, cid, bytes, root: cid.bytes, connection: await ben.dial(ada.getMultiaddrs()), hello: { type: 'hello', root: cid.bytes, have: 'none' } }
  }

  it('serve a peer that comes again before it is known to be gone', async () => {
    const { connection, hello } = await pair()
    const first = await open(connection)
    first.send(hello, { type: 'interested' })
    expect(await first.next('hello')).to.include({ have: 'all' })
    await first.next('unchoke')
    const second = await open(connection)
    second.send(hello, { type: 'interested' })

    expect(await second.next('hello')).to.include({ have: 'all', size: 3 * MIB + 5 })
    await second.next('unchoke')
    second.send({ type: 'request', piece: 3, begin: 0, length: 5 })
    expect(await second.next('block')).to.include({ piece: 3, begin: 0 })
    await first.next('end')
  })

  it('leave nothing open when they end as they begin', async () => {
    const store = countingStore()
    const { connection, hello } = await pair(2 * MIB, store)
    const line = await open(connection)

    for (let i = 0; i < 20; i++) {
      line.send(hello, { type: 'end' })
      await line.next('end')
    }

    await until(() => store.readers === 0)
  })

  it('follow one another on one stream', async () => {
    const { ada, connection, hello } = await pair()
    const other = await shareBytes(ada, bytesOf(1000, 5), 'other')
    const line = await open(connection)
    line.send(hello, { type: 'end' }, { ...hello, root: other.cid.bytes }, { type: 'end' }, { ...hello, root: new Uint8Array(36).fill(1) })
    // what cannot be read as a CID breaks the stream off, after what came before
    expect(await line.closed).to.be.an('error')
    expect(line.got.filter(({ type }) => type === 'end')).to.have.lengthOf(2)
  })

  const nonsense: Array<[what: string, messages: (hello: Hello) => AnyMessage[]]> = [
    ['says that it has a piece that does not exist', hello => [hello, { type: 'have', piece: 4 }]],
    ['has a bitfield of the wrong length', hello => [{ ...hello, have: new Uint8Array(9).fill(255) }]],
    ['has a bitfield with pieces after the last', hello => [{ ...hello, have: Uint8Array.of(0x08) }]],
    ['sends blocks before it can have been asked', hello => [hello, { type: 'block', piece: 0, begin: 0, bytes: new Uint8Array(BLOCK) }, { type: 'hello', root: hello.root, have: 'none' }]],
    ['speaks before its hello', () => [{ type: 'interested' }]],
    ['says hello twice', hello => [hello, hello]]
  ]

  for (const [what, messages] of nonsense) {
    it(`break off with somebody who ${what}`, async () => {
      const { connection, hello } = await pair()
      const line = await open(connection)
      line.send(...messages(hello))

      expect(await line.closed).to.be.an('error')
    })
  }

  it('end with somebody who lets answers pile up and does not read', async () => {
    const { ada, connection, hello } = await pair()
    const line = await open(connection)
    line.send(hello)
    await line.next('hello')
    line.stream.pause()
    let most = 0
    const streams = (): Stream[] => ada.getConnections().flatMap(({ streams }) => streams).filter(({ protocol }) => protocol === PROTOCOL)

    for (let i = 0; i < 300 && line.stream.writeStatus === 'writable' && streams().length > 0; i++) {
      line.send(...Array.from({ length: 500 }, () => ({ type: 'request' as const, piece: 0, begin: 0, length: BLOCK })))
      await new Promise(resolve => { setTimeout(resolve, 2) })
      most = Math.max(most, ...streams().map(({ writeBufferLength }) => writeBufferLength))
    }

    await until(() => streams().length === 0)
    expect(most).to.be.below(4 * MIB)
  })

  it('end with somebody who takes back the same request without end', async () => {
    const { connection, hello } = await pair(8 * MIB, gate)
    // what it takes back cannot have been sent
    gate.hold(0)
    const line = await open(connection)
    line.send(hello, { type: 'interested' })
    await line.next('unchoke')

    for (let piece = 0; piece < 4; piece++) {
      line.send({ type: 'request', piece, begin: 0, length: MIB })
    }

    await until(() => gate.waiting > 0)

    for (let i = 0; i < 200; i++) {
      line.send(...Array.from({ length: 200 }, (_, j) => ({ type: 'cancel' as const, piece: j % 2, begin: 0, length: BLOCK })))
    }

    expect(await line.closed).to.be.an('error')
  })

  const unfit: Array<[what: string, answer: (hello: Hello) => AnyMessage[]]> = [
    ['a bitfield of the wrong length', hello => [{ ...hello, have: new Uint8Array(99).fill(255) }]],
    ['pieces that do not exist', hello => [{ ...hello, have: 'none' }, { type: 'have', piece: 77 }]]
  ]

  for (const [what, answer] of unfit) {
    it(`carry a download past somebody with ${what}, which shows when the manifest is known`, async () => {
      const { ada, cid, bytes } = await pair()
      const met = Promise.withResolvers<void>()
      const liar = await speaker((message, line) => {
        if (message.type === 'hello') {
          line.send(...answer(message))
        } else if (message.type === 'manifest') {
          line.send({ type: 'node', cid: message.cid })
          met.resolve()
        }
      })
      const fetcher = await peer()
      const download = fetcher.services.transfer.download(cid, { sources: [sourceOf(liar)] })
      await met.promise
      await Promise.all([download, fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] })])

      expect(sameBytes(await readAll(fetcher, cid), bytes)).to.equal(true)
    })
  }

  it('are begun again, before the download is given up, with who had nothing at first', async () => {
    const { cid } = await pair()
    let hellos = 0
    const late = await speaker((message, line) => {
      if (message.type === 'hello') {
        hellos++
        line.send({ type: 'end' })
      }
    })
    const fetcher = await peer()
    const cancel = new AbortController()
    const err = failure(fetcher.services.transfer.download(cid, { signal: cancel.signal, sources: [sourceOf(late)] }))
    // or it fails before, for nobody has anything
    await Promise.race([err, until(() => hellos > 1)])
    cancel.abort(new Error('enough'))

    expect(await err).to.have.property('message', 'enough')
    expect(hellos).to.be.above(1)
  })

  it('do not keep up the hope of two who both have nothing', async () => {
    const { cid } = await pair()
    const [ben, cleo] = await Promise.all([peer(), peer()])
    // were a session with the other reason to hope, this would go on past the time limit of the test
    const errors = await Promise.all([[ben, cleo], [cleo, ben]].map(async ([self, other]) => failure(self.services.transfer.download(cid, { patience: 5_000, sources: [sourceOf(other)] }))))

    expect(errors.map(({ name }) => name)).to.deep.equal(['NotFoundError', 'NotFoundError'])
  })

  it('find out the size of a small content from honest peers, when another says a wrong one and serves nothing', async () => {
    const { ada, cid, bytes } = await pair(100_000)
    let hellos = 0
    const liar = await speaker((message, line) => {
      if (message.type === 'hello') {
        hellos++
        line.send({ ...message, have: 'all', size: 5 })
      }
    })
    const fetcher = await peer()
    const download = fetcher.services.transfer.download(cid, { sources: [sourceOf(liar)] })
    await until(() => hellos > 0)
    await fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] })

    expect((await download).size).to.equal(bytes.byteLength)
  })

  it('ban who says a wrong size and sends what fits it, and no other', async () => {
    const { ada, cid } = await pair(100_000)
    const liar = await speaker((message, line) => {
      if (message.type === 'hello') {
        line.send({ ...message, have: 'all', size: 5 }, { type: 'unchoke' })
      } else if (message.type === 'request') {
        line.stream.send(new Uint8ArrayList(...encodeBlock(0, 0, new Uint8Array(5))))
      }
    })
    const fetcher = await peer()
    const banned: string[] = []
    const ban = new Promise<void>(resolve => {
      fetcher.services.transfer.addEventListener('transfer:banned', ({ detail }) => {
        banned.push(String(detail.peer))
        resolve()
      })
    })
    const download = fetcher.services.transfer.download(cid, { size: 5, sources: [sourceOf(liar)] })
    // an honest source too early might have sent everything before the liar is asked
    await Promise.race([ban, download])
    await fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] })

    expect((await download).size).to.equal(100_000)
    expect(banned).to.deep.equal([String(liar.peerId)])
  })

  it('survive a callback for progress that throws', async () => {
    const { ada, cid } = await pair()
    const fetcher = await peer()
    const entries = await Promise.all([
      fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)], onProgress: () => { throw new Error('Ouch') } }).catch(() => undefined),
      fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] })
    ])

    expect(entries[1]?.size).to.equal(3 * MIB + 5)
  })

  it('go on for who asks while another gives up', async () => {
    const ada = await peer({ store: gate })

    for (let ticks = 0; ticks < 30; ticks++) {
      const { cid } = await shareBytes(ada, bytesOf(100_000, ticks), `${ticks}.txt`)
      const fetcher = await peer()
      gate.hold(0)
      const cancel = new AbortController()
      const first = fetcher.services.transfer.download(cid, { signal: cancel.signal, sources: [sourceOf(ada)] }).catch((err: Error) => err)
      await until(() => fetcher.getConnections().length > 0)
      const second = fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] })

      for (let i = 0; i < ticks; i++) {
        await Promise.resolve()
      }

      cancel.abort(new Error('enough'))
      expect(await first).to.have.property('message', 'enough')
      gate.release()
      expect((await second).size).to.equal(100_000)
      await fetcher.stop()
    }
  })

  it('do not trip over a part that was begun with a wrong size', async () => {
    const { ada, cid, bytes } = await pair(100_000)
    const store = memoryStore()
    const fetcher = await peer({ store })
    const err = await failure(fetcher.services.transfer.download(cid, { size: 7, patience: 100 }))
    expect(err).to.have.property('name', 'NotFoundError')
    const entry = await fetcher.services.transfer.download(cid, { size: bytes.byteLength, sources: [sourceOf(ada)] })

    expect(entry.size).to.equal(bytes.byteLength)
    expect(await Array.fromAsync(store.parts())).to.deep.equal([])
  })

  it('are begun anew after a download was given up, once for all who ask', async () => {
    const [ada, fetcher] = await Promise.all([peer({ store: gate }), peer()])
    const { cid } = await shareBytes(ada, bytesOf(5 * MIB))
    // the first gets some pieces, the others nothing, so that none comes to an end
    gate.hold(3 * MIB)

    for (let round = 0; round < 10; round++) {
      const cancel = new AbortController()
      const before = gate.waiting
      const given = Promise.all([1, 2].map(async () => failure(fetcher.services.transfer.download(cid, { signal: cancel.signal, sources: [sourceOf(ada)] }))))
      await until(() => gate.waiting > before && fetcher.services.transfer.downloaded > 2 * MIB)
      cancel.abort(new Error('enough'))
      expect((await given).map(({ message }) => message)).to.deep.equal(['enough', 'enough'])

      if (round % 2 === 1) {
        const again = new AbortController()
        const others = Promise.all([1, 2, 3].map(async () => failure(fetcher.services.transfer.download(cid, { signal: again.signal }))))
        again.abort(new Error('no'))
        expect((await others).map(({ message }) => message)).to.deep.equal(['no', 'no', 'no'])
      }
    }

    expect(fetcher.services.transfer.downloaded).to.be.at.most(3 * MIB)
    gate.release()
    const entries = await Promise.all([1, 2, 3].map(async () => fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] })))
    expect(entries.map(({ size }) => size)).to.deep.equal([5 * MIB, 5 * MIB, 5 * MIB])
    expect(fetcher.services.catalog.size).to.equal(1)
  })

  it('are one when both sides begin one for the same content', async () => {
    const { ada, cid, bytes } = await pair(6 * MIB)

    for (let round = 0; round < 5; round++) {
      const halves = await Promise.all([0, 3].map(async from => {
        const store = memoryStore()
        const part = await store.part(String(cid), { size: bytes.byteLength, name: 'x' })

        for (let piece = from; piece < from + 3; piece++) {
          await part.write(piece * MIB, bytes.subarray(piece * MIB, (piece + 1) * MIB))
          await part.mark(piece)
        }

        await part.close()

        return peer({ store })
      }))
      await Promise.all(halves.map(async (half, i) => half.services.transfer.download(cid, { sources: [sourceOf(halves[1 - i]), sourceOf(ada)] })))

      for (const half of halves) {
        expect(sameBytes(await readAll(half, cid), bytes)).to.equal(true)
      }
    }
  })

  it('end when the node stops, which keeps what is verified and continues after', async () => {
    const bytes = bytesOf(12 * MIB)
    const ada = await peer({ store: gate })
    const { cid } = await shareBytes(ada, bytes)
    const fetcher = await peer()
    gate.hold(6 * MIB)
    const download = failure(fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] }))
    const reading = failure(readAll(fetcher, cid, { offset: 1, sources: [sourceOf(ada)] }))
    await until(() => fetcher.services.transfer.downloaded > 5 * MIB)
    await fetcher.stop()

    expect(await download).to.have.property('name', 'NotStartedError')
    expect(await reading).to.have.property('name', 'NotStartedError')
    expect(await failure(fetcher.services.transfer.download(cid))).to.have.property('name', 'NotStartedError')
    await fetcher.start()
    gate.release()
    const before = fetcher.services.transfer.downloaded
    await fetcher.services.transfer.download(cid, { sources: [sourceOf(ada)] })
    expect(fetcher.services.transfer.downloaded - before).to.be.below(9 * MIB)
    expect(sameBytes(await readAll(fetcher, cid), bytes)).to.equal(true)
  })
})
