/**
 * Runs specs in Chromium, with mocha: those that are given, or all that need
 * nothing of Node.
 *
 *     node test/browser/run.ts [--grep x] [--timeout ms] [--port n] [--silence ms] [specs]
 *
 * Fails, beside what fails in mocha, where a spec has no tests or reaches Node,
 * on an error or a rejection outside of tests, and when the page is gone or
 * says nothing for a minute (`--silence`).
 *
 * @module
 */

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { files, read } from '../lint/project.ts'
import { servedAs } from './bundle.ts'
import { startChromium } from './chromium.ts'
import { Report } from './report.ts'
import { serve } from './server.ts'
import { bundleSpecs, candidates, describeUse } from './specs.ts'
import type { Bundle } from './bundle.ts'
import type { PageEvent, Settings } from './events.ts'
import type { Page } from 'playwright-core'

const CLIENT = 'test/browser/client.ts'

/** Ms without a word from the page after which it is given up. */
const SILENCE = 60_000

/** A test that may take longer gets its own time and so many ms more, in which mocha can say that it was too slow. */
const GRACE = 5_000

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Tests</title>
<link rel="icon" href="data:,">
<script src="/mocha.js"></script>
<script type="module" src="${servedAs(CLIENT)}"></script>
</html>
`

const { mocha } = JSON.parse(read('package.json')) as { mocha: { timeout: number, forbidOnly: boolean, forbidPending: boolean } }

/** Runs the specs that are in the bundle. */
async function runIn (page: Page, url: string, report: Report, patience: number): Promise<void> {
  const ended = Promise.withResolvers<void>()
  const fail = (fault: string): void => { ended.reject(new Error(fault)) }
  let silence: NodeJS.Timeout | undefined

  const listen = (timeout = 0): void => {
    clearTimeout(silence)
    silence = setTimeout(() => { fail('The page says nothing any more') }, Math.max(patience, timeout + GRACE))
  }

  const take = (event: PageEvent): void => {
    listen('timeout' in event ? event.timeout : 0)

    if (event.type === 'broken') {
      report.fail(event.spec, event.error.stack)
    } else {
      report.take(event)
    }

    if (event.type === 'broken' || event.type === 'end') {
      ended.resolve()
    }
  }

  watch(page, url, report, fail)
  listen()

  try {
    // whatever ends first: a page that is lost may never have loaded
    await Promise.race([ended.promise, page.exposeFunction('tell', take).then(async () => page.goto(url)).then(async () => ended.promise)])
  } finally {
    clearTimeout(silence)
  }

  // what was rejected in the last test is told after it
  await page.evaluate(async () => { await new Promise(resolve => { setTimeout(resolve, 0) }) })
}

/** Tells what happens to the page that specs have no part in. */
function watch (page: Page, url: string, report: Report, fail: (fault: string) => void): void {
  page.on('crash', () => { fail('The page crashed') })
  page.on('framenavigated', frame => {
    if (frame === page.mainFrame() && !frame.url().startsWith(url)) {
      fail(`The page went to ${frame.url()}`)
    }
  })
  page.on('close', () => { fail('The page is closed') })
  page.context().browser()?.on('disconnected', () => { fail('Chromium is gone') })
  page.on('pageerror', error => { report.fail('outside of tests', error.stack ?? String(error)) })
  page.on('console', message => { console.log(`  [${message.type()}] ${message.text()}`) })
}

function filesOf ({ files }: Bundle, settings: Settings): Map<string, string | Uint8Array> {
  return new Map<string, string | Uint8Array>([
    ...files,
    ['/index.html', PAGE],
    ['/mocha.js', readFileSync(new URL(import.meta.resolve('mocha/mocha.js')))],
    ['/settings.json', JSON.stringify(settings)]
  ])
}

async function run (bundled: Bundle, settings: Settings, { port, silence = SILENCE }: { port?: number, silence?: number }): Promise<number> {
  const report = new Report(bundled.remap)
  await using server = await serve({ files: filesOf(bundled, settings), port })
  await using chromium = await startChromium()
  const page = await (await chromium.browser.newContext()).newPage()

  try {
    await runIn(page, server.url, report, silence)
  } catch (err) {
    report.fail('the run', (err as Error).message)
  }

  for (const [folder, ms] of report.times) {
    console.log(`  ${folder}: ${(ms / 1000).toFixed(1)} s`)
  }

  if (report.passes + report.failures === 0) {
    report.fail('the run', 'No test ran')
  }

  return report.failures
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { grep: { type: 'string' }, timeout: { type: 'string' }, port: { type: 'string' }, silence: { type: 'string' } }
})

const number = (text?: string): number | undefined => text == null ? undefined : Number(text)
const all = positionals.length > 0 ? files(...positionals) : candidates()
const { bundle, specs, nodeOnly } = await bundleSpecs(all, [CLIENT])
const wrong = [...nodeOnly].filter(([spec]) => positionals.length > 0 || spec.startsWith('test/browser/'))

if (wrong.length > 0) {
  wrong.forEach(([spec, uses]) => { console.error(`${spec} cannot run in a browser: ${uses.map(describeUse).join(', ')}`) })
  process.exitCode = 1
} else {
  console.log(`  ${specs.length} specs run in a browser, ${nodeOnly.size} in Node only`)
  const failures = await run(bundle, {
    ...mocha,
    specs: specs.map(spec => [spec, servedAs(spec)]),
    timeout: number(values.timeout) ?? mocha.timeout,
    grep: values.grep
  }, { port: number(values.port), silence: number(values.silence) })
  process.exitCode = failures > 0 ? 1 : 0
}
