/**
 * How long a suspicion lasts.
 *
 * Lifeguard (arXiv 1707.00788, section IV-B): it begins long, and each
 * independent confirmation shortens it, down to a minimum once `CONFIRMATIONS`
 * of them are there:
 *
 * `timeout = max - (max - min) * log(confirmations + 1) / log(needed + 1)`
 *
 * @module
 */

import { BROKEN_LINKS, CONFIRMATIONS, HIDDEN_SUSPICION, SUSPICION_MAX_FACTOR, SUSPICION_TIME } from '../constants.ts'
import type { Claim } from './messages.ts'
import type { PeerKey } from '../../core.ts'

/** One member's being suspected. */
export class Suspicion {
  /** `true` once it has lasted long enough, and others were asked whether they know better. */
  confirmed = false

  /** Who says so, each once. */
  readonly #claims = new Map<PeerKey, Claim>()
  #start: number

  constructor (start: number) {
    this.#start = start
  }

  /** Claims so far, to show to the suspect. */
  get claims (): Claim[] {
    return [...this.#claims.values()]
  }

  /** `true` if a claim says nothing new: its maker said so before, if not that its link broke meanwhile. */
  has (claim: Claim): boolean {
    const before = this.#claims.get(claim.from)

    return before != null && (before.broken === true || claim.broken !== true)
  }

  /** Takes a claim; `false` if it was made before, or enough others were. */
  add (claim: Claim): boolean {
    if (this.has(claim) || (!this.#claims.has(claim.from) && this.#claims.size > CONFIRMATIONS)) {
      return false
    }

    this.#claims.set(claim.from, claim)

    return true
  }

  /** Lets it last `ms` longer: this process stood still meanwhile. */
  extend (ms: number): void {
    this.#start += ms
  }

  /** Ms until it is a verdict; 0 if it is now. A `hidden` member has time to come to it, unless its links broke. */
  left (now: number, members: number, hidden = false): number {
    const time = suspicionTime(this.#claims.size - 1, members)
    const patient = hidden && this.#broken < Math.min(BROKEN_LINKS, members - 1)

    return Math.max(0, this.#start + (patient ? Math.max(time, HIDDEN_SUSPICION) : time) - now)
  }

  get #broken (): number {
    return this.claims.filter(({ broken }) => broken === true).length
  }
}

/** Ms that a suspicion with so many confirmations lasts among so many living members, the suspect and this one included. */
export function suspicionTime (confirmations: number, members: number): number {
  const min = SUSPICION_TIME * Math.max(1, Math.log10(members))
  // neither this member nor the suspect can confirm
  const needed = Math.min(CONFIRMATIONS, members - 2)

  if (needed <= 0 || confirmations >= needed) {
    return min
  }

  const max = SUSPICION_MAX_FACTOR * min

  return max - (max - min) * Math.log(confirmations + 1) / Math.log(needed + 1)
}
