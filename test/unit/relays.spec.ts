import { defaultLogger } from '@libp2p/logger'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { TypedEventEmitter } from 'main-event'
import { inTurn, RelayListener } from '../../src/node/relays.ts'
import type { RelayListenerComponents, ReservationEvents, ReservationStore } from '../../src/node/relays.ts'
import type { PeerId, Topology } from '@libp2p/interface'

const HUBS = [
  '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8',
  '12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust',
  '12D3KooWDyaCa3BhrFoUZ9uWXCzLbMvAZ1yTdcv8SrF2yUAXzXrY'
].map(name => peerIdFromString(name))

/** Relays that take reservations, or do not, and the listener that asks for them. */
class Subject extends TypedEventEmitter<ReservationEvents> implements ReservationStore {
  readonly listener: RelayListener
  readonly asked: PeerId[] = []
  readonly announced = new Set<string>()
  readonly refuses = new Set<PeerId>()
  topology: Topology = {}

  constructor () {
    super()
    const components = {
      logger: defaultLogger(),
      registrar: {
        register: async (_protocol: string, topology: Topology) => {
          this.topology = topology

          return 'topology'
        },
        unregister: () => { this.topology = {} }
      },
      addressManager: {
        confirmObservedAddr: (address: unknown) => { this.announced.add(String(address)) },
        removeObservedAddr: (address: unknown) => { this.announced.delete(String(address)) }
      }
    }
    this.listener = new RelayListener(components as unknown as RelayListenerComponents, this)
  }

  async addRelay (relay: PeerId): Promise<void> {
    this.asked.push(relay)

    if (this.refuses.has(relay)) {
      throw new Error('There is no room')
    }

    this.reserve(relay)
  }

  /** What libp2p tells of a reservation that is made or renewed. */
  reserve (relay: PeerId, address = '/ip4/192.0.2.7/tcp/4001'): void {
    const addrs = [multiaddr(`${address}/p2p/${relay}`).bytes]
    this.dispatchEvent(new CustomEvent('relay:created-reservation', { detail: { relay, details: { reservation: { addrs } } } }))
  }

  lose (relay: PeerId): void {
    this.dispatchEvent(new CustomEvent('relay:removed', { detail: { relay } }))
  }

  async connect (...hubs: PeerId[]): Promise<void> {
    hubs.forEach(hub => { void this.topology.onConnect?.(hub, {} as never) })
    await settle()
  }

  get relays (): string[] {
    return this.listener.getAddrs().map(address => String(address.getComponents().find(({ name }) => name === 'p2p')?.value))
  }
}

async function settle (): Promise<void> {
  await new Promise(resolve => { setTimeout(resolve, 0) })
}

describe('ways through relays', () => {
  let subject: Subject

  beforeEach(async () => {
    subject = new Subject()
    await subject.listener.listen()
  })

  afterEach(async () => {
    await subject.listener.close()
  })

  it('go through two of the relays that are connected', async () => {
    await subject.connect(...HUBS)

    expect(subject.relays).to.deep.equal([String(HUBS[0]), String(HUBS[1])])
    expect([...subject.announced]).to.deep.equal(subject.listener.getAddrs().map(String))
    expect(subject.asked).to.have.length(2)
  })

  it('go through another when one disconnects', async () => {
    await subject.connect(...HUBS)
    void subject.topology.onDisconnect?.(HUBS[0])
    await settle()

    expect(subject.relays).to.have.members([String(HUBS[1]), String(HUBS[2])])
    expect(subject.announced.size).to.equal(2)
  })

  it('go through a relay again that ended a reservation, if there is no other', async () => {
    await subject.connect(HUBS[0])
    subject.lose(HUBS[0])
    await settle()

    expect(subject.relays).to.deep.equal([String(HUBS[0])])
    expect(subject.asked).to.have.length(2)
  })

  it('go through others when one refuses', async () => {
    subject.refuses.add(HUBS[0])
    await subject.connect(...HUBS)

    expect(subject.relays).to.have.members([String(HUBS[1]), String(HUBS[2])])
  })

  it('are asked for again after a refusal', async function () {
    this.timeout(20_000)
    subject.refuses.add(HUBS[0])
    await subject.connect(HUBS[0])
    expect(subject.relays).to.deep.equal([])
    subject.refuses.clear()
    await new Promise<void>(resolve => { subject.listener.addEventListener('listening', () => { resolve() }) })

    expect(subject.relays).to.deep.equal([String(HUBS[0])])
  })

  it('have the addresses that a relay says when it renews a reservation', async () => {
    await subject.connect(HUBS[0])
    subject.reserve(HUBS[0], '/ip4/192.0.2.8/tcp/4001')

    expect(subject.listener.getAddrs().map(String)).to.deep.equal([`/ip4/192.0.2.8/tcp/4001/p2p/${HUBS[0]}/p2p-circuit`])
    expect(subject.announced.size).to.equal(1)
  })

  it('end when nobody listens any more', async () => {
    await subject.connect(...HUBS)
    await subject.listener.close()

    expect(subject.listener.getAddrs()).to.deep.equal([])
    expect(subject.announced.size).to.equal(0)
  })
})

describe('ways that a relay tells', () => {
  it('are left out if nobody could go them', async () => {
    const [hub] = HUBS
    const subject = new Subject()
    await subject.listener.listen()
    subject.refuses.add(hub)
    await subject.connect(hub)
    const addrs = [
      multiaddr(`/webrtc/p2p/${hub}`).bytes,
      multiaddr(`/ip4/192.0.2.7/tcp/4001/p2p/${HUBS[1]}/p2p-circuit/webrtc/p2p/${hub}`).bytes,
      multiaddr('/memory/1').bytes,
      Uint8Array.of(255, 255, 255),
      multiaddr(`/ip4/192.0.2.7/tcp/4001/p2p/${hub}`).bytes
    ]
    subject.dispatchEvent(new CustomEvent('relay:created-reservation', { detail: { relay: hub, details: { reservation: { addrs } } } }))

    expect([...subject.announced]).to.deep.equal([`/ip4/192.0.2.7/tcp/4001/p2p/${hub}/p2p-circuit`])
    await subject.listener.close()
  })

  it('are few, whatever it says', async () => {
    const [hub] = HUBS
    const subject = new Subject()
    await subject.listener.listen()
    subject.refuses.add(hub)
    await subject.connect(hub)
    const addrs = Array.from({ length: 1_000 }, (_, i) => multiaddr(`/ip4/192.0.2.7/tcp/${i + 1}/p2p/${hub}`).bytes)
    subject.dispatchEvent(new CustomEvent('relay:created-reservation', { detail: { relay: hub, details: { reservation: { addrs } } } }))

    expect(subject.announced.size).to.equal(8)
    await subject.listener.close()
  })
})

describe('reservations', () => {
  it('are made one after another, whatever becomes of them', async () => {
    const log: string[] = []
    const store = {
      async addRelay (relay: PeerId): Promise<void> {
        log.push(`ask ${HUBS.indexOf(relay)}`)
        await settle()
        log.push(`over ${HUBS.indexOf(relay)}`)

        if (relay === HUBS[0]) {
          throw new Error('There is no room')
        }
      }
    }
    inTurn(store)
    const asked = await Promise.allSettled(HUBS.map(async hub => store.addRelay(hub)))

    expect(asked.map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled', 'fulfilled'])
    expect(log).to.deep.equal(['ask 0', 'over 0', 'ask 1', 'over 1', 'ask 2', 'over 2'])
  })
})
