/**
 * Whom this member is connected with.
 *
 * In a small colony with everybody. In a larger one with the next member of a
 * ring over all, so that the graph never falls apart, and with others at
 * random, so that it has short ways: half of the view is opened by this
 * member, and about as many links are opened by others (a random graph of
 * that degree is connected, and HyParView's active views are one).
 *
 * A light member keeps few links in a small colony too: with the ring's next
 * and previous, with two that are not light, and with others at random; which,
 * the others leave to it. Who has too many ends the newest that nobody needs,
 * and is left alone for a while by whom it told so.
 *
 * @module
 */

import { FULL_MESH, LIGHT_DIALS, LIGHT_DIALS_PER_SECOND, LIGHT_FULL_LINKS, LIGHT_MAX_LINKS, LIGHT_VIEW_SIZE, MAX_LIGHT_LINKS, MAX_VIEW_FACTOR, VIEW_SIZE } from '../constants.ts'
import { TokenBucket } from '../../budget.ts'
import { pick, sample } from '../../random.ts'
import { Attempts } from './attempts.ts'
import { isLiving } from './members.ts'
import type { Members } from './members.ts'
import type { Outbox } from './outbox.ts'
import type { PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

/** How often a pick at random is tried until it is somebody to link with. */
const PICKS = 8

/** The links of this member. */
export class View {
  readonly #self: PeerKey
  readonly #members: Members
  readonly #random: Random
  readonly #out: Outbox

  /** By whom it was opened: `true` if by us. The oldest first. */
  readonly #links = new Map<PeerKey, boolean>()
  readonly #attempts = new Attempts()
  readonly #dialling = new Set<PeerKey>()

  /** Links that this member may open while it is light; filled since it was first asked. */
  #dials?: TokenBucket

  constructor (self: PeerKey, members: Members, random: Random, out: Outbox) {
    this.#self = self
    this.#members = members
    this.#random = random
    this.#out = out
  }

  get size (): number {
    return this.#links.size
  }

  has (peer: PeerKey): boolean {
    return this.#links.has(peer)
  }

  /** Everybody there is a link with. */
  links (): PeerKey[] {
    return [...this.#links.keys()]
  }

  /** A few of them, at random, none twice. */
  sample (count: number, except?: PeerKey): PeerKey[] {
    return sample(this.#random, this.links().filter(peer => peer !== except), count)
  }

  /** A few who answer at once: hidden ones only if there are no others. */
  helpers (count: number, except: PeerKey): PeerKey[] {
    const others = this.links().filter(peer => peer !== except)
    const prompt = others.filter(peer => !this.#members.isHidden(peer))

    return sample(this.#random, prompt.length > 0 ? prompt : others, count)
  }

  /** `true` if it is a rule of this colony that the two of us are linked, and not a choice. */
  isDue (peer: PeerKey): boolean {
    return this.#isMesh && (this.#isLight || !this.#members.isLight(peer))
  }

  linked (peer: PeerKey, dialled: boolean): void {
    this.#links.set(peer, dialled)
    this.#dialling.delete(peer)
    this.#attempts.made(peer)
  }

  /** A link is no more; `false` if there was none. */
  lost (peer: PeerKey): boolean {
    this.#dialling.delete(peer)

    return this.#links.delete(peer)
  }

  /** The other side ended a link in good order: where one of the two is light, because it has enough. */
  ended (peer: PeerKey): void {
    if (this.lost(peer) && (this.#isLight || this.#members.isLight(peer))) {
      this.#attempts.ended(peer, this.#out.now)
    }
  }

  /** A link could not be made; returns how many times in a row. */
  failed (peer: PeerKey): number {
    this.#dialling.delete(peer)

    return this.#attempts.failed(peer, this.#out.now)
  }

  /** It says where it is: opens a link at once that could not be made before. */
  hasten (peer: PeerKey): void {
    if (!this.#links.has(peer) && this.#attempts.hasten(peer, this.#out.now)) {
      this.keep()
    }
  }

  /** Closes a link. */
  drop (peer: PeerKey): void {
    if (this.lost(peer)) {
      this.#out.put({ type: 'unlink', peer })
    }
  }

  /** Opens a link now, unless a light member has opened too many of late. */
  open (peer: PeerKey): void {
    if (!this.#links.has(peer) && !this.#dialling.has(peer) && this.#mayDial()) {
      this.#dialling.add(peer)
      this.#out.put({ type: 'link', peer })
    }
  }

  /** Opens what is missing and closes what is too much; called every second or so. */
  keep (): void {
    if (this.#isMesh) {
      this.#openAll()
    } else if (this.#isLight) {
      this.#keepFew()
    } else {
      this.#keepSome()
    }

    this.#attempts.prune(this.#out.now)
  }

  get #isLight (): boolean {
    return this.#members.isLight(this.#self)
  }

  /** `true` if everybody is linked with everybody, or at least with all that are not light. */
  get #isMesh (): boolean {
    return this.#members.living <= (this.#isLight ? LIGHT_VIEW_SIZE + 1 : FULL_MESH)
  }

  #openAll (): void {
    const next = this.#members.successor()
    // the others may not even know of one that came in through a member that is gone
    const patient = this.#links.size > 0

    for (const member of this.#members.values()) {
      const { peer } = member

      if (peer !== this.#self && isLiving(member) && (this.isDue(peer) || peer === next) && !this.#links.has(peer) && this.#mayOpen(peer, patient && peer < this.#self)) {
        this.open(peer)
      }
    }
  }

  #keepSome (): void {
    const next = this.#openNext()
    const opened = this.#opened()

    for (let missing = VIEW_SIZE / 2 - opened.length - this.#dialling.size; missing > 0; missing--) {
      if (!this.#openAny(this.#members.fullPeers()) && this.#links.size < VIEW_SIZE / 2 && this.#members.fullPeers().length < this.#members.living) {
        this.#openAny(this.#members.livingPeers())
      }
    }

    const light = this.links().filter(peer => this.#members.isLight(peer))

    if (light.length > MAX_LIGHT_LINKS) {
      // the newest, which looks elsewhere: any other would only change places with it
      this.#drop(light.findLast(peer => !this.#isBeside(peer)))
    }

    // some more than needed are left, so that nothing is opened and closed over and over
    const extra = opened.length > VIEW_SIZE / 2 + 2 ? opened : this.#links.size - light.length > MAX_VIEW_FACTOR * VIEW_SIZE ? this.links() : []
    this.#drop(pick(this.#random, extra.filter(peer => peer !== next)))
  }

  /** The links of a light member. */
  #keepFew (): void {
    this.#openNext()
    const full = this.links().filter(peer => !this.#members.isLight(peer)).length
    const room = (): number => LIGHT_VIEW_SIZE - this.#links.size - this.#dialling.size

    // who has links enough, but none that lasts, changes one of them
    if (full < LIGHT_FULL_LINKS && this.#dialling.size === 0 && this.#links.size <= LIGHT_MAX_LINKS) {
      this.#openAny(this.#members.fullPeers())
    }

    for (let missing = LIGHT_VIEW_SIZE / 2 - this.#opened().length - this.#dialling.size; missing > 0 && room() > 0; missing--) {
      this.#openAny(this.#members.livingPeers())
    }

    if (this.#links.size > LIGHT_MAX_LINKS) {
      this.#dropNewest(full)
    }
  }

  /** Ends the newest link that is neither the ring's nor one of the few with members that are not light. */
  #dropNewest (full: number): void {
    const spare = this.links().reverse().filter(peer => !this.#isBeside(peer) && (full > LIGHT_FULL_LINKS || this.#members.isLight(peer)))
    this.#drop(spare.find(peer => this.#links.get(peer) === false) ?? spare.at(0))
  }

  #drop (peer: PeerKey | undefined): void {
    if (peer != null) {
      this.drop(peer)
    }
  }

  #opened (): PeerKey[] {
    return [...this.#links].filter(([, dialled]) => dialled).map(([peer]) => peer)
  }

  /** `true` for the two next to this member on the ring. */
  #isBeside (peer: PeerKey): boolean {
    return peer === this.#members.successor() || peer === this.#members.predecessor()
  }

  #openNext (): PeerKey | undefined {
    const next = this.#members.successor()

    if (next != null && !this.#links.has(next) && this.#mayOpen(next)) {
      this.open(next)
    }

    return next
  }

  /** Opens a link with one of `peers`, at random; `false` if none was found. */
  #openAny (peers: readonly PeerKey[]): boolean {
    for (let i = 0; i < PICKS; i++) {
      const peer = pick(this.#random, peers)

      if (peer != null && peer !== this.#self && !this.#links.has(peer) && this.#mayOpen(peer)) {
        this.open(peer)

        return true
      }
    }

    return false
  }

  #mayOpen (peer: PeerKey, patient = false): boolean {
    return this.#attempts.may(peer, this.#out.now, patient)
  }

  #mayDial (): boolean {
    const { now } = this.#out

    if (!this.#isLight) {
      return true
    }

    this.#dials ??= new TokenBucket(LIGHT_DIALS, LIGHT_DIALS_PER_SECOND, now)
    const may = this.#dials.left(now) >= 1

    if (may) {
      this.#dials.spend(1)
    }

    return may
  }
}
