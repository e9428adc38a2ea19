import { expect } from 'chai'
import { NODE_LISTEN, useColony, webSocketsOf } from './colony.ts'
import type { Actor } from './colony.ts'
import type { Made } from './made.ts'

const MIB = 2 ** 20
const FILM: Made = { name: 'film about ants.bin', seed: 1, pieces: 24 }
const THIRD = FILM.pieces / 3

describe('a swarm of pages and Node', () => {
  const colony = useColony()

  it('of whom each has a third of the pieces comes to have all of them', async () => {
    const hub = await colony.hub()
    const bootstrap = hub.addresses.map(String)
    const origin = await colony.node({ name: 'odo', bootstrap })
    const cid = await origin.share(FILM)
    const members: Actor[] = await Promise.all([
      colony.node({ name: 'ned', bootstrap, listen: NODE_LISTEN }),
      colony.page({ name: 'ada', bootstrap: webSocketsOf(hub) }),
      colony.page({ name: 'ben', bootstrap: webSocketsOf(hub) })
    ])

    // one after another, each of them with room for what it asks for before it knows what is read
    for (const [i, member] of members.entries()) {
      await member.find('ants')
      await origin.hold(THIRD + 6)
      await member.fetchPieces(cid, i * THIRD, THIRD)
    }

    await origin.stop()
    await Promise.all(members.map(async member => member.untilEvent('odo left')))
    // gives the manifest, which nobody keeps of a download that was broken off, and next to no bytes
    const slow = await colony.node({ name: 'sid', bootstrap, uploadLimit: 30_000 })
    await slow.share(FILM)
    await Promise.all(members.map(async member => member.untilEvent('sid joined')))
    const before = await Promise.all(members.map(async member => member.traffic()))
    // what was under way when it had its third, it may have as well
    before.forEach(({ downloaded }) => { expect(downloaded).to.be.within(THIRD * MIB, (FILM.pieces - 1) * MIB) })

    expect(await Promise.all(members.map(async member => member.download(cid)))).to.deep.equal([cid, cid, cid])
    expect(await Promise.all(members.map(async member => member.holds(cid, FILM)))).to.deep.equal([true, true, true])
    const after = await Promise.all(members.map(async member => member.traffic()))
    after.forEach(({ downloaded, uploaded }) => {
      expect(uploaded).to.be.above(0)
      // pieces that were not whole when it broke off are fetched again, and the last ones from several
      expect(downloaded).to.be.at.most((FILM.pieces + THIRD) * MIB)
    })
    expect((await slow.traffic()).uploaded).to.be.below(2 * MIB)
    const toNed = await Promise.all(members.slice(1).map(async page => (await page.connections()).find(({ peer, limited }) => peer === members[0].peerId && !limited)))
    toNed.forEach(connection => { expect(connection).to.include({ multiplexer: '/webrtc' }) })
  })

  it('goes on when a page is closed while it serves', async () => {
    const hub = await colony.hub()
    const bootstrap = webSocketsOf(hub)
    const [ada, ben, cas] = await Promise.all([
      colony.page({ name: 'ada', bootstrap }),
      colony.page({ name: 'ben', bootstrap }),
      colony.page({ name: 'cas', bootstrap })
    ])
    const cid = await ada.share(FILM)
    await ben.share(FILM)
    await cas.find('ants', 2)
    // so that a third takes both
    await Promise.all([ada, ben].map(async page => page.hold(THIRD - 1)))
    await cas.begin(cid)
    await cas.untilPieces(cid, THIRD)
    expect((await ada.traffic()).uploaded).to.be.above(0)
    expect((await ben.traffic()).uploaded).to.be.above(0)
    await ada.page.close()
    expect(await cas.bytes(cid)).to.be.below(FILM.pieces * MIB)
    await ben.release()

    expect(await cas.finish(cid)).to.equal(cid)
    expect(await cas.holds(cid, FILM)).to.equal(true)
    expect(await cas.alive()).to.include('ben')
  })
})
