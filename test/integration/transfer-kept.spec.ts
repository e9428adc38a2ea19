import { expect } from 'chai'
import { memoryStore } from '../../src/store/index.ts'
import { transfer } from '../../src/transfer/index.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, failure, makeBare, makePeer, readAll, shareBytes, sourceOf } from '../fixtures/colony.ts'
import type { Peer } from '../fixtures/colony.ts'
import type { Catalog } from '../../src/catalog/index.ts'
import type { CID } from 'multiformats/cid'

const MIB = 1024 * 1024

/** All bytes that a catalog has of a content. */
async function bytesIn (catalog: Catalog, cid: CID): Promise<Uint8Array> {
  const content = await catalog.open(cid)

  try {
    return await content?.read(0, content.manifest.size) ?? new Uint8Array()
  } finally {
    await content?.close()
  }
}

describe('transfer with a catalog of what is kept', function () {
  this.timeout(60_000)

  let ada: Peer
  let ben: Peer
  let cleo: Peer
  const bytes = bytesOf(5 * MIB + 3)

  beforeEach(async () => {
    [ada, ben, cleo] = await Promise.all([makePeer(), makePeer(), makePeer()])
  })

  afterEach(async () => {
    await Promise.all([ada, ben, cleo].map(async peer => peer.stop()))
  })

  it('adds to it what is fetched for it, and serves that to anybody', async () => {
    const { cid } = await shareBytes(ada, bytes)
    const entry = await ben.services.transfer.download(cid, { into: 'kept', name: 'kept.bin', sources: [sourceOf(ada)] })
    expect(entry).to.include({ name: 'kept.bin', size: bytes.byteLength })
    expect([ben.services.catalog.size, ben.services.kept.size]).to.deep.equal([0, 1])
    await ada.stop()

    expect(sameBytes(await readAll(cleo, cid, { sources: [sourceOf(ben)] }), bytes)).to.equal(true)
    expect(sameBytes(await readAll(ben, cid), bytes)).to.equal(true)
    expect(await ben.services.transfer.download(cid, { into: 'kept' })).to.equal(entry)
  })

  for (const [first, second] of [['catalog', 'kept'], ['kept', 'catalog']] as const) {
    it(`copies from ${first} to ${second} without the network, and either may go then`, async () => {
      const { cid } = await shareBytes(ada, bytes)
      await ben.services.transfer.download(cid, { into: first, sources: [sourceOf(ada)] })
      await ada.stop()
      const before = ben.services.transfer.downloaded
      const pieces: number[] = []
      const copies = await Promise.all([1, 2].map(async () => ben.services.transfer.download(cid, {
        into: second,
        name: 'copy',
        path: 'a/b',
        onProgress: ({ type, detail }) => {
          if (type === 'transfer:piece') {
            pieces.push(detail.piece)
          }
        }
      })))

      expect(copies[0]).to.equal(copies[1])
      expect(copies[0]).to.include({ name: 'copy', path: 'a/b', size: bytes.byteLength })
      expect(pieces.sort()).to.deep.equal([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
      expect(ben.services.transfer.downloaded).to.equal(before)
      expect(await ben.services[first].unshare(cid)).to.equal(1)
      expect(sameBytes(await bytesIn(ben.services[second], cid), bytes)).to.equal(true)
      expect(sameBytes(await readAll(cleo, cid, { sources: [sourceOf(ben)] }), bytes)).to.equal(true)
    })
  }

  it('fetches once what is wanted in both at once', async () => {
    const { cid } = await shareBytes(ada, bytes)
    await Promise.all((['catalog', 'kept', 'kept', 'catalog'] as const).map(async into =>
      ben.services.transfer.download(cid, { into, sources: [sourceOf(ada)] })))

    expect(ben.services.transfer.downloaded).to.equal(bytes.byteLength)
    expect([ben.services.catalog.size, ben.services.kept.size]).to.deep.equal([1, 1])
    await ben.services.catalog.unshare(cid)
    expect(sameBytes(await bytesIn(ben.services.kept, cid), bytes)).to.equal(true)
  })

  it('adds nothing where nobody wants it any more, and goes on for the others', async () => {
    const [slow] = await Promise.all([makePeer({ uploadLimit: 8_000_000 })])

    try {
      const { cid } = await shareBytes(slow, bytes)
      const cancel = new AbortController()
      const sources = [sourceOf(slow)]
      const cancelled = failure(ben.services.transfer.download(cid, {
        sources,
        signal: cancel.signal,
        onProgress: ({ type }) => {
          if (type === 'transfer:piece') {
            cancel.abort(new Error('enough'))
          }
        }
      }))
      const kept = ben.services.transfer.download(cid, { into: 'kept', sources })

      expect(await cancelled).to.have.property('message', 'enough')
      expect(await kept).to.include({ size: bytes.byteLength })
      expect([ben.services.catalog.size, ben.services.kept.size]).to.deep.equal([0, 1])
    } finally {
      await slow.stop()
    }
  })

  it('fetches what the other catalog has no more, or not as it should be', async () => {
    const store = memoryStore()
    const dan = await makePeer({ store })

    try {
      const { cid } = await shareBytes(ada, bytes)
      const { manifest } = await ada.services.catalog.open(cid) ?? {}
      // a piece that is wrong where it lies
      const part = await store.part('wrong', { size: bytes.byteLength, name: 'wrong' })
      await part.write(0, bytes)
      await part.write(2 * MIB, new Uint8Array(10))
      const { location, version } = await part.finish()
      await dan.services.catalog.add({ manifest: manifest!, name: 'wrong', location, version })
      await dan.services.transfer.download(cid, { into: 'kept', sources: [sourceOf(ada)] })

      expect(sameBytes(await bytesIn(dan.services.kept, cid), bytes)).to.equal(true)
      expect(dan.services.transfer.downloaded).to.equal(3 * MIB + 3)
    } finally {
      await dan.stop()
    }
  })

  it('goes on serving from one when the other gives a content up', async () => {
    const slow = await makePeer({ uploadLimit: 8_000_000 })

    try {
      const { cid } = await shareBytes(slow, bytes)
      await slow.services.transfer.download(cid, { into: 'kept' })
      let given: Promise<number> | undefined
      await ben.services.transfer.download(cid, {
        sources: [sourceOf(slow)],
        onProgress: ({ type }) => {
          if (type === 'transfer:piece') {
            given ??= slow.services.catalog.unshare(cid)
          }
        }
      })

      expect(await given).to.equal(1)
      expect(sameBytes(await bytesIn(ben.services.catalog, cid), bytes)).to.equal(true)
    } finally {
      await slow.stop()
    }
  })

  it('ends a copy that nobody waits for, and goes on where it was', async () => {
    const { cid } = await shareBytes(ada, bytes)
    const cancel = new AbortController()
    const err = await failure(ada.services.transfer.download(cid, {
      into: 'kept',
      signal: cancel.signal,
      onProgress: ({ type }) => {
        if (type === 'transfer:piece') {
          cancel.abort(new Error('enough'))
        }
      }
    }))
    expect(err).to.have.property('message', 'enough')
    expect(ada.services.kept.size).to.equal(0)
    await ada.services.transfer.download(cid, { into: 'kept' })

    expect(sameBytes(await bytesIn(ada.services.kept, cid), bytes)).to.equal(true)
    expect(ada.services.transfer.downloaded).to.equal(0)
  })

  it('refuses a catalog that is not there', async () => {
    const { cid } = await shareBytes(ada, bytesOf(10))
    const bare = await makeBare({ services: { transfer: transfer({ store: memoryStore() }) } }) as unknown as Peer

    try {
      expect(await failure(ben.services.transfer.download(cid, { into: 'other' as 'kept' }))).to.have.property('name', 'InvalidParametersError')
      expect(await failure(bare.services.transfer.download(cid, { into: 'kept' }))).to.have.property('name', 'InvalidParametersError')
    } finally {
      await bare.stop()
    }
  })
})
