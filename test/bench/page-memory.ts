/**
 * Memory of a page that downloads a small and a large file from a node in
 * Node, which has them on its disk. What a page takes is what its process has
 * in RAM: the heap alone tells nothing of buffers, of WebRTC and of files.
 *
 * @module
 */

import path from 'node:path'
import { startBrowser } from './browser.ts'
import { contest, format, median, spread } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { launch } from './processes.ts'
import type { Benchmark, Outcome, Row } from './contest.ts'
import type { Offer } from './programs/page.ts'

/** Most MiB between the small and the large file. */
const MAX_APART = 64

export const pageMemory: Benchmark = {
  title: 'Peak memory of a page that downloads (VmHWM of its process)',

  async run (context) {
    const { folder } = context
    const sources = [await randomFile(path.join(folder, 'small.bin'), 64 * MIB), await randomFile(path.join(folder, 'large.bin'), 1024 * MIB)]
    await using parts = new AsyncDisposableStack()
    const { info } = parts.use(await launch('programs/page-peers.ts', 'sharer', { folder, sources }))
    const [small, large] = info as Offer[]
    const browsers: Record<string, Outcome> = {}

    const variants = Object.fromEntries([['ws', /\/ws\//], ['direct', /\/webrtc-direct\//]].flatMap(([way, sign]) => [['Small', small], ['Large', large]].map(([size, offer]) => {
      const name = `${way as string}${size as string}`
      const browser = browsers[name] = { samples: [] as number[] }
      const { addresses, ...rest } = offer as Offer

      return [name, async (): Promise<number> => {
        const peak = await peakOf(path.join(folder, name), { ...rest, addresses: addresses.filter(address => (sign as RegExp).test(address)) })
        browser.samples.push(peak.browser)

        return peak.renderer
      }]
    })))
    const outcomes = await contest(variants, context)

    return [
      apartRow('page, over WebSockets', outcomes.wsLarge, outcomes.wsSmall, MAX_APART),
      apartRow('page, over WebRTC direct', outcomes.directLarge, outcomes.directSmall, MAX_APART),
      apartRow('Chromium itself, which writes the files, over WebSockets', browsers.wsLarge, browsers.wsSmall)
    ]
  }
}

/** Peaks of a browser that was started for this. */
async function peakOf (profile: string, offer: Offer): Promise<{ renderer: number, browser: number }> {
  await using browser = await startBrowser(profile)
  const page = await browser.openPage()
  await page.call('start', 'downloader', [])
  await page.call('download', offer)

  return await browser.peakMiB()
}

/** How far the large file, in the place of ours, is from the small one. */
function apartRow (what: string, large: Outcome, small: Outcome, most?: number): Row {
  const apart = median(large) - median(small)

  return {
    what: `1 GiB against 64 MiB, ${what}`,
    ours: spread(large, 'MiB'),
    reference: spread(small, 'MiB'),
    result: Number.isNaN(apart) ? '-' : `${apart < 0 ? '−' : '+'} ${format(Math.abs(apart))} MiB`,
    goal: most == null ? '-' : `within ${most} MiB`,
    met: most == null ? undefined : Math.abs(apart) <= most
  }
}
