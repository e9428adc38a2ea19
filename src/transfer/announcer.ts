import { ANNOUNCE_INTERVAL } from './constants.ts'
import { delay } from '../delay.ts'
import type { Logger } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** How long to wait after an attempt that failed, in ms: most often nobody is connected yet. */
const RETRY_INTERVAL = 5_000

/** An attempt that takes longer is given up, in ms. */
const ANNOUNCE_TIMEOUT = 30_000

/** What an {@link Announcer} is made with. */
export interface AnnouncerInit {
  /** Tells the world that this node has a content. */
  announce (cid: CID, signal: AbortSignal): Promise<void>

  /** Tells it no more; what was told before is forgotten in time. */
  withdraw (cid: CID, signal: AbortSignal): Promise<void>

  /** `true` while there is something more urgent to do. */
  isBusy (): boolean
  log: Logger
}

/**
 * Tells the content routing what this node has, one content after another, so
 * that a large catalog does not get in the way of what users wait for.
 */
export class Announcer {
  readonly #init: AnnouncerInit
  readonly #waiting = new Map<string, CID>()
  #stopped = new AbortController()
  #running = false
  #started = false

  constructor (init: AnnouncerInit) {
    this.#init = init
  }

  start (): void {
    this.#stopped = new AbortController()
    this.#started = true
    this.#run()
  }

  stop (): void {
    this.#started = false
    this.#stopped.abort()
  }

  add (cid: CID): void {
    this.#waiting.set(String(cid), cid)
    this.#run()
  }

  /** It is not here any more. What was announced is not announced again, and others forget it in time. */
  remove (cid: CID): void {
    // what is being announced just now is among those that wait, and is withdrawn after that
    if (!this.#waiting.delete(String(cid)) && this.#started) {
      void this.#withdraw(cid)
    }
  }

  async #withdraw (cid: CID): Promise<void> {
    try {
      await this.#init.withdraw(cid, this.#stopped.signal)
    } catch (err) {
      this.#init.log('could not withdraw %c - %e', cid, err)
    }
  }

  #run (): void {
    if (this.#started && !this.#running && this.#waiting.size > 0) {
      this.#running = true
      void this.#announceAll(this.#stopped.signal).catch(() => {}).finally(() => {
        this.#running = false
        // what came since the last was announced, or the node was started again
        this.#run()
      })
    }
  }

  async #announceAll (signal: AbortSignal): Promise<void> {
    for (const [key, cid] of this.#waiting) {
      await delay(this.#init.isBusy() ? 10 * ANNOUNCE_INTERVAL : ANNOUNCE_INTERVAL, { signal })

      if (!this.#waiting.has(key)) {
        continue
      }

      try {
        await this.#init.announce(cid, AbortSignal.any([signal, AbortSignal.timeout(ANNOUNCE_TIMEOUT)]))

        if (!this.#waiting.delete(key)) {
          await this.#withdraw(cid)
        }
      } catch (err) {
        this.#init.log('could not announce %c - %e', cid, err)

        // again, after all others
        if (this.#waiting.delete(key)) {
          this.#waiting.set(key, cid)
        }

        await delay(RETRY_INTERVAL, { signal })
      }
    }
  }
}
