/**
 * Colonies of pages, hubs and nodes for the end-to-end tests.
 *
 * @module
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { createHub } from '../../src/node/hub.ts'
import { startHub } from '../fixtures/hub-process.ts'
import { Member } from './member.ts'
import { startPages } from './pages.ts'
import type { MemberInit } from './member.ts'
import type { PageGlobals } from './page.ts'
import type { Pages } from './pages.ts'
import type { Evaluating } from './tabs.ts'
import type { Hub, HubInit } from '../../src/node/hub.ts'
import type { FormicaryProcess } from '../fixtures/hub-process.ts'
import type { BrowserContext, Page } from 'playwright-core'

declare const member: PageGlobals['member']

/** Chromium writes this for each dial to a hub that is gone, or goes in that moment; no page can prevent it. */
export const HUB_IS_GONE = /^WebSocket connection to 'ws:.*' failed: .*(ERR_CONNECTION_(REFUSED|RESET|CLOSED)|Connection closed before receiving a handshake response)/

/** Where hubs and nodes of a test listen; those of hubs are taken by pages too. */
export const HUB_LISTEN = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/udp/0/webrtc-direct']
export const NODE_LISTEN = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/udp/0/webrtc-direct', '/p2p-circuit', '/webrtc']

/** How long a test may take, in ms, on a machine that is busy: each waits for several things in turn. */
const TIMEOUT = 150_000

/** What a member can be told, wherever it is. */
export type Actor = Pick<Member, keyof Member> & { readonly name: string, readonly peerId: string }

/** A member in a page. */
export interface PageActor<P extends Evaluating = Page> extends Actor {
  readonly page: P
}

/** Makes what a test needs, and ends it after. */
export interface Colony {
  /** Loaded, and nothing more, in a context of its own or one that is given. */
  openPage (context?: BrowserContext): Promise<Page>

  /** A page in the colony. */
  page (init: MemberInit & { name: string }): Promise<PageActor>
  page<P extends Evaluating> (init: MemberInit & { name: string }, page: P): Promise<PageActor<P>>

  /** A node in this process. */
  node (init: MemberInit & { name: string }): Promise<Actor>

  /** A hub in this process. */
  hub (init?: HubInit): Promise<Hub>

  /** A hub in a process of its own, which can be killed. */
  hubProcess (listen?: string[], ...args: string[]): Promise<FormicaryProcess>

  /** An empty folder. */
  folder (): Promise<string>

  /** Ends something after the test. */
  defer (end: () => Promise<unknown>): void
}

/**
 * Starts Chromium for a suite. After each test all that it made is ended, and
 * it has failed if there was an error in a page.
 *
 * @param expected - errors that pages may have
 */
export function useColony (...expected: RegExp[]): Colony {
  let pages: Pages
  const ends: Array<() => Promise<unknown>> = []

  before(async () => {
    pages = await startPages()
  })

  beforeEach(function () {
    this.currentTest?.timeout(TIMEOUT)
  })

  after(async () => {
    await pages[Symbol.asyncDispose]()
  })

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) {
      await end()
    }

    expect(pages.errors.splice(0).filter(error => !expected.some(pattern => pattern.test(error)))).to.deep.equal([])
  })

  async function openPage (context?: BrowserContext): Promise<Page> {
    const page = await pages.openPage(context)
    ends.push(async () => page.context().close())

    return page
  }

  return {
    openPage,
    async page ({ name, ...init }: MemberInit & { name: string }, given?: Evaluating): Promise<PageActor<any>> {
      const page = given ?? await openPage()
      const peerId = await tell(page, 'start', { name, ...init })

      return Object.assign(actorIn(page), { name, peerId, page })
    },
    async node ({ name, ...init }) {
      const node = new Member()
      ends.push(async () => node.stop())

      return Object.assign(node, { name, peerId: await node.start({ listen: NODE_LISTEN, name, ...init }) })
    },
    async hub (init) {
      const hub = await createHub({ http: false, listen: HUB_LISTEN, ...init })
      ends.push(async () => hub.stop())

      return hub
    },
    async hubProcess (listen = HUB_LISTEN, ...args) {
      const hub = await startHub([...listen.flatMap(address => ['--listen', address]), '--http', 'off', '--data', await this.folder(), ...args])
      ends.push(async () => hub[Symbol.asyncDispose]())

      return hub
    },
    async folder () {
      const folder = await mkdtemp(join(tmpdir(), 'formicary-end-to-end-'))
      ends.push(async () => rm(folder, { recursive: true, force: true }))

      return folder
    },
    defer (end) {
      ends.push(end)
    }
  }
}

/** Addresses of a hub that a page can dial without WebRTC. */
export function webSocketsOf (hub: Hub): string[] {
  return hub.addresses.map(String).filter(address => address.includes('/ws/'))
}

/** Passes on to a page what its member is told. */
function actorIn (page: Evaluating): Pick<Member, keyof Member> {
  const methods = Object.getOwnPropertyNames(Member.prototype).filter(name => name !== 'constructor') as Array<keyof Member>

  return Object.fromEntries(methods.map(name => [name, async (...args: []) => tell(page, name, ...args)])) as unknown as Pick<Member, keyof Member>
}

/** Calls a method of the member in a page; what goes in and out has to survive JSON. */
async function tell<Name extends keyof Member> (page: Evaluating, method: Name, ...args: Parameters<Member[Name]>): Promise<Awaited<ReturnType<Member[Name]>>> {
  return await page.evaluate(async ([method, args]) => {
    const methods = member as unknown as Record<string, (...args: unknown[]) => unknown>

    return await methods[method](...args)
  }, [method, args] as [string, unknown[]]) as Awaited<ReturnType<Member[Name]>>
}
