/**
 * Ways to this node through relays, for peers that cannot dial it.
 *
 * A node that nobody can dial, such as a browser, asks relays (hubs) to pass
 * on the handshakes of those who want to reach it: it holds a *reservation*
 * with each. The listener here holds them with two of the relays that the node
 * is connected with, so that one may go without anybody noticing.
 *
 * The listener of @libp2p/circuit-relay-v2 4.2.13 looks for relays by a random
 * walk over the DHT, which dials dozens of peers in the seconds after a relay
 * has gone; given a relay by name, it does not come back to it. Membership
 * knows all hubs and comes back to them anyway, so this one only takes those
 * that are connected, as they come. All else is left to libp2p.
 *
 * @module
 */

import { circuitRelayTransport, RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import { getNetConfig } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import type { CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2'
import type { Listener, ListenerEvents, Logger, PeerId, Transport, TypedEventTarget } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Relays to hold a reservation with. */
const RELAYS = 2

/** Addresses of one relay that are told to others: all that an honest one has. */
const MAX_ADDRESSES = 8

/** A relay that refused is asked again after so many ms, and twice as long each time, up to the largest. */
const RETRY_DELAY = 2_000
const MAX_RETRY_DELAY = 60_000

/** What libp2p keeps of a reservation. */
export interface ReservationEvents {
  'relay:created-reservation': CustomEvent<{ relay: PeerId, details: { reservation: { addrs: Uint8Array[] } } }>
  'relay:removed': CustomEvent<{ relay: PeerId }>
}

/** libp2p's reservations, as far as they are used here: it makes, renews, and forgets them. */
export interface ReservationStore extends TypedEventTarget<ReservationEvents> {
  addRelay (relay: PeerId, type: 'configured'): Promise<unknown>
}

/** The parts of a libp2p node that this uses. */
export type RelayListenerComponents = Pick<CircuitRelayTransportComponents, 'addressManager' | 'connectionManager' | 'logger' | 'registrar'>

/** A relay that the node is connected with. */
interface Relay {
  id: PeerId

  /** The way to this node through it; none if it holds no reservation. */
  addresses: Multiaddr[]
  asking: boolean
  failures: number
  retry?: ReturnType<typeof setTimeout>
}

/** The transport of libp2p for connections through relays, which listens with relays as they come. */
export function relayTransport (): (components: CircuitRelayTransportComponents) => Transport {
  return components => {
    const transport = circuitRelayTransport()(components) as Transport & { discovery: unknown, reservationStore: ReservationStore & { relayFilter: object } }
    transport.discovery = undefined
    // it keeps those that could not be reached once, such as a hub that was being started again, and refuses them for ever
    transport.reservationStore.relayFilter = { has: () => false, add: () => {} }
    inTurn(transport.reservationStore)
    transport.createListener = () => new RelayListener(components, transport.reservationStore)

    return transport
  }
}

/**
 * Lets reservations be made and renewed one after another. With each one that
 * succeeds, libp2p drops all that wait for their turn, as there are enough for
 * its discovery, and nobody who waits for them ever hears of it.
 */
export function inTurn (reservations: Pick<ReservationStore, 'addRelay'>): void {
  const addRelay = reservations.addRelay.bind(reservations)
  let turn: Promise<unknown> = Promise.resolve()

  reservations.addRelay = async (relay, type) => {
    const added = turn.then(async () => addRelay(relay, type))
    turn = added.catch(() => {})

    return added
  }
}

/** Holds reservations. */
export class RelayListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #components: RelayListenerComponents
  readonly #reservations: ReservationStore
  readonly #log: Logger
  readonly #relays = new Map<string, Relay>()
  #topology?: string

  constructor (components: RelayListenerComponents, reservations: ReservationStore) {
    super()
    this.#components = components
    this.#reservations = reservations
    this.#log = components.logger.forComponent('formicary:relays')
  }

  async listen (): Promise<void> {
    this.#reservations.addEventListener('relay:created-reservation', this.#onReserved)
    this.#reservations.addEventListener('relay:removed', this.#onRemoved)
    this.#topology = await this.#components.registrar.register(RELAY_V2_HOP_CODEC, {
      onConnect: id => {
        if (!this.#relays.has(String(id))) {
          this.#relays.set(String(id), { id, addresses: [], asking: false, failures: 0 })
          this.#keep()
        }
      },
      onDisconnect: id => {
        this.#forget(String(id))
        this.#keep()
      }
    })
  }

  getAddrs (): Multiaddr[] {
    return [...this.#relays.values()].flatMap(({ addresses }) => addresses)
  }

  updateAnnounceAddrs (): void {}

  async close (): Promise<void> {
    this.#reservations.removeEventListener('relay:created-reservation', this.#onReserved)
    this.#reservations.removeEventListener('relay:removed', this.#onRemoved)
    this.#components.registrar.unregister(this.#topology as string)

    for (const key of [...this.#relays.keys()]) {
      this.#forget(key)
    }

    queueMicrotask(() => { this.safeDispatchEvent('close') })
  }

  /** Asks as many relays as are missing. */
  #keep (): void {
    const relays = [...this.#relays.values()]
    const free = relays.filter(({ addresses, asking, retry }) => addresses.length === 0 && !asking && retry == null)
    const missing = RELAYS - relays.filter(({ addresses, asking }) => addresses.length > 0 || asking).length

    for (const relay of free.slice(0, Math.max(0, missing))) {
      void this.#ask(relay)
    }
  }

  async #ask (relay: Relay): Promise<void> {
    relay.asking = true

    try {
      await this.#reservations.addRelay(relay.id, 'configured')
      relay.failures = 0
    } catch (err) {
      this.#log('no reservation with %p - %e', relay.id, err)
      this.#postpone(relay)
    } finally {
      relay.asking = false
      this.#keep()
    }
  }

  #postpone (relay: Relay): void {
    if (this.#relays.get(String(relay.id)) !== relay) {
      return
    }

    relay.retry = setTimeout(() => {
      relay.retry = undefined
      this.#keep()
    }, Math.min(MAX_RETRY_DELAY, RETRY_DELAY * 2 ** relay.failures++))
  }

  #forget (key: string): void {
    const relay = this.#relays.get(key)
    this.#relays.delete(key)
    clearTimeout(relay?.retry)
    this.#setAddresses(relay, [])
  }

  /** New, or renewed, in which case the relay may have other addresses now. */
  readonly #onReserved = ({ detail: { relay, details } }: ReservationEvents['relay:created-reservation']): void => {
    this.#setAddresses(this.#relays.get(String(relay)), details.reservation.addrs.slice(0, MAX_ADDRESSES).flatMap(wayThrough))
  }

  readonly #onRemoved = ({ detail: { relay } }: ReservationEvents['relay:removed']): void => {
    this.#setAddresses(this.#relays.get(String(relay)), [])
    this.#keep()
  }

  #setAddresses (relay: Relay | undefined, addresses: Multiaddr[]): void {
    if (relay == null || (relay.addresses.length === 0 && addresses.length === 0)) {
      return
    }

    const gone = relay.addresses.filter(old => !addresses.some(address => address.equals(old)))
    relay.addresses = addresses
    addresses.forEach(address => { this.#components.addressManager.confirmObservedAddr(address, { type: 'transport' }) })
    gone.forEach(address => { this.#components.addressManager.removeObservedAddr(address) })
    queueMicrotask(() => { this.safeDispatchEvent('listening') })
  }
}

/**
 * The way to this node from an address of the relay: none if nobody else can
 * dial that, as for a relay that came here over WebRTC, or that lies.
 */
function wayThrough (address: Uint8Array): Multiaddr[] {
  try {
    const relay = multiaddr(address)
    // throws for what is no place on a network
    getNetConfig(relay)

    return relay.getComponents().some(({ name }) => name === 'p2p-circuit' || name === 'webrtc') ? [] : [relay.encapsulate('/p2p-circuit')]
  } catch {
    return []
  }
}
