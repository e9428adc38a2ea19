import { expect } from 'chai'
import { startPages } from './pages.ts'
import type { PageGlobals } from './page.ts'
import type { Pages } from './pages.ts'

declare const formicary: PageGlobals['formicary']

describe('a page', () => {
  let pages: Pages

  before(async () => {
    pages = await startPages()
  })

  after(async () => {
    await pages[Symbol.asyncDispose]()
  })

  it('loads the library under a policy that lets no text become code', async () => {
    const page = await pages.openPage()

    expect(await page.evaluate(async () => [...(await formicary.createNode()).members()].length)).to.equal(1)
    expect(pages.errors).to.deep.equal([])
  })

  it('runs no script that was put into it', async () => {
    const page = await pages.openPage()
    const ran = await page.evaluate(() => {
      document.head.append(Object.assign(document.createElement('script'), { text: 'globalThis.ran = true' }))

      return 'ran' in globalThis
    })

    expect(ran).to.equal(false)
    expect(pages.errors.splice(0).join()).to.include('Content Security Policy')
  })

  it('tells its errors, where they were thrown', async () => {
    const page = await pages.openPage()
    const told = page.waitForEvent('pageerror')
    await page.evaluate(() => { setTimeout(() => { throw new Error('thrown in the page') }, 0) })
    await told

    expect(pages.errors.splice(0).join()).to.include('thrown in the page')
  })

  it('shares no storage with another', async () => {
    const [one, other] = [await pages.openPage(), await pages.openPage()]
    await one.evaluate(() => { localStorage.setItem('ant', 'one') })

    expect(await other.evaluate(() => localStorage.getItem('ant'))).to.equal(null)
    const third = await pages.openPage(one.context())
    expect(await third.evaluate(() => localStorage.getItem('ant'))).to.equal('one')
  })
})
