import * as dagPb from '@ipld/dag-pb'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { expect } from 'chai'
import { importByteStream } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import type { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { hashPiece, hashSync, Manifest, ManifestBuilder, MAX_LINKS, PIECE_SIZE } from '../../src/content/index.ts'
import { randomInt, seededRandom } from '../../src/random.ts'
import { sameBytes } from '../fixtures/bytes.ts'

const MIB = 1024 * 1024
const HASH = new Uint8Array(32)

/** One buffer again and again, with a number in front of each piece. */
function * pieces (size: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(PIECE_SIZE).fill(7)
  const view = new DataView(buffer.buffer)

  for (let offset = 0, i = 0; offset < size; offset += PIECE_SIZE, i++) {
    view.setUint32(0, i)
    yield buffer.subarray(0, Math.min(PIECE_SIZE, size - offset))
  }
}

async function build (size: number): Promise<Manifest> {
  const builder = new ManifestBuilder()

  for (const bytes of pieces(size)) {
    builder.add(await hashPiece(bytes), bytes.byteLength)
  }

  return builder.finish()
}

/** What ipfs-unixfs-importer makes of the same bytes: the root, and all nodes but the pieces. */
async function imported (size: number): Promise<{ root: CID, nodes: Map<string, Uint8Array> }> {
  const nodes = new Map<string, Uint8Array>()
  const blockstore = {
    put (cid: CID, bytes: Uint8Array): CID {
      if (cid.code !== raw.code) {
        nodes.set(cid.toString(), bytes)
      }

      return cid
    }
  }

  const { cid } = await importByteStream(pieces(size), blockstore, {
    profile: 'unixfs-v1-2025',
    cidVersion: 1,
    rawLeaves: true,
    reduceSingleLeafToSelf: true,
    wrapWithDirectory: false,
    chunker: fixedSize({ chunkSize: PIECE_SIZE }),
    layout: balanced({ maxChildrenPerNode: MAX_LINKS }),
    // the buffer is used again for the next piece
    blockWriteConcurrency: 1
  })

  return { root: cid, nodes }
}

describe('content: manifest', () => {
  const random = seededRandom(1)
  const sizes = [
    0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 3,
    ...Array.from({ length: 5 }, () => randomInt(random, 20 * MIB)),
    1024 * MIB, 1024 * MIB + 1
  ]

  for (const size of sizes) {
    it(`gives ${size} bytes the CID and nodes that ipfs-unixfs-importer does`, async () => {
      const manifest = await build(size)
      const expected = await imported(size)

      expect(manifest.root.toString()).to.equal(expected.root.toString())
      expect([...manifest.nodes.keys()].sort()).to.deep.equal([...expected.nodes.keys()].sort())

      for (const [cid, bytes] of expected.nodes) {
        expect(sameBytes(manifest.nodes.get(cid) as Uint8Array, bytes), cid).to.equal(true)
      }
    })
  }

  // by the definition of protobuf: ipfs-unixfs-importer 17.1.1 gives another CID each time for sizes from 2 to 4 GiB
  const files = [
    { pieces: 2, data: '080218' + '80808001' + '20808040'.repeat(2) },
    { pieces: 2 * MAX_LINKS, data: '080218' + '8080808008' + '208080808004'.repeat(2) },
    { pieces: 3 * MAX_LINKS + 1, data: '080218' + '8080c0800c' + '208080808004'.repeat(3) + '20808040' },
    { pieces: 4 * MAX_LINKS, data: '080218' + '8080808010' + '208080808004'.repeat(4) }
  ]

  for (const { pieces, data } of files) {
    it(`writes the sizes of ${pieces} pieces as protobuf does`, () => {
      const builder = new ManifestBuilder()

      for (let i = 0; i < pieces; i++) {
        builder.add(HASH, PIECE_SIZE)
      }

      const { root, nodes } = builder.finish()

      expect(bytesToHex(dagPb.decode(nodes.get(root.toString()) as Uint8Array).Data as Uint8Array)).to.equal(data)
    })
  }

  const known = [
    { what: 'nothing', bytes: '', cid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku' },
    { what: 'hello world', bytes: 'hello world', cid: 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e' }
  ]

  for (const { what, bytes, cid } of known) {
    it(`names ${what} as everybody does`, () => {
      const builder = new ManifestBuilder()
      builder.add(hashSync(utf8ToBytes(bytes)), bytes.length)

      expect(builder.finish().root.toString()).to.equal(cid)
    })
  }

  it('hashes the same at once and beside the main thread', async () => {
    expect(await hashPiece(utf8ToBytes('ant'))).to.deep.equal(hashSync(utf8ToBytes('ant')))
  })

  it('is the empty content without any piece', () => {
    const manifest = new ManifestBuilder().finish()

    expect(manifest.root.toString()).to.equal(known[0].cid)
    expect(manifest).to.include({ size: 0, pieceCount: 1 })
    expect(manifest.pieceSize(0)).to.equal(0)
    expect(manifest.hash(0)).to.deep.equal(hashSync(new Uint8Array()))
  })

  it('gives the hash and size of each piece', async () => {
    const size = 2 * MIB + 5
    const manifest = await build(size)
    let i = 0

    for (const bytes of pieces(size)) {
      expect(manifest.hash(i)).to.deep.equal(hashSync(bytes))
      expect(manifest.pieceSize(i++)).to.equal(bytes.byteLength)
    }

    expect(manifest.pieceCount).to.equal(i)
  })

  it('finds hashes across nodes', () => {
    const builder = new ManifestBuilder()
    const count = 2 * MAX_LINKS + 3
    const hash = (i: number): Uint8Array => hashSync(Uint8Array.of(i, i >> 8))

    for (let i = 0; i < count; i++) {
      builder.add(hash(i), PIECE_SIZE)
    }

    const manifest = builder.finish()

    for (const i of [0, 1, MAX_LINKS - 1, MAX_LINKS, 2 * MAX_LINKS, count - 1]) {
      expect(manifest.hash(i), `${i}`).to.deep.equal(hash(i))
    }
  })

  for (const piece of [-1, 3, 1.5, NaN]) {
    it(`has no piece ${piece} among three`, async () => {
      const manifest = await build(2 * MIB + 5)

      expect(() => manifest.hash(piece)).to.throw().with.property('name', 'InvalidParametersError')
      expect(() => manifest.pieceSize(piece)).to.throw().with.property('name', 'InvalidParametersError')
    })
  }

  it('keeps no view of the hashes it is given', () => {
    const hash = Uint8Array.from(HASH)
    const builder = new ManifestBuilder()
    builder.add(hash, PIECE_SIZE)
    builder.add(hash, 1)
    hash.fill(1)

    expect(builder.finish().hash(1)).to.deep.equal(HASH)
  })

  const refused: Array<{ what: string, pieces: Array<[Uint8Array, number]> }> = [
    { what: 'a piece after a short one', pieces: [[HASH, 5], [HASH, PIECE_SIZE]] },
    { what: 'a piece after an empty one', pieces: [[HASH, 0], [HASH, 1]] },
    { what: 'an empty piece after another', pieces: [[HASH, PIECE_SIZE], [HASH, 0]] },
    { what: 'a piece that is too large', pieces: [[HASH, PIECE_SIZE + 1]] },
    { what: 'a negative size', pieces: [[HASH, -1]] },
    { what: 'a broken size', pieces: [[HASH, 0.5]] },
    { what: 'a size that is not a number', pieces: [[HASH, NaN]] },
    { what: 'a short hash', pieces: [[HASH.subarray(1), 5]] },
    { what: 'a long hash', pieces: [[new Uint8Array(33), 5]] }
  ]

  for (const { what, pieces } of refused) {
    it(`refuses ${what}`, () => {
      const builder = new ManifestBuilder()

      expect(() => {
        for (const [hash, size] of pieces) {
          builder.add(hash, size)
        }
      }).to.throw().with.property('name', 'InvalidParametersError')
    })
  }

  it('is finished once', () => {
    const builder = new ManifestBuilder()
    builder.finish()

    expect(() => builder.finish()).to.throw().with.property('name', 'InvalidParametersError')
    expect(() => { builder.add(HASH, 1) }).to.throw().with.property('name', 'InvalidParametersError')
  })

  it('is made of a CID alone if there is one piece', async () => {
    const { root, size } = await build(12)
    const manifest = Manifest.single(root, size)

    expect(manifest).to.include({ root, size: 12, pieceCount: 1 })
    expect(manifest.hash(0)).to.deep.equal(root.multihash.digest)
    expect(manifest.pieceSize(0)).to.equal(12)
    expect(manifest.nodes.size).to.equal(0)
  })

  it('refuses a single piece that cannot be', async () => {
    const { root } = await build(12)
    const large = (await build(MIB + 1)).root

    for (const size of [-1, PIECE_SIZE + 1, NaN, 1.5]) {
      expect(() => Manifest.single(root, size), `${size}`).to.throw().with.property('name', 'InvalidParametersError')
    }

    expect(() => Manifest.single(large, 12)).to.throw().with.property('name', 'InvalidParametersError')
  })
})
