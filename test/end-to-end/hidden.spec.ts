import { expect } from 'chai'
import { useColony, webSocketsOf } from './colony.ts'
import { startTabs } from './tabs.ts'
import type { Made } from './made.ts'
import type { Tab, Tabs } from './tabs.ts'

const FILM: Made = { name: 'film about ants.bin', seed: 1, pieces: 64 }

/** How long nobody may take a hidden page for dead, in ms: three times what it takes with one that is. */
const HIDDEN_TIME = 30_000

describe('a page that is hidden behind another', () => {
  const colony = useColony()

  async function openTab (tabs: Tabs, url: string): Promise<Tab> {
    const tab = await tabs.open(url)

    while (await tab.evaluate(() => !('member' in globalThis))) {
      await new Promise(resolve => { setTimeout(resolve, 25) })
    }

    return tab
  }

  async function visibilityOf (tab: Tab): Promise<string> {
    return tab.evaluate(() => document.visibilityState)
  }

  it('says so, goes on serving within its limit, is not taken for dead, and says when it is seen again', async () => {
    const hub = await colony.hub()
    const bootstrap = webSocketsOf(hub)
    const tabs = await startTabs(await colony.folder())
    colony.defer(async () => tabs[Symbol.asyncDispose]())
    const [ben, cas] = await Promise.all([colony.page({ name: 'ben', bootstrap }), colony.node({ name: 'cas', bootstrap: hub.addresses.map(String) })])
    const tab = await openTab(tabs, ben.page.url())
    const ada = await colony.page({ name: 'ada', bootstrap, uploadLimit: 4_000_000 }, tab)
    expect(await visibilityOf(tab)).to.equal('visible')
    const cid = await ada.share(FILM)
    await cas.untilAlive(['ada', 'ben', 'cas', 'hub'])
    await ben.find('ants')
    await ada.hold(4)
    await ben.begin(cid)
    await ben.untilPieces(cid, 2)

    // an empty one in front
    await tabs.open('about:blank')
    const hiddenAt = performance.now()
    expect(await visibilityOf(tab)).to.equal('hidden')
    await Promise.all([ben, cas].map(async other => other.untilHidden(['ada'])))
    const before = await ben.bytes(cid)
    expect(before).to.be.below(FILM.pieces * 2 ** 20)
    await ada.release()
    expect(await ben.finish(cid)).to.equal(cid)
    expect(await ben.holds(cid, FILM)).to.equal(true)

    // nothing is waited for here: nothing is to happen
    await new Promise(resolve => { setTimeout(resolve, HIDDEN_TIME - (performance.now() - hiddenAt)) })
    expect(await visibilityOf(tab)).to.equal('hidden')

    for (const other of [ben, cas]) {
      const events = await other.events()
      expect(events.filter(event => ['ada down', 'ada left'].includes(event))).to.deep.equal([])
      expect(await other.alive()).to.include('ada')
    }

    await tab.show()
    expect(await visibilityOf(tab)).to.equal('visible')
    await Promise.all([ben, cas].map(async other => other.untilHidden([])))
  })

  it('finishes what it fetches itself', async () => {
    const hub = await colony.hub()
    const bootstrap = webSocketsOf(hub)
    const tabs = await startTabs(await colony.folder())
    colony.defer(async () => tabs[Symbol.asyncDispose]())
    const ada = await colony.page({ name: 'ada', bootstrap, uploadLimit: 8_000_000 })
    const tab = await openTab(tabs, ada.page.url())
    const ben = await colony.page({ name: 'ben', bootstrap }, tab)
    const cid = await ada.share(FILM)
    await ben.find('ants')
    await ada.hold(4)
    await ben.begin(cid)
    await ben.untilPieces(cid, 2)

    await tabs.open('about:blank')
    expect(await visibilityOf(tab)).to.equal('hidden')
    await ada.untilHidden(['ben'])
    await ada.release()
    expect(await ben.finish(cid)).to.equal(cid)
    expect(await visibilityOf(tab)).to.equal('hidden')
    expect(await ben.holds(cid, FILM)).to.equal(true)
  })
})
