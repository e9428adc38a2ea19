import { peerIdFromString } from '@libp2p/peer-id'
import { TypedEventEmitter } from 'main-event'
import { optionalComponent } from '../components.ts'
import { NotStartedError } from '../errors.ts'
import { Acquaintances } from './acquaintances.ts'
import { AddressBook } from './address-book.ts'
import { FULL_MESH } from './constants.ts'
import { describe } from './describe.ts'
import { checkDetails, checkReason } from './details.ts'
import { Running } from './running.ts'
import type { SwimEvent } from './core/swim.ts'
import type {
  LeaveOptions, Member, MemberDetails, MembersOptions, Membership as MembershipInterface, MembershipComponents, MembershipEvents, MembershipInit,
  Unreachable
} from './index.ts'
import type { PeerKey } from '../core.ts'
import type { Logger, PeerId, Startable } from '@libp2p/interface'

/** How often the address book is brought up to date, in ms. */
const SAVE_INTERVAL = 30_000

/** How often some from the address book are tried while nobody is there, in ms. */
const RETURN_INTERVAL = 5_000

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
  #timers: Array<ReturnType<typeof setInterval>> = []

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

  isIntroducing (peer: PeerId): boolean {
    return this.#running?.core.introductions.has(String(peer)) === true
  }

  async start (): Promise<void> {
    if (this.#running != null) {
      return
    }

    this.#book ??= new AddressBook(optionalComponent(() => this.#components.datastore), this.#network)
    const epoch = await this.#book.nextEpoch(Math.floor(Date.now() / 1000))
    this.#known.load((await this.#book.load()).map(({ record }) => record).filter(({ peer }) => peer !== this.#key))
    const running = this.#running = this.#makeRunning()
    await running.start(epoch)
    this.#timers = [
      setInterval(() => { void this.#save() }, SAVE_INTERVAL),
      setInterval(() => { this.#comeBack() }, RETURN_INTERVAL)
    ]
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
      await running.disconnect()
    }
  }

  async stop (): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.#timers.splice(0).forEach(clearInterval)
    await running?.stop()
  }

  async update (details: Partial<MemberDetails>): Promise<void> {
    if (this.#running == null) {
      throw new NotStartedError()
    }

    this.#details = checkDetails({ ...this.#details, ...details })
    await this.#running.renew()
  }

  async leave (options: LeaveOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    checkReason(options.reason)
    await this.#running?.leave(options)
  }

  leaveNow (): boolean {
    return this.#running?.leaveNow() ?? true
  }

  #makeRunning (): Running {
    return new Running({
      components: this.#components,
      network: this.#network,
      self: this.#key,
      log: this.#log,
      details: () => this.#details,
      known: peer => this.#known.find(peer),
      onEvent: event => { this.#tell(event) },
      onLinks: () => { this.safeDispatchEvent('membership:links') },
      onUnreachable: detail => { this.safeDispatchEvent<Unreachable>('membership:unreachable', { detail }) }
    })
  }

  #tell (event: SwimEvent): void {
    if (event.type === 'alone' || event.type === 'together') {
      this.safeDispatchEvent(`membership:${event.type}`)
    } else if (event.type === 'introduced') {
      this.safeDispatchEvent('membership:introduced', { detail: { peerId: peerIdFromString(event.peer) } })
    } else {
      this.safeDispatchEvent(`member:${event.type}`, { detail: { member: describe(event.member, this.#key) } })
    }
  }

  /** Tries members from the address book as long as nobody is there. */
  #comeBack (): void {
    const running = this.#running

    if (running?.alone === true) {
      this.#known.take(this.#details.light).forEach(peer => { running.link(peer) })
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
