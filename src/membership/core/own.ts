/**
 * This member's own record, and its answers to what others say of it.
 *
 * @module
 */

import { DOUBT_INTERVAL } from '../constants.ts'
import { compareIncarnations } from './messages.ts'
import type { Incarnation, SignedRecord } from './messages.ts'
import type { Outbox } from './outbox.ts'

/** Least time between two records that answer what others say, in ms. */
const RENEW_INTERVAL = 200

/** The record of this member, and when it has to be made anew. */
export class Own {
  /** The newest; `undefined` until the first is signed. */
  signed?: SignedRecord

  readonly #out: Outbox
  readonly #onRefute: () => void
  #renewedAt = -Infinity
  #doubtedAt = -Infinity

  /** What has to be signed next, once it is time. */
  #next?: Incarnation

  /** What was asked to be signed last: signing takes a moment, and claims come in numbers. */
  #asked?: Incarnation

  /** @param onRefute - called when somebody has to be told that we live */
  constructor (out: Outbox, onRefute: () => void) {
    this.#out = out
    this.#onRefute = onRefute
  }

  /** Somebody has a record of ours that is newer than ours: from an earlier life, or from somebody with our key. */
  met (record: Incarnation): void {
    if (this.#compare(record) > 0) {
      this.#exceed(record)
    }
  }

  /** Somebody signed that it cannot reach us. */
  refute (said: Incarnation): void {
    if (this.#compare(said) >= 0) {
      this.#onRefute()
      this.#exceed(said)
    }
  }

  /** Somebody takes us for dead; nobody signs that, so it must not cost much. */
  doubted (said: Incarnation): void {
    if (this.#out.now - this.#doubtedAt >= DOUBT_INTERVAL && this.#compare(said) >= 0) {
      this.#doubtedAt = this.#out.now
      this.refute(said)
    }
  }

  /** It is time to make the record anew. */
  renew (): void {
    if (this.#next != null) {
      this.#renewedAt = this.#out.now
      this.#out.put({ type: 'sign', ...this.#next })
      this.#asked = this.#next
      this.#next = undefined
    }
  }

  /** Positive if what was said is of a newer incarnation than ours; negative before there is one. */
  #compare (said: Incarnation): number {
    return this.signed == null ? -1 : compareIncarnations(said, this.signed.record)
  }

  #exceed ({ epoch, counter }: Incarnation): void {
    const next = { epoch, counter: counter + 1 }

    if (this.signed?.record.left === true || [this.#next, this.#asked].some(other => other != null && compareIncarnations(other, next) >= 0)) {
      return
    }

    const planned = this.#next != null
    const after = this.#renewedAt + RENEW_INTERVAL - this.#out.now
    this.#next = next

    // a hidden tab's timers may take a minute
    if (after <= 0) {
      this.renew()
    } else if (!planned) {
      this.#out.timer('renew', after)
    }
  }
}
