import * as dagPb from '@ipld/dag-pb'
import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { expect } from 'chai'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { hashSync, ManifestBuilder, ManifestReader, MAX_LINKS, MAX_NODE_SIZE, PIECE_SIZE } from '../../src/content/index.ts'
import { seededRandom, shuffle } from '../../src/random.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import type { Manifest } from '../../src/content/index.ts'

const GIB = PIECE_SIZE * MAX_LINKS

/** A manifest of made-up hashes; `same` gives all pieces the same one. */
function manifestOf (size: number, same = false): Manifest {
  const builder = new ManifestBuilder()
  const hash = new Uint8Array(32)
  const view = new DataView(hash.buffer)

  for (let offset = 0; offset < size; offset += PIECE_SIZE) {
    view.setFloat64(0, same ? 0 : offset)
    builder.add(hash, Math.min(PIECE_SIZE, size - offset))
  }

  return builder.finish()
}

function give (reader: ManifestReader, nodes: ReadonlyMap<string, Uint8Array>, cid: CID): void {
  reader.accept(cid, nodes.get(cid.toString()) as Uint8Array)
}

function readAll (reader: ManifestReader, nodes: ReadonlyMap<string, Uint8Array>): Manifest {
  const random = seededRandom(1)

  while (reader.manifest == null) {
    const wanted = shuffle(random, reader.wanted())
    expect(wanted).to.have.length.above(0)
    wanted.forEach(cid => { give(reader, nodes, cid) })
  }

  return reader.manifest
}

function cidOf (bytes: Uint8Array, codec: number = dagPb.code): CID {
  return CID.createV1(codec, Digest.create(0x12, hashSync(bytes)))
}

interface Link { hash?: CID, name?: string, tsize?: number }

/** A node by hand, to be wrong in one way at a time. */
function node (links: Link[], blockSizes: number[], init: object = {}): Uint8Array {
  return dagPb.encode(dagPb.prepare({
    Data: new UnixFS({ type: 'file', blockSizes: blockSizes.map(BigInt), ...init }).marshal(),
    Links: links.map(({ hash, name, tsize }) => ({ Hash: hash ?? LEAF, Name: name ?? '', Tsize: tsize ?? PIECE_SIZE }))
  }))
}

const LEAF = cidOf(Uint8Array.of(1), raw.code)
const INNER = cidOf(Uint8Array.of(1))
const GOOD = node([{}, { tsize: 5 }], [PIECE_SIZE, 5])

