import { expect } from 'chai'
import { seededRandom } from '../../src/random.ts'
import { Bitfield } from '../../src/transfer/core/bitfield.ts'

describe('transfer: bitfield', () => {
  it('has piece 0 in the highest bit of byte 0, as BitTorrent', () => {
    const pieces = new Bitfield(10)
    pieces.add(0)
    pieces.add(9)

    expect(pieces.toBytes()).to.deep.equal(Uint8Array.of(0b1000_0000, 0b0100_0000))
  })

  const sizes: Array<[size: number, full: number[]]> = [
    [0, []],
    [1, [0x80]],
    [7, [0xfe]],
    [8, [0xff]],
    [9, [0xff, 0x80]],
    [16, [0xff, 0xff]]
  ]

  for (const [size, full] of sizes) {
    it(`of ${size} is full with its spare bits at zero`, () => {
      expect(Bitfield.full(size).toBytes()).to.deep.equal(Uint8Array.from(full))
      expect(Bitfield.full(size)).to.include({ count: size, full: true })
      expect(new Bitfield(size)).to.include({ count: 0, full: size === 0 })
      expect(new Bitfield(size, Uint8Array.from(full)).full).to.equal(true)
    })
  }

  const bad: Array<[what: string, size: number, bytes: number[]]> = [
    ['too few bytes', 9, [0xff]],
    ['too many bytes', 8, [0xff, 0]],
    ['bytes for no piece', 0, [0]],
    ['no bytes', 1, []],
    ['a spare bit set', 9, [0xff, 0xc0]],
    ['the last spare bit set', 1, [0x01]]
  ]

  for (const [what, size, bytes] of bad) {
    it(`refuses ${what}`, () => {
      expect(() => new Bitfield(size, Uint8Array.from(bytes))).to.throw(TypeError)
    })
  }

  it('says whether a piece was added, and counts it once', () => {
    const pieces = new Bitfield(3)

    expect([pieces.add(1), pieces.add(1), pieces.add(2)]).to.deep.equal([true, false, true])
    expect(pieces).to.include({ count: 2, full: false })
  })

  it('gives a copy of its bytes', () => {
    const pieces = new Bitfield(8)
    pieces.toBytes().fill(0xff)

    expect(pieces.count).to.equal(0)
  })

  it('agrees with a set', () => {
    const random = seededRandom(1)

    for (let size = 0; size < 70; size++) {
      const set = new Set<number>()
      const pieces = new Bitfield(size)

      for (let piece = 0; piece < size; piece++) {
        if (random() < 0.5) {
          set.add(piece)
          pieces.add(piece)
        }
      }

      const read = new Bitfield(size, pieces.toBytes())

      expect(read.count).to.equal(set.size)
      expect(Array.from({ length: size }, (_, piece) => read.has(piece))).to.deep.equal(Array.from({ length: size }, (_, piece) => set.has(piece)))
    }
  })
})
