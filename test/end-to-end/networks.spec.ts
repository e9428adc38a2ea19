import { expect } from 'chai'
import { useColony, webSocketsOf } from './colony.ts'
import type { Made } from './made.ts'

describe('two networks on one machine', () => {
  const colony = useColony()

  function fileOf (name: string, seed: number): Made {
    return { name: `diary of ${name}.bin`, seed, pieces: 1 }
  }

  it('do not mix, even through the hub of the other', async () => {
    const [ants, bees] = await Promise.all(['ants', 'bees'].map(async network => colony.hub({ network, name: `hub of ${network}` })))
    const [ada, alf, bea, bob, eve] = await Promise.all([
      colony.page({ name: 'ada', network: 'ants', bootstrap: webSocketsOf(ants) }),
      colony.page({ name: 'alf', network: 'ants', bootstrap: webSocketsOf(ants) }),
      colony.page({ name: 'bea', network: 'bees', bootstrap: webSocketsOf(bees) }),
      colony.page({ name: 'bob', network: 'bees', bootstrap: webSocketsOf(bees) }),
      // of the ants, and at the wrong door
      colony.page({ name: 'eve', network: 'ants', bootstrap: webSocketsOf(bees) })
    ])
    await Promise.all([ada, alf, bea, bob, eve].map(async (page, i) => page.share(fileOf(page.name, i))))

    await Promise.all([ada, alf].map(async page => page.untilAlive(['ada', 'alf', 'hub of ants'])))
    await Promise.all([bea, bob].map(async page => page.untilAlive(['bea', 'bob', 'hub of bees'])))
    expect((await eve.connections()).map(({ peer }) => peer)).to.deep.equal([String(bees.peerId)])
    expect(await eve.alive()).to.deep.equal(['eve'])

    const holders = async (page: typeof ada): Promise<string[]> => (await page.search('diary')).map(({ holder }) => holder).sort()
    await Promise.all([ada, bea].map(async page => page.find('diary', 2)))
    expect(await holders(ada)).to.deep.equal([ada.peerId, alf.peerId].sort())
    expect(await holders(bea)).to.deep.equal([bea.peerId, bob.peerId].sort())
    expect(await holders(eve)).to.deep.equal([eve.peerId])

    // nor if they are connected and know the name of what the other has
    const [address] = (await bea.addresses()).filter(address => address.includes('/webrtc/'))
    await ada.dial(address)
    expect((await ada.connections()).map(({ peer }) => peer)).to.include(bea.peerId)
    expect(await holders(ada)).to.deep.equal([ada.peerId, alf.peerId].sort())
    expect(await ada.alive()).to.deep.equal(['ada', 'alf', 'hub of ants'])
    const [{ cid }] = await bob.find(`"${fileOf('bea', 2).name}"`)
    expect(await ada.failureOf(cid, 1_000)).to.equal('NotFoundError')
  })
})
