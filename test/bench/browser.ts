/**
 * Pages of a benchmark, in a Chromium that keeps things on the disk.
 *
 * @module
 */

import fs from 'node:fs'
import { bundle, servedAs } from '../browser/bundle.ts'
import { openProfile } from '../browser/chromium.ts'
import { serve } from '../browser/server.ts'
import type { PageProgram } from './programs/page.ts'
import type { BrowserContext, Page } from 'playwright-core'

const ENTRY = 'test/bench/programs/page.ts'

const HTML = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${servedAs(ENTRY)}"></script>`

const files = bundle([ENTRY]).then(({ files }) => new Map<string, string | Uint8Array>([...files, ['/index.html', HTML]]))

/** No bundle is needed until somebody waits for it, who is told then. */
files.catch(() => {})

type Methods = { [Name in keyof PageProgram as PageProgram[Name] extends (...args: any[]) => any ? Name : never]: PageProgram[Name] }

/** A page that runs `programs/page.ts`. */
export interface BenchPage {
  readonly page: Page

  /** Calls one of its functions; what goes in and out has to survive JSON. */
  call<Name extends keyof Methods> (name: Name, ...args: Parameters<Methods[Name]>): Promise<Awaited<ReturnType<Methods[Name]>>>
}

/** Chromium, and what it gets its pages from. */
export interface Browser extends AsyncDisposable {
  openPage (): Promise<BenchPage>

  /** Most MiB that each kind of process had in RAM, since it began: of the renderers, the one that had most. */
  peakMiB (): Promise<{ renderer: number, browser: number }>
}

/** @param folder - where it keeps things; made, and removed afterwards */
export async function startBrowser (folder: string): Promise<Browser> {
  await using started = new AsyncDisposableStack()
  started.defer(() => { fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 }) })
  const server = started.use(await serve({ files: await files }))
  const context = await openProfile(folder)
  started.defer(async () => { await context.close() })
  const running = started.move()

  return {
    openPage: async () => openPage(context, server.url),
    peakMiB: async () => peakMiB(context),
    [Symbol.asyncDispose]: async () => { await running.disposeAsync() }
  }
}

async function openPage (context: BrowserContext, url: string): Promise<BenchPage> {
  const page = await context.newPage()
  await page.goto(url)
  await page.waitForFunction(() => 'bench' in globalThis)

  return {
    page,
    async call<Name extends keyof Methods> (name: Name, ...args: Parameters<Methods[Name]>): Promise<Awaited<ReturnType<Methods[Name]>>> {
      const result: unknown = await page.evaluate(async ([name, args]) => {
        const { bench } = globalThis as unknown as { bench: Record<string, (...args: unknown[]) => unknown> }

        return await bench[name](...args)
      }, [name, args] as [string, unknown[]])

      return result as Awaited<ReturnType<Methods[Name]>>
    }
  }
}

async function peakMiB (context: BrowserContext): Promise<{ renderer: number, browser: number }> {
  const session = await context.browser()?.newBrowserCDPSession()
  const { processInfo } = await session?.send('SystemInfo.getProcessInfo') ?? { processInfo: [] }
  const peakOf = (kind: string): number => Math.max(...processInfo.filter(({ type }) => type === kind).map(({ id }) => vmHwm(id)))
  await session?.detach()

  return { renderer: peakOf('renderer'), browser: peakOf('browser') }
}

function vmHwm (pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
