import { peerIdFromString } from '@libp2p/peer-id'
import { TypedEventEmitter } from 'main-event'
import { readAddresses, withPeer, writeAddresses } from '../addresses.ts'
import { optionalComponent } from '../components.ts'
import { Driver } from '../driver.ts'
import { NotStartedError } from '../errors.ts'
import { Acquaintances } from './acquaintances.ts'
import { AddressBook } from './address-book.ts'
import { FULL_MESH, MAX_ADDRESS_SIZE, MAX_ADDRESSES, membershipProtocol } from './constants.ts'
import { compareIncarnations } from './core/messages.ts'
import { GOODBYE, SwimCore } from './core/swim.ts'
import { describe } from './describe.ts'
import { checkDetails } from './details.ts'
import { Goodbye } from './goodbye.ts'
import { Inbox } from './inbox.ts'
import { Links, MAX_STREAMS } from './links.ts'
import { sealClaim, sealRecord } from './record.ts'
import type { Incarnation, SignedRecord } from './core/messages.ts'
import type { Member as Row } from './core/members.ts'
import type { SwimInput, SwimOutput } from './core/swim.ts'
import type { LeaveOptions, Member, MemberDetails, MembersOptions, Membership as MembershipInterface, MembershipComponents, MembershipEvents, MembershipInit, Unreachable } from './index.ts'
import type { Card } from './record.ts'
import type { PeerKey } from '../core.ts'
import type { Logger, PeerId, Startable } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How often the address book is brought up to date, in ms. */
const SAVE_INTERVAL = 30_000

/** How often some from the address book are tried while nobody is there, in ms. */
const RETURN_INTERVAL = 5_000

/** How long whoever has the larger key waits for the other to open the link, in ms. */
const PATIENCE = 500

/** What there is between `start()` and `stop()`. */
interface Running {
  core: SwimCore
  driver: Driver<SwimInput, SwimOutput>
  links: Links
  inbox: Inbox
  timers: Array<ReturnType<typeof setInterval>>
  topology?: string

  /** Set when this node leaves. */
  goodbye?: Goodbye

  /** The goodbye that would be next, signed in time for {@link Membership.leaveNow}. */
  farewell?: SignedRecord<Card>
}

export class Membership extends TypedEventEmitter<MembershipEvents> implements MembershipInterface, Startable {
  readonly [Symbol.toStringTag] = '@formicary/membership'

  readonly #components: MembershipComponents
  readonly #network: string
  readonly #log: Logger
  readonly #key: PeerKey
  #details: MemberDetails
  #book?: AddressBook

  /** Members that were there when this node was last. */
  readonly #known = new Acquaintances()
  #running?: Running

  /** Signing takes its turn, so that counters only grow. */
  #signing: Promise<void> = Promise.resolve()

  /** @throws {InvalidParametersError} a detail cannot be used */
  constructor (components: MembershipComponents, { network = 'formicary', ...details }: MembershipInit = {}) {
    super()
    this.#components = components
    this.#network = network
    this.#details = checkDetails(details)
    this.#key = String(components.peerId)
    this.#log = components.logger.forComponent('formicary:membership')
  }

