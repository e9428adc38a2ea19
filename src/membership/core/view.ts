/**
 * Whom this member is connected with.
 *
 * In a small colony with everybody. In a larger one with the next member of a
 * ring over all, so that the graph never falls apart, and with others at
 * random, so that it has short ways: half of the view is opened by this
 * member, and about as many links are opened by others (a random graph of
 * that degree is connected, and HyParView's active views are one).
 *
 * @module
 */

import { FULL_MESH, LIGHT_VIEW_SIZE, LINK_PATIENCE, LINK_RETRY, MAX_LINK_RETRY, MAX_VIEW_FACTOR, VIEW_SIZE } from '../constants.ts'
import { pick, sample } from '../../random.ts'
import { isLiving } from './members.ts'
import type { Members } from './members.ts'
import type { Outbox } from './outbox.ts'
import type { PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

interface Attempt {
  failures: number

  /** When it may be tried, or tried again. */
  next: number
}

/** The links of this member. */
export class View {
  readonly #self: PeerKey
  readonly #members: Members
  readonly #random: Random
  readonly #out: Outbox

  /** By whom it was opened: `true` if by us. */
  readonly #links = new Map<PeerKey, boolean>()
  readonly #attempts = new Map<PeerKey, Attempt>()
  readonly #dialling = new Set<PeerKey>()

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

  linked (peer: PeerKey, dialled: boolean): void {
    this.#links.set(peer, dialled)
    this.#dialling.delete(peer)
    this.#attempts.delete(peer)
  }

  /** A link is no more; `false` if there was none. */
  lost (peer: PeerKey): boolean {
    this.#dialling.delete(peer)

    return this.#links.delete(peer)
  }

  /** A link could not be made; returns how many times in a row. */
  failed (peer: PeerKey): number {
    this.#dialling.delete(peer)
    const failures = (this.#attempts.get(peer)?.failures ?? 0) + 1
    this.#attempts.set(peer, { failures, next: this.#out.now + Math.min(MAX_LINK_RETRY, LINK_RETRY * 2 ** (failures - 1)) })

    return failures
  }

  /** Closes a link. */
  drop (peer: PeerKey): void {
    if (this.lost(peer)) {
      this.#out.put({ type: 'unlink', peer })
    }
  }

  /** Opens a link now. */
  open (peer: PeerKey): void {
    if (!this.#links.has(peer) && !this.#dialling.has(peer)) {
      this.#dialling.add(peer)
      this.#out.put({ type: 'link', peer })
    }
  }

  /** Opens what is missing and closes what is too much; called every second or so. */
  keep (): void {
    if (this.#members.living <= FULL_MESH) {
      this.#openAll()
    } else {
      this.#keepSome()
    }

    for (const [peer, { next }] of this.#attempts) {
      if (this.#out.now - next > MAX_LINK_RETRY) {
        this.#attempts.delete(peer)
      }
    }
  }

  #openAll (): void {
    for (const member of this.#members.values()) {
      if (member.peer !== this.#self && isLiving(member) && !this.#links.has(member.peer) && this.#mayOpen(member.peer, member.peer < this.#self)) {
        this.open(member.peer)
      }
    }
  }

  #keepSome (): void {
    const light = this.#members.get(this.#self)?.signed.record.light === true
    const size = light ? LIGHT_VIEW_SIZE : VIEW_SIZE
    const next = this.#members.successor()
    const opened = [...this.#links].filter(([, dialled]) => dialled).map(([peer]) => peer)

    if (next != null && !this.#links.has(next) && this.#mayOpen(next)) {
      this.open(next)
    }

    for (let missing = size / 2 - opened.length - this.#dialling.size; missing > 0; missing--) {
      this.#openAny()
    }

    // some more than needed are left, so that nothing is opened and closed over and over
    const extra = opened.length > size / 2 + 2 ? opened : this.#links.size > MAX_VIEW_FACTOR * size ? this.links() : []
    const dropped = pick(this.#random, extra.filter(peer => peer !== next))

    if (dropped != null) {
      this.drop(dropped)
    }
  }

  #openAny (): void {
    const living = this.#members.livingPeers()

    for (let i = 0; i < 8; i++) {
      const peer = pick(this.#random, living)

      if (peer != null && peer !== this.#self && !this.#links.has(peer) && this.#mayOpen(peer)) {
        this.open(peer)

        return
      }
    }
  }

  /** `true` if it is time to try; with `patient` the other side has a while to open it first. */
  #mayOpen (peer: PeerKey, patient = false): boolean {
    const attempt = this.#attempts.get(peer)

    if (attempt == null && patient) {
      this.#attempts.set(peer, { failures: 0, next: this.#out.now + LINK_PATIENCE })

      return false
    }

    return attempt == null || attempt.next <= this.#out.now
  }
}
