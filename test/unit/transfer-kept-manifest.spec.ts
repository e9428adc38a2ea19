import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { hashSync, ManifestBuilder, PIECE_SIZE } from '../../src/content/index.ts'
import { memoryStore } from '../../src/store/index.ts'
import { keepManifest, keptManifest } from '../../src/transfer/kept-manifest.ts'
import type { Manifest } from '../../src/content/index.ts'
import type { Store } from '../../src/store/index.ts'

const log = defaultLogger().forComponent('formicary:test')
const { signal } = new AbortController()

/** The manifest of a content whose pieces are not needed. */
function manifestOf (pieceCount: number, lastSize: number, seed = 0): Manifest {
  const builder = new ManifestBuilder()

  for (let piece = 0; piece < pieceCount; piece++) {
    builder.add(hashSync(Uint8Array.of(seed, piece, piece >> 8)), piece < pieceCount - 1 ? PIECE_SIZE : lastSize)
  }

  return builder.finish()
}

/** A store that has kept these bytes with a part, whatever the part. */
function storeOf (kept: () => Promise<Uint8Array | undefined>): Store {
  return Object.assign(memoryStore(), { kept })
}

/** What is kept of a manifest. */
async function bytesKept (manifest: Manifest): Promise<Uint8Array> {
  const store = memoryStore({ limit: Infinity })
  const key = String(manifest.root)
  const part = await store.part(key, { size: manifest.size, name: 'x' })
  await keepManifest(part, manifest, log)
  await part.close()

  return await store.kept(key) as Uint8Array
}

describe('transfer: the manifest kept with a part', () => {
  for (const [pieces, lastSize] of [[2, 1], [2, PIECE_SIZE], [1024, 5], [1025, 5], [20_000, 7]]) {
    it(`is the same again, of ${pieces} pieces, the last of ${lastSize} bytes`, async () => {
      const manifest = manifestOf(pieces, lastSize)
      const bytes = await bytesKept(manifest)
      const kept = await keptManifest({ store: storeOf(async () => bytes), key: String(manifest.root), cid: manifest.root, log }, { signal })

      expect(kept).to.deep.include({ size: manifest.size, pieceCount: pieces, nodes: manifest.nodes })
      expect(kept?.hash(pieces - 1)).to.deep.equal(manifest.hash(pieces - 1))
      expect(bytes.byteLength).to.equal(8 + 32 * pieces)
    })
  }

  it('is none if nothing was kept, or the store cannot say', async () => {
    const { root } = manifestOf(2, 5)

    expect(await keptManifest({ store: memoryStore(), key: String(root), cid: root, log }, { signal })).to.equal(undefined)
    expect(await keptManifest({ store: storeOf(async () => { throw new Error('broken') }), key: String(root), cid: root, log }, { signal })).to.equal(undefined)
  })

  const manifest = manifestOf(3, 5)
  const damages: Array<[what: string, (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>]> = [
    ['empty', () => new Uint8Array()],
    ['all zero', bytes => new Uint8Array(bytes.byteLength)],
    ['only a size', bytes => bytes.slice(0, 8)],
    ['cut by a byte', bytes => bytes.slice(0, -1)],
    ['a byte too long', bytes => Uint8Array.from([...bytes, 0])],
    ['a hash too long', bytes => Uint8Array.from([...bytes, ...bytes.slice(-32)])],
    ['of another size', bytes => bytes.with(7, 6)],
    ['of a size beyond all', bytes => bytes.fill(255, 0, 8)],
    ['wrong in a bit of a hash', bytes => bytes.with(50, bytes[50] ^ 1)],
    ['that of another content', async () => bytesKept(manifestOf(3, 5, 1))],
    ['that of one piece', () => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 5, ...manifest.hash(0)])]
  ]

  for (const [what, damage] of damages) {
    it(`is not believed if it is ${what}`, async () => {
      const bytes = await damage(await bytesKept(manifest))

      expect(await keptManifest({ store: storeOf(async () => bytes), key: String(manifest.root), cid: manifest.root, log }, { signal })).to.equal(undefined)
    })
  }

  it('is read where it lies in something larger', async () => {
    const bytes = await bytesKept(manifest)
    const larger = new Uint8Array(bytes.byteLength + 7)
    larger.set(bytes, 7)

    expect((await keptManifest({ store: storeOf(async () => larger.subarray(7)), key: String(manifest.root), cid: manifest.root, log }, { signal }))?.size).to.equal(manifest.size)
  })

  it('is not put together any more once nobody wants it', async () => {
    const large = manifestOf(20_000, 7)
    const bytes = await bytesKept(large)
    const cancel = new AbortController()
    const store = storeOf(async () => {
      cancel.abort(new RangeError('enough'))

      return bytes
    })
    const kept = keptManifest({ store, key: String(large.root), cid: large.root, log }, cancel)

    expect(await kept.catch((err: Error) => err)).to.have.property('name', 'RangeError')
  })

  it('stops nothing if there is no room for it', async () => {
    const store = memoryStore()
    const part = await store.part(String(manifest.root), { size: manifest.size, name: 'x' })
    part.keep = async () => { throw new Error('full') }
    await keepManifest(part, manifest, log)
    await part.close()

    expect(await store.kept(String(manifest.root))).to.equal(undefined)
  })
})
