/**
 * How much to ask of one peer at a time.
 *
 * The window is the number of bytes asked for and not yet here: rate times
 * one second or two round trips, whichever is longer, found by slow start, as
 * libtorrent sizes its request queue. So a peer is never idle for want of a
 * request, and a slow one never holds much that others could have sent.
 *
 * @module
 */

import { BLOCK_SIZE, INITIAL_WINDOW, LATE_FACTOR, MIN_LATENESS, UNKNOWN_LATENESS } from '../constants.ts'

/** A rate is measured over at least so many ms. */
const SAMPLE_TIME = 100

/** Share of the newest sample in the rate. */
const SMOOTHING = 0.3

/** What is known of a peer's speed, and how much it may be asked for. */
export class Flow {
  /** Bytes asked for and not yet answered. */
  inFlight = 0

  /** Bytes that may be in flight. */
  window: number

  /** Bytes per ms; 0 until it is known. */
  rate = 0

  /** The shortest time to a first block that was seen, in ms. */
  rtt = Infinity

  /** How long the answer to a cancel takes, in ms: what comes sooner is under way and cannot be taken back. */
  delay: number | undefined

  readonly #max: number
  #slowStart = true
  #first: number | undefined
  #sampleStart = 0
  #sampleBytes = 0

  /** @param max - largest window, in bytes */
  constructor (max: number) {
    this.#max = max
    this.window = Math.min(INITIAL_WINDOW, max)
  }

  /** Bytes that may be asked for now. */
  get room (): number {
    return this.window - this.inFlight
  }

  /** Ms until the peer has sent what it was asked for and `bytes` more; `undefined` if its speed is unknown. */
  eta (bytes: number): number | undefined {
    return this.rate === 0 ? undefined : (this.inFlight + bytes) / this.rate + Math.min(this.rtt, 1_000)
  }

  /** `bytes` were asked for; returns when the last of them is late. */
  asked (bytes: number, now: number): number {
    if (this.inFlight === 0) {
      this.#first = now
      this.#sampleBytes = 0
    }

    const expected = this.eta(bytes)
    this.inFlight += bytes

    return now + (expected === undefined ? UNKNOWN_LATENESS : Math.max(MIN_LATENESS, LATE_FACTOR * expected))
  }

  /** `bytes` that were asked for are here. */
  arrived (bytes: number, now: number): void {
    this.inFlight -= bytes

    if (this.#first === undefined) {
      this.#sampleBytes += bytes
    } else {
      this.rtt = Math.min(this.rtt, now - this.#first)
      this.#first = undefined
      // the wait for the first block says nothing of the rate
      this.#sampleStart = now
    }

    if (this.#slowStart) {
      this.window = Math.min(this.#max, this.window + bytes)
    }

    if (now - this.#sampleStart >= SAMPLE_TIME) {
      this.#sample(now)
    }
  }

  /** `bytes` that were asked for will not come. */
  withdrawn (bytes: number): void {
    this.inFlight -= bytes
  }

  /** A cancel was answered after so many ms: by a reject, or by the block that was under way. */
  cancelAnswered (time: number): void {
    const last = this.delay ?? 0
    this.delay = time > last ? time : last + SMOOTHING * (time - last)
  }

  /** A block was late: one at a time from here, until it delivers again. */
  late (): void {
    this.window = Math.min(BLOCK_SIZE, this.#max)
    this.#slowStart = true
  }

  #sample (now: number): void {
    const sample = this.#sampleBytes / (now - this.#sampleStart)
    this.rate = this.rate === 0 ? sample : this.rate + SMOOTHING * (sample - this.rate)
    this.#sampleStart = now
    this.#sampleBytes = 0
    const target = this.rate * Math.max(1_000, 2 * Math.min(this.rtt, 10_000))

    if (!this.#slowStart || this.window >= target) {
      this.#slowStart = false
      this.window = Math.min(this.#max, Math.max(2 * BLOCK_SIZE, target))
    }
  }
}
