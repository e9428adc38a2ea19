import { expect } from 'chai'
import { useColony, webSocketsOf } from './colony.ts'
import type { Made } from './made.ts'

const MIB = 2 ** 20
const FILM: Made = { name: 'film about ants.bin', seed: 1, pieces: 24 }

describe('a page that is loaded anew', () => {
  const colony = useColony()

  it('is who it was, and continues a download with what it had not verified yet', async () => {
    const hub = await colony.hub()
    const bootstrap = webSocketsOf(hub)
    const ada = await colony.page({ name: 'ada', bootstrap })
    const init = { name: 'ben', bootstrap, dataDir: 'ben' }
    const before = await colony.page(init)
    const cid = await ada.share(FILM)
    await before.find('ants')
    await ada.hold(FILM.pieces / 2)
    await before.begin(cid)
    await before.untilPieces(cid, FILM.pieces / 3)
    const stored = await before.bytes(cid)
    expect(stored).to.be.below(FILM.pieces * MIB)

    await before.page.reload()
    await before.page.waitForFunction(() => 'member' in globalThis)
    const after = await colony.page(init, before.page)
    expect(after.peerId).to.equal(before.peerId)
    await ada.release()
    await after.find('ants')
    expect(await after.download(cid)).to.equal(cid)
    const { downloaded } = await after.traffic()
    // the last thing that is known to be stored was told a moment before
    expect(downloaded).to.be.within(1, FILM.pieces * MIB - stored + MIB)
    expect(await after.holds(cid, FILM)).to.equal(true)

    await after.page.reload()
    await after.page.waitForFunction(() => 'member' in globalThis)
    const again = await colony.page(init, after.page)
    expect(await again.entries()).to.deep.equal([FILM.name])
    expect(await again.holds(cid, FILM)).to.equal(true)
    await ada.stop()
    const cas = await colony.page({ name: 'cas', bootstrap })
    const [{ holder }] = await cas.find('ants')
    expect(holder).to.equal(again.peerId)
    expect(await cas.download(cid)).to.equal(cid)
    expect((await again.traffic()).uploaded).to.be.at.least(FILM.pieces * MIB)
  })
})