describe('content: reader', () => {
  for (const { what, size } of [
    { what: 'two pieces', size: PIECE_SIZE + 1 },
    { what: 'one full node', size: GIB },
    { what: 'a second node of one byte', size: GIB + 1 },
    { what: 'three nodes', size: 2 * GIB + 3 * PIECE_SIZE }
  ]) {
    it(`rebuilds the manifest of ${what}`, () => {
      const manifest = manifestOf(size)
      const reader = new ManifestReader(manifest.root)
      const read = readAll(reader, manifest.nodes)

      expect(read).to.include({ size, pieceCount: manifest.pieceCount })
      expect(read.root.equals(manifest.root)).to.equal(true)
      expect([...read.nodes].sort()).to.deep.equal([...manifest.nodes].sort())
      expect(reader.wanted()).to.have.lengthOf(0)

      for (let i = 0; i < read.pieceCount; i++) {
        expect(sameBytes(read.hash(i), manifest.hash(i))).to.equal(true)
      }
    })
  }

  it('rebuilds a manifest of three levels, of nodes that repeat', () => {
    const size = GIB * MAX_LINKS + 1
    const manifest = manifestOf(size, true)
    const read = readAll(new ManifestReader(manifest.root, { maxSize: size }), manifest.nodes)

    expect(read).to.include({ size, pieceCount: MAX_LINKS * MAX_LINKS + 1 })
    expect(read.hash(MAX_LINKS * MAX_LINKS)).to.deep.equal(manifest.hash(0))
    expect(read.nodes.size).to.equal(manifest.nodes.size).that.equals(5)
  })

  it('wants no more at once than asked', () => {
    const manifest = manifestOf(100 * GIB)
    const reader = new ManifestReader(manifest.root)
    give(reader, manifest.nodes, manifest.root)

    expect(reader.wanted()).to.have.lengthOf(64)
    expect(reader.wanted(7)).to.have.lengthOf(7)
    expect(reader.wanted(1000)).to.have.lengthOf(100)
  })

  it('accepts from another what one got wrong', () => {
    const manifest = manifestOf(GIB + 1)
    const reader = new ManifestReader(manifest.root)

    for (const bytes of [new Uint8Array(), GOOD, new Uint8Array(MAX_NODE_SIZE + 1), Uint8Array.of(...GOOD, 0)]) {
      expect(() => { reader.accept(manifest.root, bytes) }).to.throw().with.property('name', 'InvalidManifestError')
      expect(reader.wanted().map(String)).to.deep.equal([manifest.root.toString()])
    }

    expect(reader.invalid).to.equal(undefined)
    expect(readAll(reader, manifest.nodes).size).to.equal(GIB + 1)
  })

  it('refuses nodes it did not ask for, and those it has', () => {
    const manifest = manifestOf(GIB + 1)
    const reader = new ManifestReader(manifest.root)

    expect(() => { reader.accept(cidOf(GOOD), GOOD) }).to.throw('not wanted')
    give(reader, manifest.nodes, manifest.root)
    expect(() => { give(reader, manifest.nodes, manifest.root) }).to.throw('not wanted')
    expect(readAll(reader, manifest.nodes).size).to.equal(GIB + 1)
  })

  it('keeps no view of the bytes it is given', () => {
    const bytes = Uint8Array.from(GOOD)
    const reader = new ManifestReader(cidOf(GOOD))
    reader.accept(cidOf(GOOD), bytes)
    bytes.fill(0)

    expect(reader.manifest?.hash(1)).to.deep.equal(LEAF.multihash.digest)
    expect(reader.manifest?.nodes.get(cidOf(GOOD).toString())).to.deep.equal(GOOD)
  })

  it('refuses a size over its limit', () => {
    const reader = new ManifestReader(cidOf(GOOD), { maxSize: PIECE_SIZE + 4 })

    expect(() => { reader.accept(cidOf(GOOD), GOOD) }).to.throw().with.property('name', 'InvalidManifestError')
    expect(new ManifestReader(cidOf(GOOD), { maxSize: PIECE_SIZE + 5 }).accept(cidOf(GOOD), GOOD)).to.equal(undefined)
  })

  for (const maxSize of [NaN, -1]) {
    it(`takes no limit of ${maxSize}`, () => {
      expect(() => new ManifestReader(cidOf(GOOD), { maxSize })).to.throw().with.property('name', 'InvalidParametersError')
    })
  }

  const roots = [
    { what: 'of raw bytes', root: LEAF },
    { what: 'of another codec', root: CID.createV1(0x71, INNER.multihash) },
    { what: 'of version 0', root: CID.createV0(INNER.multihash as any) },
    { what: 'of another hash', root: CID.createV1(dagPb.code, Digest.create(0x1b, new Uint8Array(32))) },
    { what: 'of a cut hash', root: CID.createV1(dagPb.code, Digest.create(0x12, new Uint8Array(20))) }
  ]

  for (const { what, root } of roots) {
    it(`refuses a root ${what}`, () => {
      expect(() => new ManifestReader(root)).to.throw().with.property('name', 'InvalidManifestError')
    })
  }

  const twice = (bytes: Uint8Array): Uint8Array => concatBytes(bytes, bytes)
  const many = (count: number): Uint8Array => node(new Array(count).fill({}), new Array(count).fill(PIECE_SIZE))
  const data = (bytes: Uint8Array): Uint8Array => dagPb.encode({ Data: bytes, Links: [...dagPb.decode(GOOD).Links] })
  const unixfs = (hex: string): Uint8Array => data(concatBytes(dagPb.decode(GOOD).Data as Uint8Array, hexToBytes(hex)))

  const hostile = [
    { what: 'data that ends early', bytes: data(hexToBytes('080218')) },
    { what: 'an endless size', bytes: data(hexToBytes('080218ffffffffffffffffffffffff01')) },
    { what: 'nothing', bytes: new Uint8Array() },
    { what: 'no dag-pb', bytes: utf8ToBytes('hello world') },
    { what: 'no UnixFS', bytes: data(hexToBytes('ffffffff')) },
    { what: 'no data', bytes: dagPb.encode(dagPb.prepare({ Links: [{ Hash: LEAF, Tsize: 1 }] })) },
    { what: 'no links', bytes: node([], []) },
    { what: 'sizes without links', bytes: node([], [PIECE_SIZE, 5]) },
    { what: 'links without sizes', bytes: node([{}, { tsize: 5 }], []) },
    { what: 'a directory', bytes: node([{}, { tsize: 5 }], [PIECE_SIZE, 5], { type: 'directory' }) },
    { what: 'a raw node', bytes: node([{}, { tsize: 5 }], [PIECE_SIZE, 5], { type: 'raw' }) },
    { what: 'data of its own', bytes: node([{}, { tsize: 5 }], [PIECE_SIZE, 5], { data: Uint8Array.of(1) }) },
    { what: 'a mode', bytes: node([{}, { tsize: 5 }], [PIECE_SIZE, 5], { mode: 0o777 }) },
    { what: 'a time', bytes: node([{}, { tsize: 5 }], [PIECE_SIZE, 5], { mtime: { secs: 5n } }) },
    { what: 'one link', bytes: node([{}], [PIECE_SIZE]) },
    { what: 'a size without its link', bytes: node([{}], [PIECE_SIZE, 5]) },
    { what: 'a link too many', bytes: node([{}, { tsize: 5 }, { tsize: 0 }], [PIECE_SIZE, 5, 0]) },
    { what: 'a short piece first', bytes: node([{ tsize: 5 }, {}], [5, PIECE_SIZE]) },
    { what: 'pieces of another size', bytes: node([{ tsize: 700_000 }, { tsize: 700_000 }], [700_000, 700_000]) },
    { what: 'a piece of 2 MiB', bytes: node([{ tsize: 2 * PIECE_SIZE }], [2 * PIECE_SIZE]) },
    { what: 'an empty last piece', bytes: node([{}, {}, { tsize: 0 }], [PIECE_SIZE, PIECE_SIZE, 0]) },
    { what: 'a wrong tsize', bytes: node([{}, { tsize: 6 }], [PIECE_SIZE, 5]) },
    { what: 'a name', bytes: node([{}, { tsize: 5, name: 'x' }], [PIECE_SIZE, 5]) },
    { what: 'an inner link among the pieces', bytes: node([{}, { tsize: 5, hash: INNER }], [PIECE_SIZE, 5]) },
    { what: 'inner links instead of pieces', bytes: node([{ hash: INNER }, { tsize: 5, hash: INNER }], [PIECE_SIZE, 5]) },
    { what: 'pieces a level too high', bytes: node([{ tsize: GIB }, { tsize: 5 }], [GIB, 5]) },
    { what: 'a link of version 0', bytes: node([{}, { tsize: 5, hash: CID.createV0(LEAF.multihash as any) }], [PIECE_SIZE, 5]) },
    { what: 'a link of another hash', bytes: node([{}, { tsize: 5, hash: CID.createV1(raw.code, Digest.create(0x1b, new Uint8Array(32))) }], [PIECE_SIZE, 5]) },
    { what: 'a link of a long hash', bytes: node([{}, { tsize: 5, hash: CID.createV1(raw.code, Digest.create(0, new Uint8Array(20_000))) }], [PIECE_SIZE, 5]) },
    { what: '1,025 links', bytes: many(MAX_LINKS + 1) },
    { what: 'a size of a million TiB', bytes: node([{}, {}], [2 ** 59, 2 ** 59]) },
    { what: 'a size that wraps around', bytes: unixfs('20ffffffffffffffffff01') },
    { what: 'an unknown field', bytes: unixfs('7801') },
    { what: 'a block size twice', bytes: unixfs('2005') },
    { what: 'itself twice', bytes: twice(GOOD) },
    { what: 'a byte too many', bytes: Uint8Array.of(...GOOD, 0) },
    { what: 'a byte too few', bytes: GOOD.subarray(0, -1) },
    { what: 'data before links', bytes: dagPb.encode(dagPb.decode(GOOD), { fieldOrder: 'data-first' }) }
  ]

  for (const { what, bytes } of hostile) {
    it(`refuses a root of ${what} for good`, () => {
      const root = cidOf(bytes)
      const reader = new ManifestReader(root)

      expect(() => { reader.accept(root, bytes) }).to.throw().with.property('name', 'InvalidManifestError')
      expect(reader.invalid).to.be.an('error')
      expect(reader.manifest).to.equal(undefined)
      expect(reader.wanted()).to.have.lengthOf(0)
      expect(() => { reader.accept(root, bytes) }).to.throw().that.equals(reader.invalid)
    })
  }

  it('accepts the node that the refused ones were made of', () => {
    const reader = new ManifestReader(cidOf(GOOD))
    reader.accept(cidOf(GOOD), GOOD)

    expect(reader.manifest).to.include({ size: PIECE_SIZE + 5, pieceCount: 2 })
  })

  it('refuses a child that does not fit its parent, and forgets the rest', () => {
    const short = node(new Array(MAX_LINKS - 1).fill({}), new Array(MAX_LINKS - 1).fill(PIECE_SIZE))
    const last = node([{ tsize: 1 }], [1])
    const tsize = manifestOf(GIB).nodes.values().next().value?.byteLength ?? 0
    const root = node([
      { hash: cidOf(short), tsize: GIB + tsize },
      { hash: cidOf(last), tsize: 1 + last.byteLength }
    ], [GIB, 1])
    const reader = new ManifestReader(cidOf(root))
    reader.accept(cidOf(root), root)
    reader.accept(cidOf(last), last)

    expect(() => { reader.accept(cidOf(short), short) }).to.throw().with.property('name', 'InvalidManifestError')
    expect(reader.invalid).to.be.an('error')
    expect(reader.wanted()).to.have.lengthOf(0)
  })

  it('refuses one child in two places of different size', () => {
    const manifest = manifestOf(GIB)
    const full = manifest.nodes.get(manifest.root.toString()) as Uint8Array
    const last = node([{ tsize: 1 }], [1])
    const root = node([
      { hash: manifest.root, tsize: GIB + full.byteLength },
      { hash: manifest.root, tsize: 1 + last.byteLength }
    ], [GIB, 1])
    const reader = new ManifestReader(cidOf(root))
    reader.accept(cidOf(root), root)

    expect(() => { reader.accept(manifest.root, full) }).to.throw().with.property('name', 'InvalidManifestError')
    expect(reader.manifest).to.equal(undefined)
  })

  it('takes one bit changed for another content or for none, and never fails otherwise', () => {
    for (let bit = 0; bit < GOOD.byteLength * 8; bit++) {
      const bytes = Uint8Array.from(GOOD)
      bytes[bit >> 3] ^= 1 << (bit & 7)
      const root = cidOf(bytes)
      const reader = new ManifestReader(root)

      try {
        reader.accept(root, bytes)
      } catch (err) {
        expect(err, `bit ${bit}`).to.have.property('name', 'InvalidManifestError')
        continue
      }

      // only a hash can be another and all else still be right
      const links = dagPb.decode(bytes).Links
      expect(node(links.map(link => ({ hash: link.Hash, tsize: link.Tsize })), [PIECE_SIZE, 5]), `bit ${bit}`).to.deep.equal(bytes)
      expect(reader.manifest, `bit ${bit}`).to.include({ size: PIECE_SIZE + 5, pieceCount: 2 })
    }
  })
})
