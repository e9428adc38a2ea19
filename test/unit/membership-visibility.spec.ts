import { expect } from 'chai'
import { sayGoodbyeOnPageHide, watchVisibility } from '../../src/node/visibility.ts'
import type { MemberDetails } from '../../src/membership/index.ts'

/** A page that is hidden and shown by hand. */
class Page extends EventTarget {
  hidden = false

  turn (hidden: boolean): void {
    this.hidden = hidden
    this.dispatchEvent(new Event('visibilitychange'))
  }

  leave (persisted?: boolean): void {
    this.dispatchEvent(Object.assign(new Event('pagehide'), { persisted }))
  }
}

describe('membership: the page of a node', () => {
  function watch (page: Page, update: () => Promise<void> = async () => {}): { told: Array<Partial<MemberDetails>>, stop: () => void } {
    const told: Array<Partial<MemberDetails>> = []
    const stop = watchVisibility({
      async update (details) {
        told.push(details)

        return update()
      }
    }, page)

    return { told, stop }
  }

  it('is told of when it is hidden and when it is seen again, each once', () => {
    const page = new Page()
    const { told } = watch(page)
    expect(told).to.deep.equal([])
    page.turn(true)
    page.turn(true)
    page.turn(false)
    expect(told).to.deep.equal([{ hidden: true }, { hidden: false }])
  })

  it('is told of at once if it was opened out of sight', () => {
    const page = new Page()
    page.hidden = true
    expect(watch(page).told).to.deep.equal([{ hidden: true }])
  })

  it('is not told of any more when that was ended', () => {
    const page = new Page()
    const { told, stop } = watch(page)
    stop()
    page.turn(true)
    expect(told).to.deep.equal([])
  })

  it('may be hidden while the node is stopped', async () => {
    const page = new Page()
    const failed = Promise.withResolvers<void>()
    const { told } = watch(page, async () => {
      failed.resolve()
      throw new Error('stopped')
    })
    page.turn(true)
    await failed.promise
    page.turn(false)
    expect(told).to.have.length(2)
  })

  it('says goodbye when it is closed, and not when it is kept to be shown again', () => {
    const page = new Page()
    let left = 0
    const stop = sayGoodbyeOnPageHide({ leaveNow: () => ++left > 0 }, page)
    page.leave(true)
    expect(left).to.equal(0)
    page.leave(false)
    expect(left).to.equal(1)
    stop()
    page.leave(false)
    expect(left).to.equal(1)
  })
})
