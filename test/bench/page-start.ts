/**
 * How long a page takes to be there for others: to its first reservation with
 * a hub, and from there to the first direct connection with another page
 * behind it. Once with nothing kept, and once with a database: that of bare
 * libp2p has its key and its peers.
 *
 * @module
 */

import path from 'node:path'
import { startBrowser } from './browser.ts'
import { contest, ratioRow } from './contest.ts'
import { launch } from './processes.ts'
import type { Browser } from './browser.ts'
import type { Benchmark, Outcome } from './contest.ts'

type Kind = 'ours' | 'bare'

/** Most times as long as bare libp2p. */
const MAX_RATIO = 1.5

export const pageStart: Benchmark = {
  title: 'From nothing to a page that others reach',

  async run (context) {
    const { folder } = context
    await using parts = new AsyncDisposableStack()
    const hubs: Record<Kind, string> = {
      ours: parts.use(await launch('programs/page-peers.ts', 'hub', { folder })).info[0],
      bare: parts.use(await launch('programs/page-peers.ts', 'bareHub', { folder })).info[0]
    }
    const browser = parts.use(await startBrowser(path.join(folder, 'profile')))
    const direct: Record<string, Outcome> = {}
    const meet = (name: string, kind: Kind, keeps: boolean) => async (): Promise<number> => {
      const { reserved, connected } = await timesOf(browser, kind, hubs[kind], keeps)
      direct[name].samples.push(connected)

      return reserved
    }
    const variants = {
      ours: meet('ours', 'ours', false),
      bare: meet('bare', 'bare', false),
      oursKept: meet('oursKept', 'ours', true),
      bareKept: meet('bareKept', 'bare', true)
    }

    // what is only slow the first time, such as compiling, shall not count for one of both
    for (const [name, variant] of Object.entries(variants)) {
      direct[name] = { samples: [] }
      await variant()
      direct[name].samples.length = 0
    }

    const reserved = await contest(variants, context)

    return [
      row('from createNode() to the first reservation', reserved.ours, reserved.bare),
      row('the same, with a dataDir', reserved.oursKept, reserved.bareKept),
      row('from there to the first direct connection between two pages', direct.ours, direct.bare),
      row('the same, with a dataDir', direct.oursKept, direct.bareKept)
    ]
  }
}

function row (what: string, ours: Outcome, reference: Outcome): ReturnType<typeof ratioRow> {
  return ratioRow({ what: `${what}, against bare libp2p`, ours, reference, unit: 'ms', atMost: MAX_RATIO })
}

let databases = 0

/** Times of two new pages: the mean of both for their reservations, and that of the one that dials the other. */
async function timesOf (browser: Browser, kind: Kind, hub: string, keeps: boolean): Promise<{ reserved: number, connected: number }> {
  const [first, second] = [await browser.openPage(), await browser.openPage()]
  const name = (): string | undefined => keeps ? `${kind}-${databases++}` : undefined

  try {
    const one = await first.call('timeToReservation', kind, hub, name())
    const other = await second.call('timeToReservation', kind, hub, name())

    return { reserved: (one.ms + other.ms) / 2, connected: await second.call('timeToDirect', kind, one.ways[0]) }
  } finally {
    await first.page.close()
    await second.page.close()
  }
}
