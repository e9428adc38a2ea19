/**
 * Downloads of a page: from another page over WebRTC, and from a node in Node
 * over WebSockets and WebRTC direct; each against a raw stream of bare libp2p
 * between the same two. The clock runs once both are connected, and have
 * warmed up.
 *
 * @module
 */

import path from 'node:path'
import { startBrowser } from './browser.ts'
import { contest, format, percentile, ratioRow } from './contest.ts'
import { MIB, randomFile } from './fixtures.ts'
import { DIRECT, WS } from './programs/page-peers.ts'
import { launch } from './processes.ts'
import type { BenchPage, Browser } from './browser.ts'
import type { Benchmark, Context, Outcome, Row } from './contest.ts'
import type { Blocked, Offer } from './programs/page.ts'

const SIZE_MIB = 64

/** Ms that a task on the main thread may take. */
const MAX_BLOCKED = 50

/** What a page fetches from: once with the library, once over a raw stream. */
interface Way {
  what: string

  /** Where the library fetches. */
  page: BenchPage
  offer (): Promise<Offer>

  /** Called when what was offered is not needed any more. */
  withdraw (offer: Offer): Promise<void>

  /** What the address of a connection of this kind has in it. */
  sign: RegExp
}

/** How fast a way was, and what it did to the main thread meanwhile. */
interface Trial {
  ours: Outcome
  reference: Outcome
  oursBlocked: Blocked
  referenceBlocked: Blocked
}

export const pages: Benchmark = {
  title: `Downloads of ${SIZE_MIB} MiB in a page`,

  async run (context) {
    await using parts = new AsyncDisposableStack()
    const browser = parts.use(await startBrowser(path.join(context.folder, 'profile')))
    const rows: Row[] = []

    for (const open of [fromPage, overWebSockets, overWebRtcDirect]) {
      await using members = new AsyncDisposableStack()
      const way = await open(browser, context, members)
      rows.push(...rowsOf(way.what, await trial(way, context)))
      await way.page.page.close()
    }

    return rows
  }
}

/** Two pages that have come in through the same hub. */
async function fromPage (browser: Browser, { folder }: Context, members: AsyncDisposableStack): Promise<Way> {
  const hub = members.use(await launch('programs/page-peers.ts', 'hub', { folder }))
  const bareHub = members.use(await launch('programs/page-peers.ts', 'bareHub', { folder }))
  const [sharer, page] = [await browser.openPage(), await browser.openPage()]
  members.defer(async () => { await sharer.page.close() })

  for (const [each, dataDir] of [[sharer, 'sharer'], [page, 'downloader']] as const) {
    await startOurs(each, dataDir, hub.info)
    await each.call('startBare', bareHub.info[0])
  }

  const addresses = await sharer.call('reachable')
  await page.call('dialBare', (await sharer.call('bareReachable'))[0])
  let shared = 0

  return {
    what: 'page to page over WebRTC',
    page,
    offer: async () => ({ ...await sharer.call('share', `file-${shared++}`, SIZE_MIB * MIB), addresses }),
    withdraw: async ({ cid }) => { await sharer.call('forget', cid) },
    sign: /\/webrtc\/p2p\//
  }
}

async function overWebSockets (...args: Parameters<typeof fromPage>): Promise<Way> {
  return fromNode('over WebSockets', WS, /\/ws\/p2p\//, ...args)
}

async function overWebRtcDirect (...args: Parameters<typeof fromPage>): Promise<Way> {
  return fromNode('over WebRTC direct', DIRECT, /\/webrtc-direct\//, ...args)
}

/** A page, and a node in Node that it dials. */
async function fromNode (what: string, listen: string, sign: RegExp, browser: Browser, { folder }: Context, members: AsyncDisposableStack): Promise<Way> {
  const source = await randomFile(path.join(folder, 'source.bin'), SIZE_MIB * MIB)
  const sharer = members.use(await launch('programs/page-peers.ts', 'sharer', { folder: path.join(folder, what), sources: [source], listen: [listen] }))
  const bareSharer = members.use(await launch('programs/page-peers.ts', 'bareSharer', { folder }))
  const isWay = (address: string): boolean => sign.test(address)
  const [offer] = sharer.info as Offer[]
  const page = await browser.openPage()
  await startOurs(page, what, [])
  await page.call('createBare')
  await page.call('dialBare', bareSharer.info.find(isWay))

  return {
    what: `page from Node ${what}`,
    page,
    offer: async () => ({ ...offer, addresses: offer.addresses.filter(isWay) }),
    withdraw: async () => {},
    sign
  }
}

async function startOurs (page: BenchPage, dataDir: string, bootstrap: string[]): Promise<void> {
  const store = await page.call('start', dataDir, bootstrap)

  if (store !== 'opfs') {
    throw new Error(`A page keeps what it fetches in ${store}, not in its private files`)
  }
}

/** Runs both in turns; the first of each, on a connection that is new, is not counted. */
async function trial (way: Way, context: Context): Promise<Trial> {
  const oursBlocked: Blocked = { delays: [], longTasks: [] }
  const referenceBlocked: Blocked = { delays: [], longTasks: [] }
  const ours = async (): Promise<number> => fetchOnce(way, oursBlocked)
  const reference = async (): Promise<number> => {
    const { page } = way

    return (SIZE_MIB * MIB) / 1e3 / await watched(page, referenceBlocked, async () => page.call('receiveBare', SIZE_MIB))
  }
  context.log(`${way.what}: warm up ${format(await ours())} MB/s, raw ${format(await reference())} MB/s`)

  for (const blocked of [oursBlocked, referenceBlocked]) {
    blocked.delays.length = 0
    blocked.longTasks.length = 0
  }

  return { ...await contest({ ours, reference }, context), oursBlocked, referenceBlocked }
}

/** MB/s of one download, which is forgotten afterwards. */
async function fetchOnce ({ page, offer, withdraw, sign }: Way, blocked: Blocked): Promise<number> {
  const offered = await offer()
  const ms = await watched(page, blocked, async () => page.call('download', offered))
  const connections = await page.call('connectionsWith', offered.holder)
  await page.call('forget', offered.cid)
  await withdraw(offered)

  if (!connections.some(address => sign.test(address))) {
    throw new Error(`The connection was ${connections.join(' and ')}`)
  }

  return offered.size / 1e3 / ms
}

async function watched<T> (page: BenchPage, blocked: Blocked, work: () => Promise<T>): Promise<T> {
  await page.call('watch')

  try {
    return await work()
  } finally {
    const { delays, longTasks } = await page.call('unwatch')
    blocked.delays.push(...delays)
    blocked.longTasks.push(...longTasks)
  }
}

function rowsOf (what: string, { ours, reference, oursBlocked, referenceBlocked }: Trial): Row[] {
  const late = percentile(oursBlocked.delays, 0.99)

  return [
    ratioRow({ what: `${what}, against a raw stream`, ours, reference, unit: 'MB/s', atLeast: 0.85 }),
    {
      what: `${what}: main thread blocked, ms at 50 / 95 / 99 / 100 %`,
      ours: distribution(oursBlocked),
      reference: distribution(referenceBlocked),
      result: `${format(late)} ms at 99 %`,
      goal: `≤ ${MAX_BLOCKED} ms`,
      met: late <= MAX_BLOCKED
    }
  ]
}

function distribution ({ delays, longTasks }: Blocked): string {
  return `${[0.5, 0.95, 0.99, 1].map(share => percentile(delays, share).toFixed(0)).join(' / ')}; ${longTasks.length} tasks over 50`
}