  get self (): Member {
    const member = this.get(this.#components.peerId)

    if (member == null) {
      throw new NotStartedError()
    }

    return member
  }

  * members ({ state }: MembersOptions = {}): IterableIterator<Member> {
    for (const row of this.#running?.core.members.values() ?? []) {
      if (state == null || row.state === state) {
        yield describe(row, this.#key)
      }
    }
  }

  get (peer: PeerId): Member | undefined {
    const row = this.#running?.core.members.get(String(peer))

    return row == null ? undefined : describe(row, this.#key)
  }

  isNeighbour (peer: PeerId): boolean {
    const core = this.#running?.core

    return core == null || core.members.living <= FULL_MESH || core.members.get(String(peer)) == null || core.view.has(String(peer))
  }

  async start (): Promise<void> {
    if (this.#running != null) {
      return
    }

    const { registrar, events } = this.#components
    const protocol = membershipProtocol(this.#network)
    this.#book ??= new AddressBook(optionalComponent(() => this.#components.datastore), this.#network)
    const epoch = await this.#book.nextEpoch(Math.floor(Date.now() / 1000))
    this.#known.load((await this.#book.load()).map(({ record }) => record).filter(({ peer }) => peer !== this.#key))
    const running = this.#running = this.#makeRunning(protocol)
    await this.#sign({ epoch, counter: 0 })
    running.topology = await registrar.register(protocol, { onConnect: peer => { this.#onConnect(running, String(peer)) } })
    await registrar.handle(protocol, (stream, connection) => { running.links.accept(stream, connection) }, {
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS
    })
    // the second comes about a second after the first, which is long if somebody leaves meanwhile
    events.addEventListener('transport:listening', this.#onSelfUpdate)
    events.addEventListener('self:peer:update', this.#onSelfUpdate)
    running.timers.push(
      setInterval(() => { void this.#save() }, SAVE_INTERVAL),
      setInterval(() => { this.#comeBack() }, RETURN_INTERVAL)
    )
  }

  /** Nobody can be dialled before everything else has started. */
  afterStart (): void {
    this.#comeBack()
  }

  /** Says goodbye while there are still connections. */
  async beforeStop (): Promise<void> {
    const running = this.#running

    if (running != null) {
      await this.#save()
      await this.leave().catch((err: unknown) => { this.#log('could not say goodbye - %e', err) })
      await running.links.close()
    }
  }

  async stop (): Promise<void> {
    const running = this.#running

    if (running == null) {
      return
    }

    const { registrar, events } = this.#components
    this.#running = undefined
    running.timers.forEach(clearInterval)
    running.driver.stop()
    running.inbox.close()
    events.removeEventListener('transport:listening', this.#onSelfUpdate)
    events.removeEventListener('self:peer:update', this.#onSelfUpdate)

    if (running.topology != null) {
      registrar.unregister(running.topology)
    }

    await running.links.close()
    await registrar.unhandle(membershipProtocol(this.#network))
  }

  async update (details: Partial<MemberDetails>): Promise<void> {
    this.#assertRunning()
    this.#details = checkDetails({ ...this.#details, ...details })
    await this.#renew()
  }

  async leave ({ reason, successor, signal }: LeaveOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const running = this.#running

    if (running == null || running.goodbye != null) {
      return
    }

    running.goodbye = new Goodbye(running.core.view.links())
    await this.#renew({ left: true, reason, successor: successor?.toString() })
    await running.goodbye.wait(signal)
    signal?.throwIfAborted()
  }

  leaveNow (): boolean {
    const running = this.#running

    if (running == null || running.goodbye != null) {
      return true
    }

    const own = running.core.members.get(this.#key)?.signed.record
    const { farewell } = running

    if (own == null || farewell == null || compareIncarnations(farewell.record, own) <= 0) {
      void this.leave().catch((err: unknown) => { this.#log('could not say goodbye - %e', err) })

      return false
    }

    running.goodbye = new Goodbye(running.core.view.links())
    running.driver.handle({ type: 'self', signed: farewell })

    return true
  }

  #assertRunning (): Running {
    if (this.#running == null) {
      throw new NotStartedError()
    }

    return this.#running
  }

  #makeRunning (protocol: string): Running {
    const core = new SwimCore({ self: this.#key, random: Math.random })
    const driver = new Driver<SwimInput, SwimOutput>({ core, carryOut: outputs => { outputs.forEach(output => { this.#carryOut(output) }) } })
    const inbox = new Inbox({ network: this.#network, self: this.#key, members: core.members, onMessage: (from, message) => { driver.handle({ type: 'message', from, message }) }, onInvalid: (from, err) => { links.breakOff(from, err) } })
    const tell = (input: SwimInput): void => {
      driver.handle(input)
      this.safeDispatchEvent('membership:links')
    }
    const links = new Links({
      protocol,
      connectionManager: this.#components.connectionManager,
      log: this.#log,
      addresses: peer => this.#addressesOf(peer),
      onMessage: (from, message) => {
        if (message.type === 'ack' && message.seq === GOODBYE) {
          this.#running?.goodbye?.heard(from)
        }

        inbox.take(from, message)
      },
      onLinked: (peer, dialled) => { tell({ type: 'linked', peer, dialled }) },
      onUnlinked: peer => { tell({ type: 'unlinked', peer }) },
      onGone: peer => { tell({ type: 'gone', peer }) },
      onUnreachable: (peer, error, failures) => {
        driver.handle({ type: 'unreachable', peer })
        this.safeDispatchEvent<Unreachable>('membership:unreachable', { detail: { peerId: peerIdFromString(peer), error, failures } })
      }
    })

    return { core, driver, links, inbox, timers: [] }
  }

  #carryOut (output: Exclude<SwimOutput, { type: 'timer' }>): void {
    const running = this.#running

    if (running == null) {
      return
    }

    switch (output.type) {
      case 'send': running.links.send(output.to, output.message); break
      case 'link': running.links.link(output.peer); break
      case 'unlink':
        running.links.unlink(output.peer)
        this.safeDispatchEvent('membership:links')
        break
      case 'sign': void this.#sign(output).catch((err: unknown) => { this.#log.error('could not sign - %e', err) }); break
      case 'accuse':
        sealClaim(output, this.#components.privateKey, this.#network).then(
          claim => { running.driver.handle({ type: 'claim', claim }) },
          (err: unknown) => { this.#log.error('could not sign - %e', err) }
        )
        break
      case 'event': {
        const { event } = output

        if (event.type === 'alone' || event.type === 'together') {
          this.safeDispatchEvent(`membership:${event.type}`)
        } else {
          this.#learn(event.member, event.type === 'updated')
          this.safeDispatchEvent(`member:${event.type}`, { detail: { member: describe(event.member, this.#key) } })
        }
      }
    }
  }

  /** Somebody is connected who speaks the protocol: a newcomer, or somebody who takes us for one. */
  #onConnect (running: Running, peer: PeerKey): void {
    const { view, members } = running.core

    if (view.has(peer) || (members.get(peer) != null && !view.isDue(peer))) {
      return
    }

    if (this.#key < peer) {
      running.links.link(peer)
    } else {
      setTimeout(() => {
        if (this.#running === running && !view.has(peer)) {
          running.links.link(peer)
        }
      }, PATIENCE).unref?.()
    }
  }

  readonly #onSelfUpdate = (): void => {
    const running = this.#running
    const own = running?.core.members.get(this.#key)?.signed.record as Card | undefined

    if (own != null && running?.goodbye == null && !sameAddresses(own.addresses, this.#ownAddresses())) {
      void this.#renew().catch((err: unknown) => { this.#log.error('could not tell of new addresses - %e', err) })
    }
  }

  /** Signs what has changed, as the next record of this epoch. */
  async #renew (goodbye: Partial<Card> = {}): Promise<void> {
    const own = this.#running?.core.members.get(this.#key)?.signed.record

    if (own != null) {
      await this.#sign({ epoch: own.epoch, counter: own.counter + 1 }, goodbye)
    }
  }

  /** One after another: each is newer than the one before, whatever it was to be. */
  async #sign ({ epoch, counter }: Incarnation, goodbye: Partial<Card> = {}): Promise<void> {
    const signing = this.#signing.then(async () => {
      const running = this.#assertRunning()
      const last = running.core.members.get(this.#key)?.signed.record as Card | undefined
      const behind = last != null && (last.epoch > epoch || (last.epoch === epoch && last.counter >= counter))
      const card = {
        epoch: behind ? last.epoch : epoch,
        counter: behind ? last.counter + 1 : counter,
        ...this.#details,
        addresses: this.#ownAddresses(),
        left: last?.left,
        reason: last?.reason,
        successor: last?.successor,
        ...goodbye
      }
      const signed = await sealRecord(card, this.#components.privateKey, this.#network)
      running.driver.handle({ type: 'self', signed })
      running.farewell = card.left === true ? undefined : await sealRecord({ ...card, counter: card.counter + 1, left: true }, this.#components.privateKey, this.#network)
    })
    this.#signing = signing.catch(() => {})
    await signing
  }

  #ownAddresses (): Uint8Array[] {
    return writeAddresses(this.#components.addressManager.getAddresses(), { count: MAX_ADDRESSES, size: MAX_ADDRESS_SIZE })
  }

  /** Where libp2p can dial a member, for all who use it. */
  #learn ({ peer, signed, state }: Row, known: boolean): void {
    const multiaddrs = readAddresses((signed.record as Card).addresses)

    if (state === 'alive' && peer !== this.#key && multiaddrs.length > 0) {
      this.#components.peerStore.merge(peerIdFromString(peer), { multiaddrs })
        .catch((err: unknown) => { this.#log('could not keep the addresses of %s - %e', peer, err) })

      if (known) {
        // this is told while the core is being asked
        queueMicrotask(() => { this.#running?.driver.handle({ type: 'located', peer }) })
      }
    }
  }

  #addressesOf (peer: PeerKey): Multiaddr[] {
    const card = this.#running?.core.members.get(peer)?.signed.record as Card | undefined ?? this.#known.find(peer)

    return withPeer(readAddresses(card?.addresses ?? []), peer)
  }

  /** Tries members from the address book as long as nobody is there. */
  #comeBack (): void {
    const running = this.#running

    if (running != null && running.goodbye == null && running.core.view.size === 0) {
      this.#known.take(this.#details.light).forEach(peer => { running.links.link(peer) })
    }
  }

  /** Keeps who is here, so that a restart finds them without anybody's help. */
  async #save (): Promise<void> {
    const others = [...this.#running?.core.members.values() ?? []].filter(({ peer, state }) => peer !== this.#key && state !== 'left')
    const order = { alive: 0, suspected: 1, down: 2, left: 3 }
    others.sort((a, b) => order[a.state] - order[b.state] || b.since - a.since)

    if (others.length > 0) {
      await this.#book?.save(others.map(({ signed }) => signed)).catch((err: unknown) => { this.#log.error('could not keep the members - %e', err) })
    }
  }
}

function sameAddresses (a: Uint8Array[], b: Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, i) => String(bytes) === String(b[i]))
}
