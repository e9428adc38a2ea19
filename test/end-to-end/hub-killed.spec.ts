import { expect } from 'chai'
import { HUB_IS_GONE, useColony } from './colony.ts'
import type { Made } from './made.ts'

const FILM: Made = { name: 'film about ants.bin', seed: 1, pieces: 64 }

describe('two pages and a hub', () => {
  const colony = useColony(HUB_IS_GONE)

  it('need the hub no more once they are connected, not even for the second half of a download', async () => {
    const hub = await colony.hubProcess()
    const bootstrap = [hub.addresses.ws]
    const [ada, ben] = await Promise.all([
      colony.page({ name: 'ada', bootstrap }),
      colony.page({ name: 'ben', bootstrap })
    ])
    const cid = await ada.share(FILM)
    const song: Made = { name: 'song about bees.bin', seed: 2, pieces: 3 }
    await ada.share(song)
    const [hit] = await ben.find('ants')
    expect(hit).to.deep.equal({ name: FILM.name, cid, holder: ada.peerId })

    await ada.hold(FILM.pieces * 3 / 4)
    await ben.begin(cid)
    await ben.untilPieces(cid, FILM.pieces / 2)
    hub.signal('SIGKILL')
    await hub.ended
    expect(await ben.bytes(cid)).to.be.below(FILM.pieces * 2 ** 20)
    const carrying = (await ben.connections()).filter(({ protocols }) => protocols.some(protocol => protocol.includes('/transfer/')))
    expect(carrying.map(({ peer, multiplexer, limited }) => ({ peer, multiplexer, limited }))).to.deep.equal([{ peer: ada.peerId, multiplexer: '/webrtc', limited: false }])
    await ada.release()
    expect(await ben.finish(cid)).to.equal(cid)
    expect(await ben.holds(cid, FILM)).to.equal(true)

    await Promise.all([ada, ben].map(async page => page.untilEvent('hub down')))
    const [other] = await ben.find('bees')
    expect(await ben.download(other.cid)).to.equal(other.cid)
    expect(await ben.holds(other.cid, song)).to.equal(true)
    const late: Made = { name: 'picture of wasps.bin', seed: 3, pieces: 1 }
    await ben.share(late)
    expect((await ada.find('wasps'))[0].holder).to.equal(ben.peerId)

    await ada.stop()
    await ben.untilEvent('ada left')
    expect(await ben.alive()).to.deep.equal(['ben'])
  })
})
