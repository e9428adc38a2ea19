/**
 * What there is of membership while it runs: the core, the streams, and what
 * this node says of itself.
 *
 * @module
 */

import { peerIdFromString } from '@libp2p/peer-id'
import { readAddresses, withPeer } from '../addresses.ts'
import { Driver } from '../driver.ts'
import { messageMetrics } from '../metrics.ts'
import { membershipProtocol } from './constants.ts'
import { GOODBYE, SwimCore } from './core/swim.ts'
import { Goodbye } from './goodbye.ts'
import { Inbox } from './inbox.ts'
import { Links, MAX_STREAMS } from './links.ts'
import { OwnRecord } from './own-record.ts'
import { sealClaim } from './record.ts'
import type { Member as Row } from './core/members.ts'
import type { SwimEvent, SwimInput, SwimOutput } from './core/swim.ts'
import type { LeaveOptions, MemberDetails, MembershipComponents, Unreachable } from './index.ts'
import type { Card } from './record.ts'
import type { PeerKey } from '../core.ts'
import type { Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long whoever has the larger key waits for the other to open the link, in ms. */
const PATIENCE = 500

/** Events of the node after which its addresses may be others; the second comes about a second after the first, which is long if somebody leaves meanwhile. */
const ADDRESS_EVENTS = ['transport:listening', 'self:peer:update'] as const

/** What {@link Running} works with. */
export interface RunningInit {
  components: MembershipComponents
  network: string

  /** This node. */
  self: PeerKey
  log: Logger

  /** What this node says of itself. */
  details (): MemberDetails

  /** What somebody said of itself who was here when this node was last. */
  known (peer: PeerKey): Card | undefined
  onEvent (event: SwimEvent): void

  /** A link was made, or is no more. */
  onLinks (): void
  onUnreachable (unreachable: Unreachable): void
}

export class Running {
  readonly core: SwimCore

  readonly #init: RunningInit
  readonly #protocol: string
  readonly #driver: Driver<SwimInput, SwimOutput>
  readonly #inbox: Inbox
  readonly #links: Links
  readonly #own: OwnRecord
  #topology?: string
  #closed = false

  /** Set when this node leaves. */
  #goodbye?: Goodbye

  constructor (init: RunningInit) {
    const { components, network, self } = init
    this.#init = init
    this.#protocol = membershipProtocol(network)
    this.core = new SwimCore({ self, random: Math.random })
    this.#driver = new Driver<SwimInput, SwimOutput>({
      core: this.core,
      carryOut: outputs => { outputs.forEach(output => { this.#carryOut(output) }) },
      metrics: messageMetrics(components.metrics, 'membership')
    })
    this.#inbox = new Inbox({
      network,
      self,
      members: this.core.members,
      onMessage: (from, message) => { this.#driver.handle({ type: 'message', from, message }) },
      onInvalid: (from, err) => { this.#links.breakOff(from, err) }
    })
    this.#links = this.#makeLinks()
    this.#own = new OwnRecord({
      components,
      network,
      details: () => init.details(),
      last: () => this.#cardOf(self),
      onSigned: signed => { this.#driver.handle({ type: 'self', signed }) }
    })
  }

  /** `true` if nobody is linked, and this node has not left by itself. */
  get alone (): boolean {
    return this.#goodbye == null && this.core.view.size === 0
  }

  /** Says who this node is, and speaks with others from now on. */
  async start (epoch: number): Promise<void> {
    const { registrar, events } = this.#init.components
    await this.#own.sign({ epoch, counter: 0 })
    this.#topology = await registrar.register(this.#protocol, { onConnect: peer => { this.#onConnect(String(peer)) } })
    await registrar.handle(this.#protocol, (stream, connection) => { this.#links.accept(stream, connection) }, {
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS
    })
    ADDRESS_EVENTS.forEach(type => { events.addEventListener(type, this.#onSelfUpdate) })
  }

  /** Ends all streams, when what was said is on its way. */
  async disconnect (): Promise<void> {
    await this.#links.close()
  }

  async stop (): Promise<void> {
    const { registrar, events } = this.#init.components
    this.#closed = true
    this.#own.close()
    this.#driver.stop()
    this.#inbox.close()
    ADDRESS_EVENTS.forEach(type => { events.removeEventListener(type, this.#onSelfUpdate) })

    if (this.#topology != null) {
      registrar.unregister(this.#topology)
    }

    await this.#links.close()
    await registrar.unhandle(this.#protocol)
  }

  /** Signs what this node says of itself anew. */
  async renew (): Promise<void> {
    await this.#own.renew()
  }

  /** Tries to reach somebody. */
  link (peer: PeerKey): void {
    this.#links.link(peer)
  }

  async leave ({ reason, successor, signal }: LeaveOptions = {}): Promise<void> {
    if (this.#goodbye == null) {
      this.#goodbye = new Goodbye(this.core.view.links())
      await this.#own.renew({ left: true, reason, successor: successor?.toString() })
      await this.#goodbye.wait(signal)
      signal?.throwIfAborted()
    }
  }

  /** Says goodbye at once, with what was signed before; `false` if it has to be signed first, which is begun. */
  leaveNow (): boolean {
    if (this.#goodbye != null) {
      return true
    }

    const { farewell } = this.#own

    if (farewell == null) {
      void this.leave().catch((err: unknown) => { this.#init.log('could not say goodbye - %e', err) })

      return false
    }

    this.#goodbye = new Goodbye(this.core.view.links())
    this.#driver.handle({ type: 'self', signed: farewell })

    return true
  }

  #makeLinks (): Links {
    const { components: { connectionManager }, log, onLinks, onUnreachable } = this.#init
    const tell = (input: SwimInput): void => {
      this.#driver.handle(input)
      onLinks()
    }

    return new Links({
      protocol: this.#protocol,
      connectionManager,
      log,
      addresses: peer => this.#addressesOf(peer),
      onMessage: (from, message) => {
        if (message.type === 'ack' && message.seq === GOODBYE) {
          this.#goodbye?.heard(from)
        }

        this.#inbox.take(from, message)
      },
      onLinked: (peer, dialled) => { tell({ type: 'linked', peer, dialled }) },
      onUnlinked: peer => { tell({ type: 'unlinked', peer }) },
      onGone: peer => { tell({ type: 'gone', peer }) },
      onUnreachable: (peer, error, failures) => {
        this.#driver.handle({ type: 'unreachable', peer })
        onUnreachable({ peerId: peerIdFromString(peer), error, failures })
      }
    })
  }

  #carryOut (output: Exclude<SwimOutput, { type: 'timer' }>): void {
    switch (output.type) {
      case 'send': this.#links.send(output.to, output.message); break
      case 'link': this.#links.link(output.peer); break
      case 'unlink':
        this.#links.unlink(output.peer)
        this.#init.onLinks()
        break
      case 'sign': void this.#own.sign(output).catch((err: unknown) => { this.#init.log.error('could not sign - %e', err) }); break
      case 'accuse': this.#accuse(output); break
      case 'event': {
        const { event } = output

        if ('member' in event) {
          this.#learn(event.member, event.type === 'updated')
        }

        this.#init.onEvent(event)
      }
    }
  }

  #accuse (accusation: Extract<SwimOutput, { type: 'accuse' }>): void {
    const { components: { privateKey }, network, log } = this.#init
    sealClaim(accusation, privateKey, network).then(
      claim => { this.#driver.handle({ type: 'claim', claim }) },
      (err: unknown) => { log.error('could not sign - %e', err) }
    )
  }

  /** Where libp2p can dial a member, for all who use it. */
  #learn ({ peer, signed, state }: Row, known: boolean): void {
    const { components: { peerStore }, self, log } = this.#init
    const multiaddrs = readAddresses((signed.record as Card).addresses)

    if (state === 'alive' && peer !== self && multiaddrs.length > 0) {
      peerStore.merge(peerIdFromString(peer), { multiaddrs })
        .catch((err: unknown) => { log('could not keep the addresses of %s - %e', peer, err) })

      if (known) {
        // this is told while the core is being asked
        queueMicrotask(() => { this.#driver.handle({ type: 'located', peer }) })
      }
    }
  }

  /** Somebody is connected who speaks the protocol: a newcomer, or somebody who takes us for one. */
  #onConnect (peer: PeerKey): void {
    const { view, members } = this.core

    if (view.has(peer) || (members.get(peer) != null && !view.isDue(peer))) {
      return
    }

    if (this.#init.self < peer) {
      this.#links.link(peer)
    } else {
      setTimeout(() => {
        if (!this.#closed && !view.has(peer)) {
          this.#links.link(peer)
        }
      }, PATIENCE).unref?.()
    }
  }

  readonly #onSelfUpdate = (): void => {
    if (this.#goodbye == null && this.#own.stale) {
      void this.renew().catch((err: unknown) => { this.#init.log.error('could not tell of new addresses - %e', err) })
    }
  }

  #addressesOf (peer: PeerKey): Multiaddr[] {
    const card = this.#cardOf(peer) ?? this.#init.known(peer)

    return withPeer(readAddresses(card?.addresses ?? []), peer)
  }

  #cardOf (peer: PeerKey): Card | undefined {
    return this.core.members.get(peer)?.signed.record as Card | undefined
  }
}
