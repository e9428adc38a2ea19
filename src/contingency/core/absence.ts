import { CLOCK_JUMP, EXPIRY_PAUSE, GRACE_JITTER, KEEP_TIME, RETURN_PAUSE } from '../constants.ts'
import type { KeeperInit } from './keeper.ts'
import type { PeerKey } from '../../core.ts'

/** Watches whether a ward is here, and answers for it as soon as it may be gone. */
export class Absence {
  /** Since when the ward is gone, in ms since 1970. */
  since?: number

  /** When others are appointed in the place of those who are gone as well, in ms. */
  restoreAt = Infinity
  readonly #init: KeeperInit
  readonly #ward: PeerKey
  #serving = false
  #wasHere: boolean

  /** Since when the ward is back, in ms, if it was away. */
  #backAt = -Infinity
  #clock?: { wall: number, now: number }

  /** @param isHere - it was here a moment ago, as who offers something */
  constructor (init: KeeperInit, ward: PeerKey, isHere: boolean, since?: number) {
    this.#init = init
    this.#ward = ward
    this.#wasHere = isHere
    this.since = since
  }

  get isServing (): boolean {
    return this.#serving
  }

  /** `true` if the ward answers for itself; one that is suspected may, but who waits for it to be sure keeps others waiting. */
  get isWardHere (): boolean {
    return this.#init.peers.isAlive(this.#ward)
  }

  /** `true` if the ward knows what is kept for it, and may have it deleted. */
  get mayDelete (): boolean {
    return this.isWardHere && this.#init.out.now >= this.deletesAt
  }

  /** From when on that is so, if it stays, in ms. */
  get deletesAt (): number {
    return this.#backAt + RETURN_PAUSE
  }

  /** `true` if the grace is over. */
  get isLong (): boolean {
    return this.restoreAt <= this.#init.out.now
  }

  /** `true` if what is kept of the ward may be deleted, since it has not been seen for so long. */
  get isForEver (): boolean {
    return this.#isOld && this.#init.out.now >= this.#init.peers.begun + EXPIRY_PAUSE
  }

  /** When to look again, in ms. */
  get due (): number {
    const expiry = this.#isOld ? this.#init.peers.begun + EXPIRY_PAUSE : this.#init.out.now + KEEP_TIME

    return this.isWardHere ? Infinity : Math.min(this.isLong ? Infinity : this.restoreAt, expiry)
  }

  /** Looks whether the ward is here; `true` if `since` is another one than before. */
  watch (hasData: boolean): boolean {
    const { out, peers, grace, random, wallClock } = this.#init
    const { since } = this
    this.#serve(hasData && !this.isWardHere)
    this.#backAt = this.isWardHere && !this.#wasHere ? out.now : this.#backAt
    this.#wasHere = this.isWardHere

    if (peers.isHere(this.#ward)) {
      this.restoreAt = Infinity
      this.since = this.isWardHere ? undefined : this.since
    } else if (this.restoreAt === Infinity) {
      this.restoreAt = out.now + grace * (1 + random() * GRACE_JITTER)
      this.since ??= wallClock()
    }

    this.#setClock()

    return this.since !== since
  }

  end (): void {
    if (this.#serving) {
      this.#init.out.put({ type: 'serve', ward: this.#ward, on: false })
    }
  }

  get #isOld (): boolean {
    return this.since != null && this.#init.wallClock() - this.since > KEEP_TIME
  }

  #serve (on: boolean): void {
    if (on !== this.#serving) {
      this.#serving = on
      this.#init.out.put({ type: 'serve', ward: this.#ward, on })
      this.#init.out.event({ type: on ? 'serving' : 'returned', ward: this.#ward })
    }
  }

  /** Time that passed only since a clock was set is none: what is kept would be deleted for it. */
  #setClock (): void {
    const { out: { now }, wallClock } = this.#init
    const wall = wallClock()

    if (this.since != null) {
      const jump = wall - now - ((this.#clock?.wall ?? wall) - (this.#clock?.now ?? now))
      this.since = Math.min(wall, jump > CLOCK_JUMP ? this.since + jump : this.since)
    }

    this.#clock = { wall, now }
  }
}
