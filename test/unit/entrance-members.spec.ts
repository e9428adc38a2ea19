import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect } from 'chai'
import { TypedEventEmitter } from 'main-event'
import { delay } from '../../src/delay.ts'
import { Entrance } from '../../src/node/entrance.ts'
import { failure } from '../fixtures/failure.ts'
import type { EntranceInit } from '../../src/node/entrance.ts'
import type { Connection, Libp2pEvents, PeerId, Topology } from '@libp2p/interface'

const PROTOCOL = '/formicary/test/membership/1.0.0'

/** A node as its entrance sees it, which dials whoever is asked for. */
class FakeNode extends TypedEventEmitter<Libp2pEvents> {
  readonly peerId: PeerId
  readonly door: PeerId

  /** What membership knows of the door. */
  readonly membership = Object.assign(new TypedEventEmitter<Record<string, CustomEvent<unknown>>>(), {
    get: () => this.isMember ? {} : undefined,
    members: () => [{ self: true, state: 'alive' }, ...this.isMember ? [{ self: false, state: this.state }] : []].values(),
    isIntroducing: () => this.isIntroducing
  })

  readonly services = { membership: this.membership }
  isMember = false
  isIntroducing = false
  state = 'alive'
  connections: Connection[] = []
  dials = 0
  #topology?: Topology

  constructor (peerId: PeerId, door: PeerId) {
    super()
    this.peerId = peerId
    this.door = door
  }

  async register (_: string, topology: Topology): Promise<string> {
    this.#topology = topology

    return 'topology'
  }

  unregister (): void {}
  getDialQueue = (): unknown[] => []
  getConnections = (): Connection[] => this.connections
  getMultiaddrs = (): unknown[] => []

  async dial (): Promise<Connection> {
    this.dials++
    const connection = { remotePeer: this.door } as unknown as Connection
    this.connections = [connection]

    return connection
  }

  /** The door says what it speaks. */
  identify (): void {
    this.safeDispatchEvent('peer:identify', { detail: { peerId: this.door, protocols: [PROTOCOL] } })
    void this.#topology?.onConnect?.(this.door, this.connections[0])
  }

  /** The door's record comes over a link. */
  greet (): void {
    this.isMember = this.isIntroducing = true
    this.membership.safeDispatchEvent('member:joined', { detail: {} })
  }

  introduce (): void {
    this.isIntroducing = false
    this.membership.safeDispatchEvent('membership:introduced', { detail: {} })
  }

  disconnect (): void {
    this.connections = []
    this.safeDispatchEvent('peer:disconnect', { detail: this.door })
  }
}

describe('the way into a colony of members', () => {
  let node: FakeNode
  let entrance: Entrance
  let address: string

  beforeEach(async () => {
    const [own, door] = await Promise.all([1, 2].map(async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))))
    node = new FakeNode(own, door)
    address = `/ip4/127.0.0.1/tcp/4001/p2p/${String(door)}`
    entrance = new Entrance({ libp2p: node as unknown as EntranceInit['libp2p'], bootstrap: [address], protocols: [PROTOCOL] })
    entrance.watch()
  })

  afterEach(() => {
    entrance.stop()
  })

  /** Waits until the node has dialled so many times. */
  async function dialled (times: number): Promise<void> {
    while (node.dials < times) {
      await delay(5)
    }
  }

  it('is behind a node only when the one it came through is not needed any more', async () => {
    let isIn = false
    const starting = entrance.start().then(() => { isIn = true })
    await dialled(1)
    node.identify()
    node.greet()
    await delay(0)
    expect(isIn).to.equal(false)

    node.introduce()
    await starting
  })

  it('is given up when the other side is gone, and tried again', async () => {
    const starting = entrance.start()
    await dialled(1)
    node.identify()
    node.greet()
    node.disconnect()
    await starting
    await dialled(2)
  })

  it('says that the other side is gone', async () => {
    const joining = entrance.join(address)
    await dialled(1)
    node.disconnect()
    expect(await failure(joining)).to.have.property('name', 'ConnectionClosedError')
  })

  it('is tried again while no member is there, whoever else is connected', async () => {
    const starting = entrance.start()
    await dialled(1)
    node.identify()
    node.greet()
    node.introduce()
    await starting
    node.state = 'down'
    await dialled(2)
  })
})
