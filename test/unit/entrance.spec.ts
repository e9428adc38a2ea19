import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { TypedEventEmitter } from 'main-event'
import { Entrance } from '../../src/node/entrance.ts'
import type { EntranceInit } from '../../src/node/entrance.ts'
import type { IdentifyResult, Libp2pEvents, PeerId, Topology } from '@libp2p/interface'

/** As much of a node as an entrance needs, with one other that it can dial. */
class FakeNode extends TypedEventEmitter<Libp2pEvents> {
  readonly services = {}
  readonly topologies: Topology[] = []
  connected = false
  readonly peerId: PeerId
  readonly other: PeerId

  constructor (self: PeerId, other: PeerId) {
    super()
    this.peerId = self
    this.other = other
  }

  getConnections (): unknown[] {
    return this.connected ? [{}] : []
  }

  getDialQueue (): unknown[] {
    return []
  }

  async dial (): Promise<unknown> {
    this.connected = true

    return { remotePeer: this.other }
  }

  async register (_protocol: string, topology: Topology): Promise<string> {
    this.topologies.push(topology)

    return 'topology'
  }

  /** The other has said what it speaks. */
  identify (): void {
    this.safeDispatchEvent('peer:identify', { detail: { peerId: this.other, protocols: ['/chat'] } as unknown as IdentifyResult })
    this.topologies.forEach(topology => { void topology.onConnect?.(this.other, {} as never) })
  }
}

describe('the way into a colony', () => {
  it('is not through somebody who said what it speaks when it had gone', async () => {
    const [self, other] = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
    const node = new FakeNode(peerIdFromPrivateKey(self), peerIdFromPrivateKey(other))
    const entrance = new Entrance({ libp2p: node as unknown as EntranceInit['libp2p'], bootstrap: [], protocols: ['/chat'] })
    entrance.watch()
    await entrance.start()
    node.identify()
    const order: string[] = []
    const joined = entrance.join(multiaddr('/ip4/192.0.2.7/tcp/4001')).then(() => { order.push('joined') })

    // all that could be done by now is done before a timer
    await new Promise(resolve => { setTimeout(resolve) })
    order.push('identified')
    node.identify()
    await joined

    expect(order).to.deep.equal(['identified', 'joined'])
  })
})
