/**
 * How long a page takes to be there for others: to its first reservation with
 * a hub, and to the first direct connection with another page behind it.
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
    const direct: Record<Kind, Outcome> = { ours: { samples: [] }, bare: { samples: [] } }
    let pages = 0

    const meet = async (kind: Kind): Promise<number> => {
      const { reserved, connected } = await timesOf(browser, kind, hubs[kind], pages++)
      direct[kind].samples.push(connected)

      return reserved
    }

    // what is only slow the first time, such as compiling, shall not count for one of both
    await meet('ours')
    await meet('bare')
    direct.ours.samples.length = 0
    direct.bare.samples.length = 0
    const { ours, bare } = await contest({ ours: async () => meet('ours'), bare: async () => meet('bare') }, context)

    return [
      ratioRow({ what: 'from createNode() to the first reservation, against bare libp2p', ours, reference: bare, unit: 'ms', atMost: MAX_RATIO }),
      ratioRow({ what: 'from there to the first direct connection between two pages', ours: { ...direct.ours, error: ours.error }, reference: { ...direct.bare, error: bare.error }, unit: 'ms', atMost: MAX_RATIO })
    ]
  }
}

/** Times of two new pages: the mean of both for their reservations, and that of the one that dials the other. */
async function timesOf (browser: Browser, kind: Kind, hub: string, number: number): Promise<{ reserved: number, connected: number }> {
  const [first, second] = [await browser.openPage(), await browser.openPage()]

  try {
    const one = await first.call('timeToReservation', kind, hub, `first-${number}`)
    const other = await second.call('timeToReservation', kind, hub, `second-${number}`)

    return { reserved: (one.ms + other.ms) / 2, connected: await second.call('timeToDirect', kind, one.ways[0]) }
  } finally {
    await first.page.close()
    await second.page.close()
  }
}
