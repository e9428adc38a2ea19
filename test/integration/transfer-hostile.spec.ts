import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { CID } from 'multiformats/cid'
import { Uint8ArrayList } from 'uint8arraylist'
import { hashSync, PIECE_SIZE } from '../../src/content/index.ts'
import { StoreFullError, StoreWriteError } from '../../src/errors.ts'
import { memoryStore } from '../../src/store/index.ts'
import { decodeMessage, encodeBlock, encodeMessage } from '../../src/transfer/codec.ts'
import { transferProtocol } from '../../src/transfer/constants.ts'
import { parseMessage } from '../../src/transfer/core/messages.ts'
import { encodeFrame, FrameDecoder } from '../../src/wire/frame.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, failure, makeBare, makePeer, readAll, shareBytes, sourceOf } from '../fixtures/colony.ts'
import { endAfterEach } from '../fixtures/end-after-each.ts'
import { memoryUse } from '../fixtures/memory-use.ts'
import type { Store } from '../../src/store/index.ts'
import type { AnyMessage } from '../../src/transfer/core/messages.ts'
import type { DownloadOptions } from '../../src/transfer/index.ts'
import type { Peer } from '../fixtures/colony.ts'
import type { Entry } from '../../src/content/index.ts'
import type { Libp2p, Stream } from '@libp2p/interface'

const MIB = 1024 * 1024
const PROTOCOL = transferProtocol('formicary')

type Answer = (message: AnyMessage, send: (...messages: AnyMessage[]) => void, stream: Stream) => void

/** Calls back for each message of a stream. */
function listen (stream: Stream, answer: Answer): void {
  const frames = new FrameDecoder(1 << 20)
  const send = (...messages: AnyMessage[]): void => {
    if (stream.writeStatus === 'writable') {
      messages.forEach(message => stream.send(encodeMessage(message)))
    }
  }
  stream.addEventListener('message', ({ data }) => {
    for (const body of frames.push(data)) {
      answer(parseMessage(decodeMessage(body)), send, stream)
    }
  })
}

