import { expect } from 'chai'
import { LONG } from './long.ts'
import { dialsPerHour, hiddenOnes, hubsDie, lightCrash, pagesComeAndGo, settled, shape } from './membership-browsers.ts'
import { LIGHT_MAX_LINKS } from '../../src/membership/constants.ts'

const MINUTE = 60_000

const COLONY = { size: 60, light: 50 }

/** Connections that Chrome allows a tab in its life. */
const CHROME_LIMIT = 500

const seeds = (count: number): number[] => Array.from({ length: LONG ? 20 * count : count }, (_, i) => i + 1)

describe('membership of browsers, simulated', function () {
  this.timeout(LONG ? 60 * MINUTE : 2 * MINUTE)

  for (const [size, light] of [[60, 50], [20, 19], [20, 15], [40, 40], [9, 9], [200, 190]]) {
    it(`light members keep few links among ${size} of which ${light} are light, all are connected, and nothing is opened over and over`, () => {
      for (const seed of seeds(size > 100 ? 1 : 3)) {
        const world = settled({ seed, size, light })
        const { most, astray, connected } = shape(world)
        expect(most).to.be.at.most(LIGHT_MAX_LINKS)
        expect(astray).to.equal(size === light ? light : 0)
        expect(connected).to.equal(true)
        expect(dialsPerHour(world, 5 * MINUTE)).to.be.at.most(12)
        expect(shape(world).connected).to.equal(true)
      }
    })
  }

  it('nobody is declared down whose page is hidden for ten minutes, with timers once a minute', () => {
    for (const seed of seeds(2)) {
      expect(hiddenOnes({ seed, ...COLONY }, 10)).to.deep.equal({ down: [], suspected: 0, whole: true })
    }
  })

  it('nor whose page does nothing at all but once a minute', () => {
    for (const seed of seeds(2)) {
      expect(hiddenOnes({ seed, ...COLONY }, 10, true)).to.deep.include({ down: [], whole: true })
    }
  })

  for (const [exit, hidden, worst] of [['silent', false, 8_000], ['closed', false, 3_000], ['silent', true, 120_000], ['closed', true, 8_000]] as const) {
    it(`all know within ${worst / 1000} s of a crash of a light member that is ${exit}${hidden ? ' and hidden' : ''}`, () => {
      for (const seed of seeds(4)) {
        expect(lightCrash({ seed, ...COLONY }, exit, { hidden })).to.be.at.most(worst)
      }
    })
  }

  it('pages that come and go cost the others a bounded number of connections', () => {
    for (const seed of seeds(1)) {
      const { dials, end, whole } = pagesComeAndGo({ seed, ...COLONY }, 20 * MINUTE)
      expect(dials).to.be.at.most(CHROME_LIMIT)
      expect(end.most).to.be.at.most(LIGHT_MAX_LINKS)
      expect(end.astray).to.equal(0)
      expect(end.connected).to.equal(true)
      expect(whole).to.equal(true)
    }
  })

  for (const exit of ['silent', 'closed'] as const) {
    it(`the colony stays whole when half of the hubs die, ${exit}`, () => {
      for (const seed of seeds(2)) {
        const { dials, end, whole } = hubsDie({ seed, ...COLONY }, exit)
        expect(whole).to.equal(true)
        expect(end).to.deep.include({ astray: 0, connected: true })
        expect(end.most).to.be.at.most(LIGHT_MAX_LINKS)
        // in that minute
        expect(dials).to.be.at.most(30)
      }
    })
  }
})
