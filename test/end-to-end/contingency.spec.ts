import { expect } from 'chai'
import { useColony, webSocketsOf } from './colony.ts'
import type { Actor, PageActor } from './colony.ts'
import type { Made } from './made.ts'

const MIB = 2 ** 20
const FILM: Made = { name: 'film about ants.bin', seed: 1, pieces: 6 }
const SECRET = 'I am afraid of ants.'

/** What each story begins with. */
interface Beginning {
  bootstrap: string[]
  ada: PageActor
  ned: Actor
  ben: PageActor

  /** Of ada's film. */
  cid: string
}

describe('what a page has', () => {
  const colony = useColony(/^The page crashed$/)

  /** Ned, a node, and ben, a page, keep a film and a secret of ada, another page. */
  async function begin (): Promise<Beginning> {
    const hub = await colony.hub()
    const bootstrap = webSocketsOf(hub)
    const [ada, ned, ben] = await Promise.all([
      colony.page({ name: 'ada', bootstrap, dataDir: 'ada', contingency: {} }),
      // when the test is over there is nobody left to hand anything over to
      colony.node({ name: 'ned', bootstrap: hub.addresses.map(String), contingency: { handoverTimeout: 1 } }),
      colony.page({ name: 'ben', bootstrap, dataDir: 'ben', contingency: {} })
    ])
    const cid = await ada.share(FILM, true)
    await ada.put('secret', SECRET)
    await ada.untilProtected()
    expect(await ada.events()).to.include('protected')
    await expectKept(ada, [ned, ben])

    return { bootstrap, ada, ned, ben, cid }
  }

  async function expectKept (ward: Actor, keepers: Actor[]): Promise<void> {
    expect((await ward.safety()).keepers).to.deep.equal(keepers.map(({ peerId }) => peerId).sort())

    for (const keeper of keepers) {
      expect((await keeper.safety()).wards).to.deep.equal([ward.peerId])
    }
  }

  /** Ends a page as a crash of its tab does: nothing of it runs any more, so it says nothing to anybody. */
  async function crash ({ page }: PageActor): Promise<void> {
    const crashed = page.waitForEvent('crash')
    const session = await page.context().newCDPSession(page)
    void session.send('Page.crash').catch(() => {})
    await crashed
  }

  async function reload ({ name, page }: PageActor, bootstrap: string[]): Promise<PageActor> {
    await page.reload()
    await page.waitForFunction(() => 'member' in globalThis)

    return colony.page({ name, bootstrap, dataDir: name, contingency: {} }, page)
  }

  async function downloadedBy (...members: Actor[]): Promise<number[]> {
    return Promise.all(members.map(async member => (await member.traffic()).downloaded))
  }

  it('is found and fetched when its tab has crashed, at a page and a node that keep it', async () => {
    const { bootstrap, ada, ned, ben, cid } = await begin()
    const cas = await colony.page({ name: 'cas', bootstrap, contingency: { room: 0 } })
    await ada.untilEvent('cas joined')
    await crash(ada)
    await Promise.all([ned, ben].map(async member => member.untilEvent('serving ada')))

    const hits = [ned, ben].map(({ peerId: holder }) => ({ name: FILM.name, cid, holder, ward: ada.peerId }))
    expect(await cas.find('ants', 2)).to.have.deep.members(hits)
    expect(await cas.download(cid)).to.equal(cid)
    expect(await cas.holds(cid, FILM)).to.equal(true)
    // cas has it now as well
    expect(await ben.find('ants', 3)).to.have.deep.members([...hits, { name: FILM.name, cid, holder: cas.peerId }])
    expect(await ben.download(cid)).to.equal(cid)
    expect(await ben.holds(cid, FILM)).to.equal(true)
  })

  it('comes back to a new device, which has nothing but the key', async () => {
    const { bootstrap, ada, ned, ben, cid } = await begin()
    const exported = await ada.export()
    await crash(ada)
    await Promise.all([ned, ben].map(async member => member.untilEvent('serving ada')))

    const back = await colony.page({ name: 'ada', bootstrap, dataDir: 'ada', exported, contingency: {} })
    expect(back.peerId).to.equal(ada.peerId)
    expect(await back.entries()).to.deep.equal([])
    expect(await back.recover()).to.deep.equal({ entries: 1, values: 1 })
    expect(await back.entries()).to.deep.equal([FILM.name])
    expect(await back.holds(cid, FILM)).to.equal(true)
    expect(await back.value('secret')).to.equal(SECRET)

    await Promise.all([ned, ben].map(async member => member.untilEvent('ada returned')))
    await back.untilProtected()
    await expectKept(back, [ned, ben])
  })

  it('is not copied again when that page is loaded anew, nor when one that keeps it is', async () => {
    const { bootstrap, ada, ned, ben } = await begin()
    const before = await downloadedBy(ada, ned, ben)
    expect(before[0]).to.equal(0)
    before.slice(1).forEach(bytes => { expect(bytes).to.be.at.least(FILM.pieces * MIB) })

    const again = await reload(ada, bootstrap)
    expect(again.peerId).to.equal(ada.peerId)
    await again.untilProtected()
    await expectKept(again, [ned, ben])
    expect(await again.value('secret')).to.equal(SECRET)
    expect(await downloadedBy(again, ned, ben)).to.deep.equal(before)

    const told = (await again.events()).length
    const late = await reload(ben, bootstrap)
    await again.untilEvent('protected', told)
    await expectKept(again, [ned, late])
    expect(await downloadedBy(again, ned, late)).to.deep.equal([0, before[1], 0])
  })
})