describe('transfer among hostile peers', function () {
  this.timeout(60_000)

  const nodes = endAfterEach<{ stop: () => Promise<void> | void }>(node => node.stop())
  let honest: Peer
  let entry: Entry
  let bytes: Uint8Array

  async function peer (...init: Parameters<typeof makePeer>): Promise<Peer> {
    return nodes.add(await makePeer(...init))
  }

  /** A peer that answers as told. It says that it has everything, and lets everybody in. */
  async function liar (answer: Answer): Promise<Libp2p> {
    const made = nodes.add(await makeBare())
    await made.handle(PROTOCOL, stream => { listen(stream, answer) }, { maxInboundStreams: 1000 })

    return made
  }

  beforeEach(async () => {
    // slow enough that whoever else there is, is asked
    honest = await peer({ uploadLimit: 30_000_000 })
    bytes = bytesOf(4 * MIB + 5)
    entry = await shareBytes(honest, bytes)
  })

  /** Greets like a holder, and leaves the rest to `answer`. */
  function holder (answer: Answer): Answer {
    return (message, send, stream) => {
      if (message.type === 'hello') {
        send({ type: 'hello', root: message.root, have: 'all', size: entry.size }, { type: 'unchoke' })
      }

      answer(message, send, stream)
    }
  }

  async function manifestOf (): Promise<Map<string, Uint8Array>> {
    const content = await honest.services.catalog.open(entry.cid)
    await content?.close()

    return content?.manifest.nodes as Map<string, Uint8Array>
  }

  async function downloadBeside (other: Libp2p, onProgress?: DownloadOptions['onProgress']): Promise<Peer> {
    const fetcher = await peer()
    await fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(other), sourceOf(honest)], onProgress })
    expect(sameBytes(await readAll(fetcher, entry.cid), bytes)).to.equal(true)

    return fetcher
  }

  it('bans who sends wrong bytes, and refuses it from then on', async () => {
    const nodes = await manifestOf()
    let asked = 0
    const bad = await liar(holder((message, send, stream) => {
      if (message.type === 'manifest') {
        send({ type: 'node', cid: message.cid, bytes: nodes.get(String(CID.decode(message.cid))) })
      } else if (message.type === 'request') {
        asked++

        for (let begin = message.begin; begin < message.begin + message.length; begin += 65_536) {
          stream.send(new Uint8ArrayList(...encodeBlock(message.piece, begin, new Uint8Array(Math.min(65_536, message.begin + message.length - begin)))))
        }
      }
    }))
    const fetcher = await peer()
    const banned: string[] = []
    const ban = new Promise<void>(resolve => {
      fetcher.services.transfer.addEventListener('transfer:banned', ({ detail }) => {
        banned.push(String(detail.peer))
        resolve()
      })
    })
    const download = fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(bad)] })
    // it also unchokes before it is known what there is to be asked for; an honest source too early might have sent everything before the bad one is asked
    await Promise.race([ban, download])
    await fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(honest)] })
    await download

    expect(sameBytes(await readAll(fetcher, entry.cid), bytes)).to.equal(true)
    expect(asked).to.be.above(0)
    expect(banned).to.deep.equal([String(bad.peerId)])
    const other = await shareBytes(honest, bytesOf(100, 7), 'other')
    expect(await failure(fetcher.services.transfer.download(other.cid, { patience: 500, sources: [sourceOf(bad)] }))).to.have.property('name', 'NotFoundError')
    const stream = await bad.dialProtocol(fetcher.getMultiaddrs(), PROTOCOL).catch(() => undefined)

    while (stream?.status === 'open') {
      await new Promise(resolve => { setTimeout(resolve, 10) })
    }
  })

  it('bans who sends wrong nodes of a manifest', async () => {
    const bad = await liar(holder((message, send) => {
      if (message.type === 'manifest') {
        send({ type: 'node', cid: message.cid, bytes: new Uint8Array(100) })
      }
    }))
    const fetcher = await peer()
    let banned = 0
    const ban = new Promise<void>(resolve => {
      fetcher.services.transfer.addEventListener('transfer:banned', () => {
        banned++
        resolve()
      })
    })
    const download = fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(bad)] })
    // an honest source too early might have sent all nodes before the bad one is asked
    await Promise.race([ban, download])
    await fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(honest)] })
    await download

    expect(banned).to.equal(1)
  })

  const rude: Array<[string, Answer]> = [
    ['sends blocks that nobody asked for', holder((message, _send, stream) => {
      if (message.type === 'interested' || message.type === 'manifest') {
        stream.send(new Uint8ArrayList(...encodeBlock(3, 65_536, new Uint8Array(65_536))))
      }
    })],
    ['sends blocks of the wrong length', holder((message, _send, stream) => {
      if (message.type === 'request') {
        stream.send(new Uint8ArrayList(...encodeBlock(message.piece, message.begin, new Uint8Array(7))))
      }
    })],
    ['sends each block twice', holder((message, _send, stream) => {
      if (message.type === 'request') {
        for (const begin of [message.begin, message.begin]) {
          stream.send(new Uint8ArrayList(...encodeBlock(message.piece, begin, bytes.subarray(message.piece * PIECE_SIZE + begin).subarray(0, 65_536))))
        }
      }
    })],
    ['sends something else than MessagePack', (_message, _send, stream) => { stream.send(encodeFrame(Uint8Array.of(0xc1, 0xc1))) }],
    ['sends a message that there is not', (_message, _send, stream) => { stream.send(encodeFrame(encode({ type: 'please' }))) }],
    ['announces a frame of 4 GiB', (_message, _send, stream) => { stream.send(Uint8Array.of(255, 255, 255, 255, 1, 2, 3)) }],
    ['begins a frame and never ends it', (_message, _send, stream) => { stream.send(Uint8Array.of(0, 1, 0, 0, 1)) }],
    ['speaks before it says hello', (_message, send) => { send({ type: 'unchoke' }) }],
    ['says hello twice', (message, send) => {
      if (message.type === 'hello') {
        send(message, message)
      }
    }],
    ['says that it has pieces in a bitfield of the wrong length', (message, send) => {
      if (message.type === 'hello') {
        send({ ...message, have: new Uint8Array(99).fill(255) }, { type: 'unchoke' })
      }
    }],
    ['says that it has a piece that does not exist', holder((_message, send) => { send({ type: 'have', piece: 1_000_000 }) })],
    ['rejects everything', holder((message, send) => {
      if (message.type === 'request') {
        send({ ...message, type: 'reject' })
      }
    })],
    ['asks for more than there is', holder((_message, send) => { send({ type: 'interested' }, { type: 'request', piece: 4, begin: 0, length: 1_048_576 }) })],
    ['floods with requests', holder((message, send) => {
      if (message.type === 'hello') {
        send({ type: 'interested' }, ...Array.from({ length: 5_000 }, () => ({ type: 'request' as const, piece: 0, begin: 0, length: 65_536 })))
      }
    })],
    ['floods with questions for nodes', holder((message, send) => {
      if (message.type === 'hello') {
        send(...Array.from({ length: 5_000 }, () => ({ type: 'manifest' as const, cid: entry.cid.bytes })))
      }
    })],
    ['asks for nodes by something that is no CID', holder((_message, send) => { send({ type: 'manifest', cid: Uint8Array.of(1, 2, 3) }) })]
  ]

  for (const [what, answer] of rude) {
    it(`ends a download beside one that ${what}`, async () => {
      const fetcher = await downloadBeside(await liar(answer))

      // and goes on serving
      const reader = await peer()
      expect((await reader.services.transfer.download(entry.cid, { sources: [sourceOf(fetcher)] })).size).to.equal(entry.size)
    })
  }

  it('ends a download beside one that says hello and nothing more', async () => {
    const silent = await liar(holder(() => {}))
    const said: string[] = []
    await downloadBeside(silent, ({ type, detail }) => {
      if (type === 'transfer:piece') {
        said.push('piece')
      } else if (type === 'transfer:peer' && detail.peer.equals(silent.peerId)) {
        said.push(detail.state)
      }
    })

    // all came before the silent one was given up
    expect(said.filter(what => what === 'piece')).to.have.lengthOf(5)
    expect(said.slice(0, said.lastIndexOf('piece'))).to.include('joined').and.not.include('left')
  })

  it('gives up on a holder that says hello and nothing more, in time', async () => {
    const silent = await liar(holder(() => {}))
    const fetcher = await peer()
    const err = await failure(fetcher.services.transfer.download(entry.cid, { patience: 1_000, sources: [sourceOf(silent)] }))

    expect(err).to.have.property('name', 'NotFoundError')
  })

  const holders: Array<[string, (stream: Stream, root: Uint8Array) => void]> = [
    ['hellos', (stream, root) => {
      for (let i = 0; i < 2_000; i++) {
        stream.send(encodeMessage({ type: 'hello', root, have: 'none' }))
      }
    }],
    ['requests without end', (stream, root) => {
      stream.send(encodeMessage({ type: 'hello', root, have: 'none' }))
      stream.send(encodeMessage({ type: 'interested' }))

      // a hundred in one go, or this process would have more to do with sending them than with taking them
      const requests = Array.from({ length: 100 }, (_, i) => encodeMessage({ type: 'request', piece: i % 4, begin: 0, length: PIECE_SIZE }))

      for (let i = 0; i < 200 && stream.writeStatus === 'writable'; i++) {
        stream.send(new Uint8ArrayList(...requests))
      }
    }],
    ['requests out of range', (stream, root) => {
      stream.send(encodeMessage({ type: 'hello', root, have: 'none' }))
      stream.send(encodeMessage({ type: 'request', piece: 999, begin: 0, length: 65_536 }))
    }],
    ['roots that are no CID', stream => { stream.send(encodeMessage({ type: 'hello', root: Uint8Array.of(9, 9, 9), have: 'none' })) }],
    ['nothing', () => {}]
  ]

  for (const [what, attack] of holders) {
    it(`serves others while somebody sends ${what} on many streams`, async () => {
      const bad = await makeBare()
      nodes.add(bad)
      const connection = await bad.dial(honest.getMultiaddrs())
      const before = memoryUse().all

      await Promise.all(Array.from({ length: 30 }, async () => {
        try {
          attack(await connection.newStream(PROTOCOL, { maxOutboundStreams: 1000 }), entry.cid.bytes)
        } catch {
          // it was thrown out already
        }
      }))
      const fetcher = await peer()
      expect((await fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(honest)], patience: 30_000 })).size).to.equal(entry.size)
      expect((memoryUse().all - before) / MIB).to.be.below(256)
    })
  }

  it('refuses a manifest that lies about sizes, whoever gives it', async () => {
    const node = encode({ not: 'dag-pb' })
    const digest = hashSync(node)
    const root = CID.decode(Uint8Array.of(1, 0x70, 0x12, 32, ...digest))
    const bad = await liar((message, send) => {
      if (message.type === 'hello') {
        send({ type: 'hello', root: message.root, have: 'all', size: 2 ** 39 }, { type: 'unchoke' })
      } else if (message.type === 'manifest') {
        send({ type: 'node', cid: message.cid, bytes: node })
      }
    })
    const fetcher = await peer()

    expect(await failure(fetcher.services.transfer.download(root, { sources: [sourceOf(bad)] }))).to.have.property('name', 'InvalidManifestError')
  })

  const broken: Array<[string, Error]> = [
    ['is full', new StoreFullError()],
    ['cannot write', new StoreWriteError()]
  ]

  for (const [what, error] of broken) {
    it(`says so when the store ${what}, and goes on when it can`, async () => {
      const inner = memoryStore()
      let left = 2
      const store: Store = {
        parts: inner.parts.bind(inner),
        kept: inner.kept.bind(inner),
        open: inner.open.bind(inner),
        delete: inner.delete.bind(inner),
        async part (...args) {
          const part = await inner.part(...args)
          const write = part.write.bind(part)
          part.write = async (offset, bytes) => {
            if (left-- <= 0) {
              throw error
            }

            await write(offset, bytes)
          }

          return part
        }
      }
      const fetcher = await peer({ store })
      expect(await failure(fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(honest)] }))).to.equal(error)

      left = Infinity
      const before = fetcher.services.transfer.downloaded
      await fetcher.services.transfer.download(entry.cid, { sources: [sourceOf(honest)] })
      expect(fetcher.services.transfer.downloaded - before).to.be.below(entry.size)
      expect(sameBytes(await readAll(fetcher, entry.cid), bytes)).to.equal(true)
    })
  }
})
