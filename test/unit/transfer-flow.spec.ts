import { expect } from 'chai'
import { BLOCK_SIZE, INITIAL_WINDOW, LATE_FACTOR, MAX_WINDOW, MIN_LATENESS, UNKNOWN_LATENESS } from '../../src/transfer/constants.ts'
import { Flow } from '../../src/transfer/core/flow.ts'

/** Keeps a peer busy that has a rate (bytes a ms) and a round trip (ms). */
function run (flow: Flow, { rate, rtt, time, from = 0 }: { rate: number, rtt: number, time: number, from?: number }): void {
  const queue: number[] = []
  let asked = 0
  let last = from

  for (let now = from; now < from + time; now++) {
    for (; flow.room >= BLOCK_SIZE; asked++) {
      flow.asked(BLOCK_SIZE, now)
      last = Math.max(last, now + rtt) + BLOCK_SIZE / rate
      queue.push(last)
    }

    while (queue.length > 0 && queue[0] <= now) {
      queue.shift()
      flow.arrived(BLOCK_SIZE, now)
    }
  }

  flow.withdrawn(queue.length * BLOCK_SIZE)
}

describe('transfer: flow', () => {
  it('begins with a small window, which is never above the largest', () => {
    expect(new Flow(MAX_WINDOW)).to.include({ window: INITIAL_WINDOW, room: INITIAL_WINDOW, inFlight: 0 })
    expect(new Flow(BLOCK_SIZE).window).to.equal(BLOCK_SIZE)
  })

  it('counts what is asked for, arrives, and is withdrawn', () => {
    const flow = new Flow(MAX_WINDOW)
    flow.asked(3 * BLOCK_SIZE, 0)
    expect(flow.room).to.equal(INITIAL_WINDOW - 3 * BLOCK_SIZE)
    flow.arrived(BLOCK_SIZE, 10)
    flow.withdrawn(BLOCK_SIZE)
    expect(flow.inFlight).to.equal(BLOCK_SIZE)
    expect(flow.rtt).to.equal(10)
  })

  const speeds: Array<[what: string, rate: number, rtt: number, window: number]> = [
    ['a second of a slow peer', 200, 20, 200 * 1_000],
    ['a second of a peer that is near', 1_500, 5, 1_500 * 1_000],
    ['two round trips where those take longer', 200, 2_000, 200 * 2 * 2_000],
    ['no more than the largest window', 50_000, 5, MAX_WINDOW]
  ]

  for (const [what, rate, rtt, window] of speeds) {
    it(`finds a window of ${what}`, () => {
      const flow = new Flow(MAX_WINDOW)
      run(flow, { rate, rtt, time: 30_000 })

      expect(flow.window).to.be.within(0.75 * window, Math.min(MAX_WINDOW, 1.4 * window))
      expect(flow.inFlight).to.equal(0)
    })
  }

  it('doubles the window each round trip at first', () => {
    const flow = new Flow(MAX_WINDOW)
    run(flow, { rate: 100_000, rtt: 200, time: 210 })
    expect(flow.window).to.be.within(1.8 * INITIAL_WINDOW, 2.2 * INITIAL_WINDOW)
    const before = flow.window
    run(flow, { rate: 100_000, rtt: 200, time: 210, from: 210 })
    expect(flow.window).to.be.within(1.8 * before, 2.2 * before)
  })

  it('never lets more than the largest window be in flight', () => {
    const flow = new Flow(MAX_WINDOW)

    for (let now = 0; now < 2_000; now++) {
      for (; flow.room >= BLOCK_SIZE;) {
        flow.asked(BLOCK_SIZE, now)
      }

      expect(flow.inFlight).to.be.at.most(MAX_WINDOW)
      flow.arrived(BLOCK_SIZE, now)
    }
  })

  it('says when a block is late: after three times its expected time, but not too soon', () => {
    const flow = new Flow(MAX_WINDOW)
    expect(flow.eta(BLOCK_SIZE)).to.equal(undefined)
    expect(flow.asked(BLOCK_SIZE, 100)).to.equal(100 + UNKNOWN_LATENESS)
    flow.withdrawn(BLOCK_SIZE)

    run(flow, { rate: 50_000, rtt: 5, time: 1_000 })
    expect(flow.asked(BLOCK_SIZE, 5_000)).to.equal(5_000 + MIN_LATENESS)

    const slow = new Flow(MAX_WINDOW)
    run(slow, { rate: 10, rtt: 20, time: 60_000 })
    const expected = slow.eta(BLOCK_SIZE) ?? 0
    expect(expected).to.be.within(0.8 * BLOCK_SIZE / 10, 1.3 * BLOCK_SIZE / 10)
    expect(slow.asked(BLOCK_SIZE, 60_000)).to.equal(60_000 + LATE_FACTOR * expected)
  })

  it('shrinks the window to one block when one was late, and grows again', () => {
    const flow = new Flow(MAX_WINDOW)
    run(flow, { rate: 10_000, rtt: 20, time: 3_000 })
    flow.late()
    expect(flow.window).to.equal(BLOCK_SIZE)
    run(flow, { rate: 10_000, rtt: 20, time: 3_000, from: 3_000 })
    expect(flow.window).to.be.above(MAX_WINDOW / 2)
  })

  it('takes the longest answer to a cancel at once, and forgets it slowly', () => {
    const flow = new Flow(MAX_WINDOW)
    expect(flow.delay).to.equal(undefined)
    flow.cancelAnswered(20)
    flow.cancelAnswered(200)
    expect(flow.delay).to.equal(200)
    flow.cancelAnswered(100)
    expect(flow.delay).to.be.within(101, 199)
  })
})
