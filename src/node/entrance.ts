import { ConnectionClosedError } from '@libp2p/interface'
import { CODE_P2P } from '@multiformats/multiaddr'
import { delay, waitFor } from '../delay.ts'
import { parseAddress } from './check-init.ts'
import type { Membership } from '../membership/index.ts'
import type { AbortOptions, Connection, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long to wait for one known node, in ms. */
const JOIN_TIMEOUT = 10_000

/** Tries to come in begin so far apart, in ms, and twice as far each time, up to the largest; half of it is random. */
const RETRY_DELAY = 1_000
const MAX_RETRY_DELAY = 30_000

/** The largest for a node that has lost its last relay: others may want to reach it. */
const MAX_REACH_DELAY = 10_000

/** Events after which a member may be known that was not. */
const WAKING = ['member:joined', 'membership:introduced', 'membership:links'] as const

/** What an {@link Entrance} is made with. */
export interface EntranceInit {
  libp2p: Libp2p<{ membership?: Pick<Membership, 'get' | 'members' | 'isIntroducing' | 'addEventListener' | 'removeEventListener'> }>
  bootstrap: Array<string | Multiaddr>

  /** Protocols of the services that have to notice who comes in. */
  protocols: string[]
}

/** The way into the colony: known nodes, dialled until one of them answers, whoever else is here, and again when nobody is left. */
export class Entrance {
  readonly #libp2p: EntranceInit['libp2p']
  readonly #bootstrap: Multiaddr[]
  readonly #protocols: string[]
  readonly #stopped = new AbortController()

  /** What connected peers said they speak. The peer store has some of that before they say it. */
  readonly #speaks = new Map<string, string[]>()

  /** Who is known to the services of which protocol. */
  readonly #known = new Map<string, Set<string>>()
  readonly #waiting = new Set<() => void>()
  #topologies: string[] = []

  /** `true` once a known node was in: until then those who came here may be a colony of their own. */
  #hasEntered = false

  /** `true` once it had an address; some have none on purpose. */
  #wasReachable = false

  /** @throws {InvalidParametersError} an address is not a multiaddr */
  constructor ({ libp2p, bootstrap, protocols }: EntranceInit) {
    this.#libp2p = libp2p
    this.#bootstrap = bootstrap.map(parseAddress)
    this.#protocols = protocols
  }

  /** Takes note of who comes; before the node starts, so that nobody is missed. */
  watch (): void {
    this.#libp2p.addEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    WAKING.forEach(type => { this.#libp2p.services.membership?.addEventListener?.(type, this.#wake) })
  }

  /** Goes on until `stop`; resolves when the first known node is in, or all have been tried. */
  async start (): Promise<void> {
    this.#topologies = await Promise.all(this.#protocols.map(async protocol => this.#libp2p.register(protocol, {
      onConnect: peer => { this.#note(protocol, peer) }
    })))

    if (this.#bootstrap.length > 0) {
      await this.#tryAll()
      void this.#keepIn().catch(() => {})
    }
  }

  stop (): void {
    this.#stopped.abort()
    this.#libp2p.removeEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    WAKING.forEach(type => { this.#libp2p.services.membership?.removeEventListener?.(type, this.#wake) })
    this.#topologies.forEach(topology => { this.#libp2p.unregister(topology) })
  }

  /**
   * Connects to a known node, and waits until the services know it too, and it
   * is missed by nobody: what it knew is known here, and to others that we came.
   *
   * @throws {ConnectionClosedError} it was gone before that
   * @throws what dialling says, or the reason of `signal`
   */
  async join (address: string | Multiaddr, options?: AbortOptions): Promise<PeerId> {
    return this.#joinAt([parseAddress(address)], options)
  }

  /** As `join`, with all addresses of one node. */
  async #joinAt (addresses: Multiaddr[], options?: AbortOptions): Promise<PeerId> {
    const signals = [this.#stopped.signal, AbortSignal.timeout(JOIN_TIMEOUT), ...(options?.signal == null ? [] : [options.signal])]
    const signal = AbortSignal.any(signals)
    const { remotePeer } = await this.#dial(addresses, signal)

    while (!this.#isKnown(remotePeer)) {
      if (!this.#isConnected(remotePeer)) {
        throw new ConnectionClosedError('The known node is gone')
      }

      await waitFor(new Promise<void>(resolve => { this.#waiting.add(resolve) }), signal)
    }

    return remotePeer
  }

  /** libp2p makes one dial of those to the same node at the same time, which may fail before it has tried these addresses. */
  async #dial (addresses: Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const node = nodeOf(addresses[0])
    const shared = node != null && this.#libp2p.getDialQueue().some(({ peerId }) => peerId?.toString() === node)

    try {
      return await this.#libp2p.dial(addresses, { signal })
    } catch (err) {
      if (!shared || signal.aborted) {
        throw err
      }

      // of those that shared a dial one shares none the next time, so this ends
      return this.#dial(addresses, signal)
    }
  }

  /** `true` if it has said what it speaks, and the services for that have been told, membership by the peer itself. */
  #isKnown (peer: PeerId): boolean {
    const speaks = this.#speaks.get(String(peer))
    const known = this.#known.get(String(peer))
    const { membership } = this.#libp2p.services

    if (speaks?.some(protocol => isMembership(protocol) && this.#protocols.includes(protocol)) === true && membership?.get != null && (membership.get(peer) == null || membership.isIntroducing?.(peer))) {
      return false
    }

    return speaks != null && this.#protocols.every(protocol => known?.has(protocol) === true || !speaks.includes(protocol))
  }

  readonly #onIdentify = ({ detail: { peerId, protocols } }: CustomEvent<IdentifyResult>): void => {
    if (this.#isConnected(peerId)) {
      this.#speaks.set(String(peerId), protocols)
      this.#wake()
    }
  }

  readonly #onDisconnect = ({ detail: peer }: CustomEvent<PeerId>): void => {
    this.#speaks.delete(String(peer))
    this.#known.delete(String(peer))
    this.#wake()
  }

  #note (protocol: string, peer: PeerId): void {
    if (this.#isConnected(peer)) {
      const known = this.#known.get(String(peer)) ?? new Set()
      this.#known.set(String(peer), known.add(protocol))
      this.#wake()
    }
  }

  /** `false` for somebody who has gone meanwhile: nothing would tell us to forget it. */
  #isConnected (peer: PeerId): boolean {
    return this.#libp2p.getConnections(peer).length > 0
  }

  readonly #wake = (): void => {
    this.#waiting.forEach(resolve => { resolve() })
    this.#waiting.clear()
  }

  /** Resolves as soon as one is in. */
  async #tryAll (): Promise<void> {
    const self = this.#libp2p.peerId.toString()
    const others = this.#bootstrap.filter(address => !address.toString().includes(`/p2p/${self}`))
    // libp2p makes one dial of those to the same node, which would fail with the first address that does
    const byNode = Map.groupBy(others, address => nodeOf(address) ?? address.toString())
    await Promise.any([...byNode.values()].map(async addresses => this.#joinAt(addresses))).then(() => { this.#hasEntered = true }, () => {})
  }

  /** `true` if nobody is connected, or no other member is known to be alive: not all who are connected are members. */
  #isAlone (): boolean {
    const { membership } = this.#libp2p.services

    if (this.#libp2p.getConnections().length === 0) {
      return true
    }

    return membership?.members != null && ![...membership.members()].some(({ self, state }) => !self && (state === 'alive' || state === 'suspected'))
  }

  /** Tries again until it was in once, and when nobody is there, or nobody can reach this node any more, as when the last hub is gone. */
  async #keepIn (): Promise<void> {
    for (let wait = RETRY_DELAY; ;) {
      await delay(wait * (0.5 + Math.random() / 2), { signal: this.#stopped.signal })
      const alone = this.#isAlone()
      this.#wasReachable ||= this.#libp2p.getMultiaddrs().length > 0

      if (!this.#hasEntered || alone || (this.#wasReachable && this.#libp2p.getMultiaddrs().length === 0)) {
        await this.#tryAll()
        wait = Math.min(2 * wait, alone || !this.#hasEntered ? MAX_RETRY_DELAY : MAX_REACH_DELAY)
      } else {
        wait = RETRY_DELAY
      }
    }
  }
}

/** The name of the node that an address leads to, if it says that. */
function nodeOf (address: Multiaddr): string | undefined {
  const last = address.getComponents().at(-1)

  return last?.code === CODE_P2P ? last.value : undefined
}

function isMembership (protocol: string): boolean {
  return protocol.endsWith('/membership/1.0.0')
}
