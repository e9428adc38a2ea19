import { expect } from 'chai'
import { useColony, webSocketsOf } from './colony.ts'
import type { Page } from 'playwright-core'

/** What is on `globalThis` in a page whose handshakes fail. */
interface Spoilt { spoilt: number }

type Method = (...args: unknown[]) => Promise<unknown>

/** Lets the first handshakes over WebRTC of a page fail, and counts them. */
async function spoil (page: Page, method: 'createOffer' | 'setRemoteDescription', times: number): Promise<() => Promise<number>> {
  await page.evaluate(([method, times]) => {
    const prototype = RTCPeerConnection.prototype as unknown as Record<typeof method, Method>
    const original = prototype[method]
    const count = Object.assign(globalThis, { spoilt: 0 })
    prototype[method] = async function (this: RTCPeerConnection, ...args) {
      if (count.spoilt < times) {
        count.spoilt++
        throw new Error('This handshake fails')
      }

      return original.apply(this, args)
    }
  }, [method, times] as const)

  return async () => page.evaluate(() => (globalThis as unknown as Spoilt).spoilt)
}

describe('a member whose handshake fails at first', () => {
  const colony = useColony()

  for (const [what, method, times] of [
    ['it makes no offer, once', 'createOffer', 1],
    ['it refuses an offer, once', 'setRemoteDescription', 1],
    ['it refuses any, four times', 'setRemoteDescription', 4]
  ] as const) {
    it(`is linked all the same if ${what}`, async () => {
      const hub = await colony.hub()
      const bootstrap = webSocketsOf(hub)
      const page = await colony.openPage()
      const spoilt = await spoil(page, method, times)
      const [ada, ben] = await Promise.all([colony.page({ name: 'ada', bootstrap }, page), colony.page({ name: 'ben', bootstrap })])

      if (method === 'createOffer') {
        // whoever has the smaller key opens the link
        const [address] = (await ben.addresses()).filter(address => address.includes('/webrtc/'))
        await ada.dial(address).catch(() => {})
      }

      await Promise.all([ada.untilLinked(ben.peerId), ben.untilLinked(ada.peerId)])
      expect(await spoilt()).to.equal(times)
    })
  }

  it('is linked all the same if the relay refuses, once', async () => {
    const hub = await colony.hub()
    const bootstrap = webSocketsOf(hub)
    const relay = hub.libp2p.services.relay as unknown as { handleConnect: Method }
    const handleConnect = relay.handleConnect.bind(relay)
    let refused = 0
    relay.handleConnect = async (...args) => {
      if (refused < 1) {
        refused++
        throw new Error('Not now')
      }

      await handleConnect(...args)
    }
    const [ada, ben] = await Promise.all(['ada', 'ben'].map(async name => colony.page({ name, bootstrap })))

    await Promise.all([ada.untilLinked(ben.peerId), ben.untilLinked(ada.peerId)])
    expect(refused).to.equal(1)
  })
})
