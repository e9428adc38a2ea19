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
      isServed: () => false,
      onTick: () => {}
    })

    for (let i = 0; i < 2 * MAX_SOURCES; i++) {
      finder.add({ holder: `peer ${i}` as unknown as PeerId })
      finder.exclude(`peer ${i}`)
    }

    expect(finder.size).to.equal(MAX_SOURCES)
    finder.stop()
  })

  it('looks for others only while those it knows are not enough', () => {
    let lookups = 0
    let isServed = true
    const finder = new Finder({
      connect: async () => {},
      async * lookup () {
        lookups++
        yield * []
      },
      isExcluded: () => false,
      isServed: () => isServed,
      onTick: () => {}
    })

    finder.start()
    expect(lookups).to.equal(0)
    isServed = false
    finder.add({ holder: 'peer' as unknown as PeerId })
    expect(lookups).to.equal(1)
    finder.stop()
  })
})
