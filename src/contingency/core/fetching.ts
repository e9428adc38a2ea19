import { FETCH_RETRY, HEARTBEAT, REFUSED_TIME } from '../constants.ts'
import type { Assignment } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { PeerKey } from '../../core.ts'

/** What was to be fetched, and how many bytes of contents at most. */
export interface Fetched {
  assignment: Assignment
  quota: number
}

/** What is being fetched of a ward. */
export class Fetching {
  /** When a fetch that failed is tried again, in ms. */
  again = Infinity
  readonly #out: Outbox
  #fetched?: Fetched
  #root?: string
  #failures = 0

  constructor (out: Outbox) {
    this.#out = out
  }

  get isOpen (): boolean {
    return this.#fetched != null
  }

  /** `true` if all of this root is on its way. */
  has (root: string): boolean {
    return this.#fetched?.assignment.root === root
  }

  /** Fetches what is missing; takes the place of what was fetched. */
  begin (assignment: Assignment, quota: number, sources: PeerKey[]): void {
    this.#failures = this.#root === assignment.root ? this.#failures : 0
    this.#root = assignment.root
    this.#fetched = { assignment, quota }
    this.again = Infinity
    this.#out.put({ type: 'fetch', assignment, quota, sources })
  }

  /** It ended: well, or not, or since there is no room. Returns what was fetched, not what was asked for since. */
  end (ok: boolean, full: boolean): Fetched | undefined {
    const fetched = this.#fetched
    const wait = full ? REFUSED_TIME : Math.min(HEARTBEAT, FETCH_RETRY * 2 ** this.#failures)
    this.#fetched = undefined
    this.#failures = ok ? 0 : this.#failures + 1
    this.again = ok ? Infinity : this.#out.now + wait

    return fetched
  }
}
