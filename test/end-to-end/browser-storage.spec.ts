import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { bundle, servedAs } from '../browser/bundle.ts'
import { startChromium } from '../browser/chromium.ts'
import { serve } from '../browser/server.ts'
import type { StoragePage } from '../fixtures/storage-page.ts'
import type { Chromium } from '../browser/chromium.ts'
import type { PageServer } from '../browser/server.ts'
import type { BrowserContext, Page } from 'playwright-core'

const FIXTURE = 'test/fixtures/storage-page.ts'
const PIECES = 24

declare const storagePage: StoragePage

describe('storage of a page', () => {
  let server: PageServer
  let chromium: Chromium
  let context: BrowserContext

  before(async () => {
    const { files } = await bundle([FIXTURE])
    const page = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${servedAs(FIXTURE)}"></script>`
    server = await serve({ files: new Map<string, string | Uint8Array>([...files, ['/index.html', page]]) })
    chromium = await startChromium()
  })

  after(async () => {
    await chromium[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    context = await chromium.browser.newContext()
  })

  afterEach(async () => {
    await context.close()
  })

  async function open (): Promise<Page> {
    const page = await context.newPage()
    await page.goto(server.url)
    await page.waitForFunction(() => 'storagePage' in globalThis)

    return page
  }

  it('has every piece that was written when a page is killed again and again, and no wrong one', async () => {
    const written = new Set<number>()

    for (let round = 0; round < 6 && written.size < PIECES; round++) {
      const page = await open()
      const { marked, doubtful } = await page.evaluate(async pieces => await storagePage.open(pieces), PIECES)
      const right = [...marked.right, ...doubtful.right]
      expect(marked.wrong).to.deep.equal([])
      expect(right).to.include.members([...written])
      right.forEach(number => { written.add(number) })

      const enough = Promise.withResolvers<void>()
      const before = written.size
      await page.exposeFunction('onWritten', (number: number) => {
        written.add(number)

        if (written.size >= Math.min(PIECES, before + 4)) {
          enough.resolve()
        }
      })
      const missing = Array.from({ length: PIECES }, (_, i) => i).filter(i => !right.includes(i))
      page.evaluate(async ([missing]) => {
        await storagePage.write(missing, (globalThis as unknown as { onWritten: (piece: number) => void }).onWritten)
      }, [missing]).catch(() => {})
      await enough.promise
      const crashed = page.waitForEvent('crash')
      const session = await context.newCDPSession(page)
      void session.send('Page.crash').catch(() => {})
      await crashed
      await page.close()
    }

    const page = await open()
    const { marked, doubtful } = await page.evaluate(async pieces => await storagePage.open(pieces), PIECES)
    expect(new Set([...marked.right, ...doubtful.right])).to.include.all.keys([...written])
    const missing = Array.from({ length: PIECES }, (_, i) => i).filter(i => !written.has(i))
    await page.evaluate(async ([missing]) => { await storagePage.write(missing, () => {}) }, [missing])

    expect(await page.evaluate(async () => await storagePage.finish())).to.equal(PIECES)
  })

  it('refuses what the quota of the browser has no room for, at once or when it is reached', async () => {
    const page = await open()
    const session = await context.newCDPSession(page)
    const limit = async (quotaSize: number): Promise<void> => {
      await session.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize })
    }
    const errorOf = async (action: () => Promise<unknown>): Promise<Error> => action().then(() => { throw new Error('It did not fail') }, (err: Error) => err)

    await limit(8 * PIECE_SIZE)
    expect((await errorOf(async () => page.evaluate(async pieces => await storagePage.open(pieces), PIECES))).message).to.include(`There is no room for ${PIECES * PIECE_SIZE} bytes`)

    await limit(1000 * PIECE_SIZE)
    await page.evaluate(async pieces => await storagePage.open(pieces), PIECES)
    await page.evaluate(async () => { await storagePage.write([0, 1], () => {}) })
    await limit(3 * PIECE_SIZE)
    expect((await errorOf(async () => page.evaluate(async () => { await storagePage.write([2, 3, 4], () => {}) }))).message).to.include('no room is left for this site')

    await limit(1000 * PIECE_SIZE)
    const missing = Array.from({ length: PIECES - 2 }, (_, i) => i + 2)
    await page.evaluate(async ([missing]) => { await storagePage.write(missing, () => {}) }, [missing])
    expect(await page.evaluate(async () => await storagePage.finish())).to.equal(PIECES)
  })

  it('belongs to one page, which has it again after it is loaded anew', async () => {
    const [first, second] = [await open(), await open()]
    expect(await first.evaluate(async () => await storagePage.keep())).to.equal('open')
    expect(await second.evaluate(async () => await storagePage.keep())).to.equal('DataDirInUseError')

    await first.reload()
    await first.waitForFunction(() => 'storagePage' in globalThis)
    expect(await first.evaluate(async () => await storagePage.keep())).to.equal('open')
    await first.close()
    expect(await second.evaluate(async () => await storagePage.keep())).to.equal('open')
  })
})
