/**
 * Pages in Chromium, each as on a machine of its own, for tests that run in
 * Node.
 *
 * @module
 */

import { bundle, servedAs } from '../browser/bundle.ts'
import { startChromium } from '../browser/chromium.ts'
import { describeUse } from '../browser/specs.ts'
import { serve } from '../browser/server.ts'
import type { BrowserContext, Page } from 'playwright-core'

const ENTRY = 'test/end-to-end/page.ts'

/** No script but our own, and nothing that makes code from text. */
const POLICY = 'default-src \'self\'; connect-src *; script-src \'self\'; worker-src \'self\' blob:; img-src \'self\' data:'

const HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Formicary</title>
<link rel="icon" href="data:,">
<script type="module" src="${servedAs(ENTRY)}"></script>
</html>
`

/** Chromium, and where it gets its pages from. */
export interface Pages extends AsyncDisposable {
  /** The origin of all pages, such as `http://localhost:8080`. */
  readonly url: string

  /** Errors in any page, and what was written to the console as one, in order. */
  readonly errors: string[]

  /**
   * Opens a page with the library on `globalThis`.
   *
   * @param context - to share storage with another page; else nothing is shared
   */
  openPage (context?: BrowserContext): Promise<Page>
}

/** @throws {Error} the library reaches Node, or there is no Chromium */
export async function startPages (): Promise<Pages> {
  const { files, nodeUses, remap } = await bundle([ENTRY])
  const uses = nodeUses.get(ENTRY) ?? []

  if (uses.length > 0) {
    throw new Error(`No page can load ${ENTRY}: ${uses.map(describeUse).join(', ')}`)
  }

  await using started = new AsyncDisposableStack()
  const server = started.use(await serve({ files: new Map<string, string | Uint8Array>([...files, ['/index.html', HTML]]), headers: { 'content-security-policy': POLICY } }))
  const { browser } = started.use(await startChromium())
  const errors: string[] = []
  const running = started.move()

  return {
    url: server.url,
    errors,
    async openPage (context) {
      const page = await (context ?? await browser.newContext()).newPage()
      page.on('pageerror', error => { errors.push(remap(error.stack ?? String(error))) })
      page.on('crash', () => { errors.push('The page crashed') })
      page.on('console', message => {
        if (message.type() === 'error') {
          errors.push(message.text())
        }
      })
      await page.goto(server.url)
      await page.waitForFunction(() => 'formicary' in globalThis)

      return page
    },
    [Symbol.asyncDispose]: async () => { await running.disposeAsync() }
  }
}
