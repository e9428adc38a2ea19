import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/constants.ts'
import { BLOCK_SIZE } from '../../src/transfer/constants.ts'
import { blockCount } from '../../src/transfer/core/messages.ts'
import { beginOf, blockId, BLOCKS, OpenPiece, pieceOf } from '../../src/transfer/core/pieces.ts'

const NONE = new Set<number>()

function makePiece (blocks: number, last = BLOCK_SIZE): OpenPiece {
  return new OpenPiece(5, (blocks - 1) * BLOCK_SIZE + last, 'a', false)
}

describe('transfer: pieces', () => {
  it('has 16 blocks in a piece', () => {
    expect(BLOCKS).to.equal(PIECE_SIZE / BLOCK_SIZE)
  })

  it('names a block by one number', () => {
    for (const [piece, begin] of [[0, 0], [0, 15 * BLOCK_SIZE], [1, 0], [1_048_575, 7 * BLOCK_SIZE]]) {
      expect([pieceOf(blockId(piece, begin)), beginOf(blockId(piece, begin))]).to.deep.equal([piece, begin])
    }
  })

  const counts: Array<[size: number, count: number]> = [[0, 1], [1, 1], [BLOCK_SIZE, 1], [BLOCK_SIZE + 1, 2], [PIECE_SIZE - 1, 16], [PIECE_SIZE, 16]]

  for (const [size, count] of counts) {
    it(`has ${count} blocks in ${size} bytes, which are asked for once`, () => {
      const open = new OpenPiece(0, size, 'a', false)
      let bytes = 0
      let requests = 0

      for (; open.wanting; requests++) {
        bytes += open.ask(BLOCK_SIZE, NONE).length
      }

      expect(blockCount(size)).to.equal(count)
      expect([bytes, requests]).to.deep.equal([size, count])
    })
  }

  it('is asked for in stretches as long as there is room, at least one block', () => {
    const open = makePiece(6, 10)

    expect(open.ask(2.5 * BLOCK_SIZE, NONE)).to.deep.equal({ piece: 5, begin: 0, length: 2 * BLOCK_SIZE })
    expect(open.ask(1, NONE)).to.deep.equal({ piece: 5, begin: 2 * BLOCK_SIZE, length: BLOCK_SIZE })
    expect(open.ask(PIECE_SIZE, NONE)).to.deep.equal({ piece: 5, begin: 3 * BLOCK_SIZE, length: 2 * BLOCK_SIZE + 10 })
    expect(open.wanting).to.equal(false)
  })

  it('is not asked for what is excepted', () => {
    const open = makePiece(4)
    const except = new Set([blockId(5, 0), blockId(5, 2 * BLOCK_SIZE)])

    expect(open.ask(PIECE_SIZE, except)).to.deep.equal({ piece: 5, begin: BLOCK_SIZE, length: BLOCK_SIZE })
    expect(open.ask(PIECE_SIZE, except)).to.deep.equal({ piece: 5, begin: 3 * BLOCK_SIZE, length: BLOCK_SIZE })
    expect([open.wants(except), open.wants(NONE)]).to.deep.equal([false, true])
  })

  it('asks again for what was released, unless it is here', () => {
    const open = makePiece(2)
    open.ask(PIECE_SIZE, NONE)
    open.arrived(0, 'a')
    open.release(0)
    open.release(BLOCK_SIZE)
    open.release(BLOCK_SIZE)

    expect(open.ask(PIECE_SIZE, NONE)).to.deep.equal({ piece: 5, begin: BLOCK_SIZE, length: BLOCK_SIZE })
    expect(open.wanting).to.equal(false)
  })

  it('is complete when every block is here, asked for or not, and knows who sent them', () => {
    const open = makePiece(2)
    open.ask(BLOCK_SIZE, NONE)
    open.arrived(BLOCK_SIZE, 'b')
    expect([open.complete, open.wanting, open.isHere(0), open.isHere(BLOCK_SIZE)]).to.deep.equal([false, false, false, true])
    open.arrived(0, 'a')

    expect(open.complete).to.equal(true)
    expect([...open.contributors]).to.deep.equal(['b', 'a'])
  })

  it('begins anew when it is reset', () => {
    const open = makePiece(2)
    expect(open.untouched).to.equal(true)
    open.ask(BLOCK_SIZE, NONE)
    expect(open.untouched).to.equal(false)
    open.arrived(0, 'a')
    open.reset()

    expect(open).to.include({ untouched: true, complete: false, owner: undefined })
    expect(open.contributors.size).to.equal(0)
    expect(open.ask(PIECE_SIZE, NONE).length).to.equal(2 * BLOCK_SIZE)
  })
})
