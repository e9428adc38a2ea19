import { expect } from 'chai'
import { CID } from 'multiformats/cid'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { memoryStore } from '../../src/store/index.ts'
import { PATIENCE } from '../../src/transfer/constants.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, failure, makePeer, readAll, shareBytes, sourceOf } from '../fixtures/colony.ts'
import { endAfterEach } from '../fixtures/end-after-each.ts'
import { GatedStore } from '../fixtures/gate.ts'
import { until } from '../fixtures/until.ts'
import type { Peer } from '../fixtures/colony.ts'
import type { TransferProgressEvent } from '../../src/transfer/index.ts'
import type { ContentRouting, PeerId } from '@libp2p/interface'

const KIB = 1024
const MIB = 1024 * KIB
const NOWHERE = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')

describe('transfer between nodes', function () {
  this.timeout(60_000)

  let gate: GatedStore

  beforeEach(() => { gate = new GatedStore() })
  // before nodes stop, which wait for what they serve
  afterEach(() => { gate.release() })

  const peers = endAfterEach<Peer>(async peer => peer.stop())

  async function make (...init: Parameters<typeof makePeer>): Promise<Peer> {
    return peers.add(await makePeer(...init))
  }

  for (const size of [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 7]) {
    it(`carries ${size} bytes, from one holder and from two`, async () => {
      const bytes = bytesOf(size)
      const [ada, ben, cleo] = await Promise.all([make(), make(), make()])
      const { cid } = await shareBytes(ada, bytes)
      const entry = await ben.services.transfer.download(cid, { name: 'copy.mkv', path: 'a/b', sources: [sourceOf(ada)] })

      expect(entry).to.include({ name: 'copy.mkv', path: 'a/b', size })
      await cleo.services.transfer.download(cid, { size, sources: [sourceOf(ada), sourceOf(ben)] })
      expect(sameBytes(await readAll(cleo, cid), bytes)).to.equal(true)
    })
  }

  it('finds out the size of a small content when it was told a wrong one, and blames nobody', async () => {
    const bytes = bytesOf(100_000)
    const [ada, ben] = await Promise.all([make(), make()])
    const { cid } = await shareBytes(ada, bytes)
    let banned = 0
    ben.services.transfer.addEventListener('transfer:banned', () => { banned++ })

    for (const size of [99_999, 0, 500_000]) {
      const reader = await make()
      const entry = await reader.services.transfer.download(cid, { size, sources: [sourceOf(ada)] })
      expect(entry.size).to.equal(100_000)
    }

    expect(banned).to.equal(0)
  })

  it('returns at once what is shared already, and fetches once what is asked for twice', async () => {
    const [ada, ben] = await Promise.all([make(), make()])
    const entry = await shareBytes(ada, bytesOf(3 * MIB))
    expect(await ada.services.transfer.download(entry.cid)).to.equal(entry)

    const downloads = await Promise.all([1, 2, 3].map(async () => ben.services.transfer.download(entry.cid, { sources: [sourceOf(ada)] })))
    expect(new Set(downloads).size).to.equal(1)
    expect(ben.services.transfer.downloaded).to.equal(3 * MIB)
  })

  it('reports progress now and then, and the end', async () => {
    const [ada, ben] = await Promise.all([make({ store: gate }), make()])
    const { cid } = await shareBytes(ada, bytesOf(6 * MIB))
    const events: TransferProgressEvent[] = []
    const progressOf = (): Array<{ bytes: number }> => events.filter(event => event.type === 'transfer:progress').map(({ detail }) => detail)
    gate.hold(3 * MIB)
    const start = performance.now()
    const download = ben.services.transfer.download(cid, { sources: [sourceOf(ada)], onProgress: event => { events.push(event) } })
    await Promise.race([download, until(() => progressOf().filter(({ bytes }) => bytes > MIB).length > 1)])
    const half = progressOf().length
    gate.release()
    await download
    const seconds = (performance.now() - start) / 1000
    const progress = progressOf()

    expect(progress.at(-1)).to.include({ size: 6 * MIB, bytes: 6 * MIB, msLeft: 0 })
    expect(progress.slice(0, half).every(({ bytes }) => bytes <= 3 * MIB)).to.equal(true)
    expect(progress.length).to.be.within(3, 10 * seconds + 3)
    expect(events.filter(event => event.type === 'transfer:piece').map(({ detail }) => detail.from.map(String))).to.deep.equal(Array(6).fill([String(ada.peerId)]))
  })

  it('goes on after it was cancelled where it was', async () => {
    const [ada, ben] = await Promise.all([make({ store: gate }), make()])
    const { cid } = await shareBytes(ada, bytesOf(12 * MIB))
    gate.hold(6 * MIB)
    const cancel = new AbortController()
    const reason = new Error('enough')
    const err = await failure(ben.services.transfer.download(cid, {
      sources: [sourceOf(ada)],
      signal: cancel.signal,
      onProgress: ({ type, detail }) => {
        if (type === 'transfer:progress' && detail.bytes >= 4 * MIB) {
          cancel.abort(reason)
        }
      }
    }))
    expect(err).to.equal(reason)
    gate.release()

    const before = ben.services.transfer.downloaded
    const pieces: Array<{ piece: number, from: PeerId[] }> = []
    await ben.services.transfer.download(cid, {
      sources: [sourceOf(ada)],
      onProgress: ({ type, detail }) => {
        if (type === 'transfer:piece') {
          pieces.push(detail)
        }
      }
    })
    expect(ben.services.transfer.downloaded - before).to.be.at.most(8 * MIB)

    const kept = pieces.findIndex(({ from }) => from.length > 0)
    expect(kept).to.be.within(4, 11)
    expect(pieces.slice(kept).flatMap(({ from }) => from.map(String))).to.deep.equal(Array(12 - kept).fill(String(ada.peerId)))
    expect(pieces.map(({ piece }) => piece).sort((a, b) => a - b)).to.deep.equal([...Array(12).keys()])
  })

  it('reads from any offset, while the rest arrives', async () => {
    const bytes = bytesOf(9 * MIB + 5)
    const [ada, ben] = await Promise.all([make({ store: gate }), make()])
    const { cid } = await shareBytes(ada, bytes)
    const sources = [sourceOf(ada)]
    gate.hold(8 * MIB)
    const reading = Promise.all([
      readAll(ben, cid, { sources }),
      readAll(ben, cid, { sources, offset: 7 * MIB - 3, length: 2 * MIB }),
      readAll(ben, cid, { sources, offset: 9 * MIB })
    ])
    await Promise.race([reading, until(() => gate.waiting > 0)])
    gate.release()
    const [whole, part, end] = await reading

    expect(sameBytes(whole, bytes)).to.equal(true)
    expect(sameBytes(part, bytes.subarray(7 * MIB - 3, 9 * MIB - 3))).to.equal(true)
    expect(sameBytes(end, bytes.subarray(9 * MIB))).to.equal(true)
    expect(await failure(readAll(ben, cid, { offset: 10 * MIB }))).to.have.property('name', 'InvalidParametersError')
    expect(await failure(readAll(ben, cid, { offset: -1 }))).to.have.property('name', 'InvalidParametersError')
  })

  it('fetches what is read first, and no more when the reader stops', async () => {
    const store = memoryStore()
    const [ada, ben] = await Promise.all([make({ store: gate }), make({ store })])
    const { cid } = await shareBytes(ada, bytesOf(30 * MIB))
    // it asks for some before it knows what is read
    gate.hold(8 * MIB)

    for await (const bytes of ben.services.transfer.read(cid, { offset: 29 * MIB, sources: [sourceOf(ada)] })) {
      expect(bytes.byteLength).to.equal(MIB)
      break
    }

    // it lets go of its part, and what it does not want any more may come now
    await until(async () => store.part(String(cid), { size: 30 * MIB, name: 'x' }).then(() => true, () => false))
    gate.release()
    await shareBytes(ada, bytesOf(10), 'other').then(async other => ben.services.transfer.download(other.cid, { sources: [sourceOf(ada)] }))
    expect(ben.services.transfer.downloaded).to.be.below(10 * MIB)
  })

  const nobody: Array<[string, () => Promise<object>]> = [
    ['nobody is known', async () => ({})],
    ['those who are known do not have it', async () => ({ sources: [sourceOf(await make())] })],
    ['those who are known cannot be reached', async () => {
      const gone = await make()
      const source = sourceOf(gone)
      await gone.stop()

      return { sources: [source] }
    }]
  ]

  for (const [when, options] of nobody) {
    it(`gives up in time when ${when}`, async () => {
      const ben = await make()
      const start = performance.now()
      const err = await failure(ben.services.transfer.download(NOWHERE, { patience: 700, ...await options() }))

      expect(err).to.have.property('name', 'NotFoundError')
      // well before it would without being told
      expect(performance.now() - start).to.be.below(PATIENCE)
    })
  }

  it('waits for a holder, if told so', async () => {
    const [ada, ben] = await Promise.all([make(), make()])
    const bytes = bytesOf(2 * MIB)
    const { cid } = await shareBytes(await make(), bytes)
    const download = ben.services.transfer.download(cid, { patience: Infinity, sources: [sourceOf(ada)] })
    await new Promise(resolve => { setTimeout(resolve, 500) })
    await shareBytes(ada, bytes)
    await ada.dial(ben.getMultiaddrs())
    await ben.services.transfer.download(cid, { sources: [sourceOf(peers.all[2])] })

    expect((await download).size).to.equal(2 * MIB)
  })

  it('completes those who have a part each, from each other', async () => {
    const bytes = bytesOf(10 * MIB)
    const [ada, ben, cleo] = await Promise.all([make(), make(), make()])
    const { cid } = await shareBytes(ada, bytes)
    const manifest = (await ada.services.catalog.open(cid))!.manifest

    // each has stored the half that the other lacks, in an earlier life
    const halves = await Promise.all([0, 5].map(async from => {
      const store = memoryStore()
      const part = await store.part(String(cid), { size: bytes.byteLength, name: 'x' })

      for (let piece = from; piece < from + 5; piece++) {
        await part.write(piece * PIECE_SIZE, bytes.subarray(piece * PIECE_SIZE, (piece + 1) * PIECE_SIZE))
        await part.mark(piece)
      }

      await part.close()

      return make({ store })
    }))
    expect(manifest.pieceCount).to.equal(10)
    await Promise.all(halves.map(async (half, i) => half.services.transfer.download(cid, {
      patience: 20_000,
      sources: [sourceOf(halves[1 - i]), sourceOf(ada)]
    })))
    await cleo.services.transfer.download(cid, { sources: halves.map(sourceOf) })

    expect(sameBytes(await readAll(cleo, cid), bytes)).to.equal(true)
    expect(ben.services.transfer.downloaded).to.equal(0)
  })

  it('serves what it is still fetching', async () => {
    const [ada, ben, cleo] = await Promise.all([make({ store: gate }), make(), make()])
    const { cid } = await shareBytes(ada, bytesOf(12 * MIB))
    const sources = [ada, ben, cleo].map(sourceOf)
    gate.hold(12 * MIB)
    const downloads = Promise.all([ben, cleo].map(async peer => peer.services.transfer.download(cid, { sources, patience: 30_000 })))
    // of what the holder gave, while it gives no more
    await Promise.race([downloads, until(() => ben.services.transfer.uploaded + cleo.services.transfer.uploaded > 5 * MIB)])
    gate.release()
    await downloads

    expect(ben.services.transfer.uploaded + cleo.services.transfer.uploaded).to.be.above(5 * MIB)
    expect(ada.services.transfer.uploaded).to.be.below(20 * MIB)
  })

  it('goes on when one holder leaves, and fails when the last does', async () => {
    const bytes = bytesOf(24 * MIB)
    const second = new GatedStore()
    const [ada, ben, cleo] = await Promise.all([make({ store: gate }), make({ store: second }), make()])
    const { cid } = await shareBytes(ada, bytes)
    await shareBytes(ben, bytes)
    // more than is waited for below, less than all
    gate.hold(6 * MIB)
    second.hold(16 * MIB)
    const stopping: Array<Promise<void>> = []
    const download = cleo.services.transfer.download(cid, {
      patience: 5_000,
      sources: [sourceOf(ada), sourceOf(ben)],
      onProgress: ({ type, detail }) => {
        if (type === 'transfer:progress' && detail.bytes > 3 * MIB && stopping.length === 0) {
          stopping.push(Promise.resolve(ada.stop()))
        } else if (type === 'transfer:progress' && detail.bytes > 9 * MIB && stopping.length === 1) {
          stopping.push(Promise.resolve(ben.stop()))
        }
      }
    })

    const err = await failure(download)
    second.release()
    expect(err).to.have.property('name', 'NotFoundError')
    expect(stopping).to.have.lengthOf(2)
  })

  it('ends what is unshared', async () => {
    const [ada, ben] = await Promise.all([make({ store: gate }), make()])
    const { cid } = await shareBytes(ada, bytesOf(12 * MIB))
    gate.hold(4 * MIB)
    const sources = [sourceOf(ada)]
    const download = failure(ben.services.transfer.download(cid, { patience: 500, sources }))
    // the most patient counts, so that a slow start is not the end
    const cancel = new AbortController()
    const patient = failure(ben.services.transfer.download(cid, { signal: cancel.signal, sources }))
    await until(() => ben.services.transfer.downloaded > 3 * MIB)
    await ada.services.catalog.unshare(cid)
    gate.release()
    cancel.abort(new Error('enough'))

    expect(await patient).to.have.property('message', 'enough')
    expect(await download).to.have.property('name', 'NotFoundError')
    expect(ben.services.transfer.downloaded).to.be.below(12 * MIB)
  })

  it('keeps to its upload limit', async () => {
    const [ada, ben] = await Promise.all([make({ uploadLimit: 5_000_000 }), make()])
    const { cid } = await shareBytes(ada, bytesOf(5_000_000))
    const start = performance.now()
    await ben.services.transfer.download(cid, { sources: [sourceOf(ada)] })

    // a busy machine may take longer
    expect(performance.now() - start).to.be.above(700)
  })

  it('uses one stream for many small contents, one after another', async () => {
    const [ada, ben] = await Promise.all([make(), make()])
    const entries = await Promise.all(Array.from({ length: 50 }, async (_, i) => shareBytes(ada, bytesOf(5_000 + i, i), `${i}.txt`)))

    for (const { cid, size } of entries) {
      await ben.services.transfer.download(cid, { size, sources: [sourceOf(ada)] })
    }

    const streams = ben.getConnections(ada.peerId).flatMap(({ streams }) => streams).filter(({ protocol }) => protocol.includes('transfer'))
    // the second takes over while the end of a session on the first is under way
    expect(streams.length).to.be.at.most(2)
  })

  it('fetches 200 small contents, 16 at a time', async () => {
    const [ada, ben] = await Promise.all([make(), make()])
    const entries = await Promise.all(Array.from({ length: 200 }, async (_, i) => shareBytes(ada, bytesOf(16_000 + i, i), `${i}.txt`)))
    const rest = entries.values()
    await Promise.all(Array.from({ length: 16 }, async () => {
      for (const { cid, size } of rest) {
        expect((await ben.services.transfer.download(cid, { size, sources: [sourceOf(ada)] })).size).to.equal(size)
      }
    }))

    expect(ben.services.catalog.size).to.equal(200)
  })

  it('asks the content routing who has what, and tells it', async () => {
    const provided: string[] = []
    const ada = await make()
    const routing = {
      provide: async (cid: CID) => { provided.push(String(cid)) },
      async * findProviders () { yield { id: ada.peerId, multiaddrs: ada.getMultiaddrs() } }
    } as unknown as ContentRouting
    const ben = await make({ contentRouters: [() => routing] })
    const { cid } = await shareBytes(ada, bytesOf(2 * MIB))
    expect((await ben.services.transfer.download(cid)).size).to.equal(2 * MIB)

    for (let wait = 1; wait < 4_000 && provided.length === 0; wait *= 2) {
      await new Promise(resolve => { setTimeout(resolve, wait) })
    }

    expect(provided).to.deep.equal([String(cid)])
  })

  it('asks members it is not connected with, where there is membership', async () => {
    const ada = await make()
    const { cid } = await shareBytes(ada, bytesOf(2 * MIB))
    const members = [{ peerId: ada.peerId, addresses: ada.getMultiaddrs(), self: false }]
    const ben = await make({ membership: { members: ({ state }) => state === 'alive' ? members : [] } })
    expect((await ben.services.transfer.download(cid)).size).to.equal(2 * MIB)
  })

  it('refuses options that cannot be used', async () => {
    const ben = await make()
    expect(await failure(ben.services.transfer.download(NOWHERE, { patience: -1 }))).to.have.property('name', 'InvalidParametersError')
    expect(await failure(ben.services.transfer.download(CID.parse('bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'), { patience: 100 }))).to.have.property('name', 'InvalidParametersError')
  })
})
