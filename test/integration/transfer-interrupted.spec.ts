import { expect } from 'chai'
import { memoryStore } from '../../src/store/index.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, makePeer, readAll, shareBytes, sourceOf } from '../fixtures/colony.ts'
import { endAfterEach } from '../fixtures/end-after-each.ts'
import { GatedStore } from '../fixtures/gate.ts'
import type { Peer } from '../fixtures/colony.ts'
import type { Store } from '../../src/store/index.ts'
import type { CID } from 'multiformats/cid'

const MIB = 1024 * 1024

describe('downloads that were interrupted', function () {
  this.timeout(60_000)

  const bytes = bytesOf(12 * MIB)
  let gate: GatedStore

  beforeEach(() => { gate = new GatedStore() })
  // before nodes stop, which wait for what they serve
  afterEach(() => { gate.release() })

  const peers = endAfterEach<Peer>(async peer => peer.stop())
  let origin: Peer
  let cid: CID

  async function make (...init: Parameters<typeof makePeer>): Promise<Peer> {
    return peers.add(await makePeer(...init))
  }

  beforeEach(async () => {
    origin = await make({ store: gate })
    cid = (await shareBytes(origin, bytes)).cid
  })

  /** Reads some pieces of the origin's content and goes away; the store keeps the part. */
  async function interrupted (offset: number, length: number): Promise<Store> {
    const store = memoryStore()
    const peer = await make({ store })
    // it asks for some before it knows what is read, and gets no more of what it does not read
    gate.hold(length + 3 * MIB)
    await readAll(peer, cid, { offset, length, sources: [sourceOf(origin)] })
    await peer.stop()
    gate.release()
    const part = await store.part(String(cid), { size: bytes.byteLength, name: 'x' })
    await part.close()
    expect(part.marked.some((byte, i) => byte !== [0xff, 0xf0][i]), 'a piece is missing').to.equal(true)

    return store
  }

  it('are completed by two who have all pieces between them, when nobody else is left', async () => {
    const stores = [await interrupted(0, 6 * MIB), await interrupted(6 * MIB, 6 * MIB)]
    await origin.stop()
    const [ada, ben] = await Promise.all(stores.map(async store => make({ store })))
    const options = { patience: 20_000 }
    await Promise.all([
      ada.services.transfer.download(cid, { ...options, sources: [sourceOf(ben)] }),
      ben.services.transfer.download(cid, { ...options, sources: [sourceOf(ada)] })
    ])

    for (const [i, peer] of [ada, ben].entries()) {
      expect(peer.services.transfer.downloaded, 'each had its half').to.be.at.most(6 * MIB)
      expect(sameBytes(await readAll(peer, cid), bytes)).to.equal(true)
      expect(await stores[i].kept(String(cid))).to.equal(undefined)
    }
  })

  it('give what is stored with nobody there', async () => {
    const store = await interrupted(2 * MIB, 3 * MIB)
    const peer = await make({ store })
    const read = await readAll(peer, cid, { offset: 2 * MIB + 5, length: 2 * MIB })

    expect(sameBytes(read, bytes.subarray(2 * MIB + 5, 4 * MIB + 5))).to.equal(true)
  })

  it('let a newcomer know the manifest', async () => {
    const store = await interrupted(0, 5 * MIB)
    await origin.stop()
    const [holder, newcomer] = await Promise.all([make({ store }), make()])
    const holding = holder.services.transfer.download(cid, { patience: 30_000 })
    const read = await readAll(newcomer, cid, { offset: MIB, length: 3 * MIB, sources: [sourceOf(holder)] })
    holding.catch(() => {})

    expect(sameBytes(read, bytes.subarray(MIB, 4 * MIB))).to.equal(true)
  })

  it('begin at no piece anew, when what was kept of the manifest is damaged', async () => {
    const store = await interrupted(0, 4 * MIB)
    const part = await store.part(String(cid), { size: bytes.byteLength, name: 'x' })
    await part.keep(Uint8Array.of(1, 2, 3))
    await part.close()
    const peer = await make({ store })
    let banned = 0
    peer.services.transfer.addEventListener('transfer:banned', () => { banned++ })
    await peer.services.transfer.download(cid, { sources: [sourceOf(origin)] })

    expect(peer.services.transfer.downloaded).to.be.at.most(8 * MIB)
    expect(sameBytes(await readAll(peer, cid), bytes)).to.equal(true)
    expect(banned).to.equal(0)
  })
})
