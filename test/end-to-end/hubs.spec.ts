import { expect } from 'chai'
import { HUB_IS_GONE, HUB_LISTEN, useColony } from './colony.ts'
import type { FormicaryProcess } from '../fixtures/hub-process.ts'

/** The PeerId in an address of a hub. */
function peerOf (hub: FormicaryProcess): string {
  return hub.addresses.ws.split('/p2p/')[1]
}

/** What a hub has to listen on to be where one was that is gone. */
function placesOf (hub: FormicaryProcess): string[] {
  return [hub.addresses.tcp, hub.addresses.ws].map(address => address.split('/p2p/')[0])
}

describe('two hubs', () => {
  const colony = useColony(HUB_IS_GONE)

  it('lead to a page, each alone, and again when they come back', async () => {
    const folder = await colony.folder()
    const first = await colony.hubProcess(HUB_LISTEN, '--name', 'first', '--data', folder)
    const second = await colony.hubProcess(HUB_LISTEN, '--name', 'second', '--bootstrap', first.addresses.tcp)
    const bootstrap = [first.addresses.ws, second.addresses.ws]
    const ada = await colony.page({ name: 'ada', bootstrap })
    await ada.untilReachableThrough([peerOf(first), peerOf(second)])

    first.signal('SIGKILL')
    await first.ended
    await ada.untilReachableThrough([peerOf(second)])
    const ben = await colony.page({ name: 'ben', bootstrap: [second.addresses.ws] })
    await Promise.all([ben.untilLinked(ada.peerId), ada.untilEvent('first down')])

    const again = await colony.hubProcess(placesOf(first), '--name', 'first', '--data', folder, '--bootstrap', second.addresses.tcp)
    expect(peerOf(again)).to.equal(peerOf(first))
    await Promise.all([ada, ben].map(async page => page.untilReachableThrough([peerOf(first), peerOf(second)])))
    second.signal('SIGKILL')
    await second.ended
    await ada.untilReachableThrough([peerOf(first)])
    const cas = await colony.page({ name: 'cas', bootstrap: [again.addresses.ws] })
    await cas.untilLinked(ada.peerId)
  })

  it('of which none is left come back to pages that have lived without', async () => {
    const folder = await colony.folder()
    const hub = await colony.hubProcess(HUB_LISTEN, '--data', folder)
    const [ada, ben] = await Promise.all(['ada', 'ben'].map(async name => colony.page({ name, bootstrap: [hub.addresses.ws] })))
    await ada.untilLinked(ben.peerId)
    hub.signal('SIGKILL')
    await hub.ended
    await Promise.all([ada, ben].map(async page => page.untilReachableThrough([])))
    await ada.untilAlive(['ada', 'ben'])

    const again = await colony.hubProcess(placesOf(hub), '--data', folder)
    await Promise.all([ada, ben].map(async page => page.untilReachableThrough([peerOf(again)])))
    const cas = await colony.page({ name: 'cas', bootstrap: [again.addresses.ws] })
    await Promise.all([ada, ben].map(async ({ peerId }) => cas.untilLinked(peerId)))
  })
})
