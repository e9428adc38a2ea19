import { defaultLogger } from '@libp2p/logger'
import { peerIdFromString } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { expect } from 'chai'
import { Links } from '../../src/membership/links.ts'
import { openChannel } from '../../src/wire/channel.ts'
import type { Connection } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'

const PEER = '12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust'

describe('membership: links', () => {
  it('lead to where the other side opened the last stream: it may have begun anew, unnoticed', async () => {
    const links = new Links({
      protocol: '/membership',
      connectionManager: {} as ConnectionManager,
      log: defaultLogger().forComponent('test'),
      addresses: () => [],
      onMessage: () => {},
      onLinked: () => {},
      onUnlinked: () => {},
      onGone: () => {},
      onUnreachable: () => {}
    })
    const heard: string[] = []
    let hears = Promise.withResolvers<void>()

    async function open (name: string): Promise<void> {
      const [ours, theirs] = await streamPair()
      openChannel(theirs, {
        maxMessageSize: 1024,
        parse: value => value,
        onMessage: () => {
          heard.push(name)
          hears.resolve()
        }
      })
      links.accept(ours, { remotePeer: peerIdFromString(PEER) } as Partial<Connection> as Connection)
    }

    async function say (): Promise<void> {
      hears = Promise.withResolvers()
      links.send(PEER, { type: 'report', seq: 1, reached: true })
      await hears.promise
    }

    await open('before')
    await say()
    await open('now')
    await say()
    expect(heard).to.deep.equal(['before', 'now'])
    await links.close()
  })
})
