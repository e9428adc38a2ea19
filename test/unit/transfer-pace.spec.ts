import { expect } from 'chai'
import { Pace } from '../../src/transfer/pace.ts'

const BLOCK = 65_536
const RATE = 4_000_000

/** Sends as fast as may be, with timers that fire at multiples of `grain` ms; gives when each block went out. */
function send (pace: Pace, grain: number, from: number, until: number): number[] {
  const sent: number[] = []

  for (let now = from; now < until;) {
    const wait = pace.take(BLOCK, now)

    if (wait > 0) {
      const due = now + wait
      now = Math.ceil(due / grain) * grain
      pace.waited(due, now)
    }

    sent.push(now)
  }

  return sent
}

/** Bytes a second over some blocks. */
function rateOf (sent: number[], ms: number): number {
  return sent.length * BLOCK * 1000 / ms
}

describe('transfer: pace', () => {
  it('has no limit without a rate', () => {
    const pace = new Pace(Infinity)
    expect(pace.take(1e12, 0)).to.equal(0)
    expect(pace.take(1e12, 0)).to.equal(0)
  })

  for (const grain of [1, 4, 16, 100, 250, 1_000, 1_500]) {
    it(`is kept where timers fire every ${grain} ms`, () => {
      const sent = send(new Pace(RATE), grain, 60_000, 90_000)

      expect(rateOf(sent, 30_000)).to.be.within(0.94 * RATE, 1.01 * RATE)
    })
  }

  it('is never faster over any second than the rate and what late timers held up', () => {
    const sent = send(new Pace(RATE), 1_000, 60_000, 90_000)
    const most = Math.max(...sent.map(start => sent.filter(time => time >= start && time <= start + 1_000).length))

    // two timers fire within a second and its end
    expect(most * BLOCK).to.be.at.most(2.1 * RATE)
  })

  it('saves nothing up while nobody asks, but for a moment', () => {
    const pace = new Pace(RATE)
    send(pace, 1, 60_000, 61_000)
    const atOnce = send(pace, 1, 70_000, 71_000).filter(time => time === 70_000)

    expect(atOnce.length * BLOCK).to.be.at.most(0.1 * RATE + 2 * BLOCK)
  })

  it('forgets that timers were late as soon as they are not, and what a computer slept', () => {
    const pace = new Pace(RATE)
    pace.take(RATE, 0)
    pace.take(BLOCK, 0)
    pace.waited(1_000, 3_600_000)
    const awake = send(pace, 1, 3_600_000, 3_601_000).filter(time => time === 3_600_000)
    expect(awake.length * BLOCK).to.be.at.most(2 * RATE + 2 * BLOCK)

    const later = send(pace, 1, 3_700_000, 3_701_000).filter(time => time === 3_700_000)
    expect(later.length * BLOCK).to.be.at.most(0.1 * RATE + 2 * BLOCK)
  })
})
