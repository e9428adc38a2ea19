import { expect } from 'chai'
import { LONG } from './long.ts'
import { enter, isIn } from './membership-entrance.ts'

/** How many seeds; `npm run test:long` takes many more. */
const SEEDS = LONG ? 1_000 : 60

describe('membership, entered through one that is killed', function () {
  this.timeout(LONG ? 3_600_000 : 120_000)

  for (const size of [1, 2, 3, 5, 12, 40]) {
    for (const newcomers of [1, 3]) {
      it(`is whole soon after, with ${size} members and ${newcomers} more who come at once`, () => {
        const times = Array.from({ length: size > 12 ? SEEDS / 4 : SEEDS }, (_, i) => enter({ seed: i + 1, size, newcomers }))
        // most of it is the time until the death is a verdict
        expect(Math.max(...times)).to.be.at.most(3_000)
      })
    }
  }

  it('loses who takes itself to be in as soon as it knows that one', () => {
    const times = Array.from({ length: SEEDS }, (_, i) => enter({ seed: i + 1, size: 3 }, ({ core }, door) => core.members.get(door.peer) != null))
    expect(times).to.include(Infinity)
    expect(Array.from({ length: SEEDS }, (_, i) => enter({ seed: i + 1, size: 3 }, isIn))).to.not.include(Infinity)
  })
})
