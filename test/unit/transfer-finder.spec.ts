import { expect } from 'chai'
import { MAX_SOURCES } from '../../src/transfer/constants.ts'
import { Finder } from '../../src/transfer/finder.ts'
import type { PeerId } from '@libp2p/interface'

describe('transfer: finder', () => {
  it('remembers a bounded number of sources, those that are excluded among them', () => {
    const finder = new Finder({
      connect: async () => {},
      async * lookup () {},
      isExcluded: () => true,
      onTick: () => {}
    })

    for (let i = 0; i < 2 * MAX_SOURCES; i++) {
      finder.add({ holder: `peer ${i}` as unknown as PeerId })
      finder.exclude(`peer ${i}`)
    }

    expect(finder.size).to.equal(MAX_SOURCES)
    finder.stop()
  })
})
