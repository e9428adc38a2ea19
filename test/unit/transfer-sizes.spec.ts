import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { Sizes } from '../../src/transfer/sizes.ts'
import type { Hello } from '../../src/transfer/core/messages.ts'
import type { Session } from '../../src/transfer/session.ts'

/** Sessions of which nothing but this is looked at. */
function sessions (...said: Array<{ size?: number, have?: Hello['have'], open?: boolean }>): Session[] {
  return said.map(({ size, have = 'all', open = true }) => ({ open, remote: { size, have } }) as Session)
}

describe('transfer: sizes', () => {
  it('takes the word of the first holder', () => {
    expect(new Sizes().next(sessions({ size: 5 }, { size: 7 }))).to.equal(5)
    expect(new Sizes().next(sessions({ size: 0 }))).to.equal(0)
    expect(new Sizes().next(sessions({ size: PIECE_SIZE, have: Uint8Array.of(0x80) }))).to.equal(PIECE_SIZE)
  })

  it('has nothing to try where nobody says anything of use', () => {
    const useless = sessions({}, { size: 5, have: 'none' }, { size: 5, open: false }, { size: PIECE_SIZE + 1 }, { size: 9 })

    expect(new Sizes().next(useless, 9)).to.equal(undefined)
    expect(new Sizes().next([])).to.equal(undefined)
  })

  it('tries every size before any for the second time, however many lie', () => {
    const sizes = new Sizes()
    const said = sessions(...[5, 6, 7, 8].map(size => ({ size })))
    let current: number | undefined

    const tried = [1, 2, 3, 4].map(() => {
      current = sizes.next(said, current)

      return current
    })
    expect(tried).to.deep.equal([5, 6, 7, 8])
    expect(sizes.next(said, current)).to.equal(5)
  })
})
