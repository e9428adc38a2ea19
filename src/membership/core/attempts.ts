/**
 * When somebody may be linked with again: after a try that failed, and after a
 * link that the other side ended, both for longer each time.
 *
 * @module
 */

import { ENDED_RETRY, LINK_PATIENCE, LINK_RETRY, MAX_ENDED_RETRY, MAX_LINK_RETRY } from '../constants.ts'
import type { PeerKey } from '../../core.ts'

interface Attempt {
  failures: number

  /** When it may be tried, or tried again, in ms. */
  next: number
}

/** What became of links, made or tried. */
export class Attempts {
  readonly #failed = new Map<PeerKey, Attempt>()
  readonly #ended = new Map<PeerKey, Attempt>()

  /** A link stands. */
  made (peer: PeerKey): void {
    this.#failed.delete(peer)
  }

  /** A link could not be made; returns how many times in a row. */
  failed (peer: PeerKey, now: number): number {
    return again(this.#failed, peer, now, LINK_RETRY, MAX_LINK_RETRY)
  }

  /** There is news of where it is: `true` if a first try has failed, which may have come too early. */
  hasten (peer: PeerKey, now: number): boolean {
    const attempt = this.#failed.get(peer)

    if (attempt?.failures !== 1 || attempt.next <= now) {
      return false
    }

    attempt.next = now

    return true
  }

  /** The other side ended a link: it has enough of them. */
  ended (peer: PeerKey, now: number): void {
    again(this.#ended, peer, now, ENDED_RETRY, MAX_ENDED_RETRY)
  }

  /** `true` if it is time to try; with `patient` the other side has a while to open it first. */
  may (peer: PeerKey, now: number, patient = false): boolean {
    const attempt = this.#failed.get(peer)

    if (attempt == null && patient) {
      this.#failed.set(peer, { failures: 0, next: now + LINK_PATIENCE })

      return false
    }

    const waits = attempt != null && attempt.next > now && (patient || attempt.failures > 0)

    return !waits && (this.#ended.get(peer)?.next ?? 0) <= now
  }

  /** Forgets what was long ago. */
  prune (now: number): void {
    forget(this.#failed, now - MAX_LINK_RETRY)
    forget(this.#ended, now - MAX_ENDED_RETRY)
  }
}

function again (attempts: Map<PeerKey, Attempt>, peer: PeerKey, now: number, least: number, most: number): number {
  const failures = (attempts.get(peer)?.failures ?? 0) + 1
  attempts.set(peer, { failures, next: now + Math.min(most, least * 2 ** (failures - 1)) })

  return failures
}

function forget (attempts: Map<PeerKey, Attempt>, before: number): void {
  for (const [peer, { next }] of attempts) {
    if (next < before) {
      attempts.delete(peer)
    }
  }
}
