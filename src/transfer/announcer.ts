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

  /** Does not tell it again; what was told before is forgotten in time. It may never have been told. */
  withdraw (cid: CID): Promise<void>

  /** `true` while there is something more urgent to do. */
  isBusy (): boolean
  log: Logger
}

/**
 * Tells the content routing what others can have from this node, one content
 * after another, so that a large catalog does not get in the way of what users
 * wait for.
 */
export class Announcer {
  readonly #init: AnnouncerInit
  readonly #waiting = new Map<string, CID>()
  #stopped = new AbortController()

  /** What is being announced. */
  #current?: string
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

  /** It is not to be had any more. What was announced, now or in an earlier run, is not announced again, and others forget it in time. */
  remove (cid: CID): void {
    const key = String(cid)
    this.#waiting.delete(key)

    if (key !== this.#current) {
      void this.#withdraw(cid)
    }
  }

  async #withdraw (cid: CID): Promise<void> {
    try {
      await this.#init.withdraw(cid)
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

      if (this.#waiting.has(key)) {
        await this.#announce(key, cid, signal)
      }
    }
  }

  async #announce (key: string, cid: CID, signal: AbortSignal): Promise<void> {
    this.#current = key
    const error = await this.#init.announce(cid, AbortSignal.any([signal, AbortSignal.timeout(ANNOUNCE_TIMEOUT)])).then(() => undefined, (err: unknown) => err)
    this.#current = undefined

    if (!this.#waiting.delete(key)) {
      // it was removed meanwhile, and some may have been told
      await this.#withdraw(cid)
    } else if (error != null) {
      this.#init.log('could not announce %c - %e', cid, error)
      // again, after all others
      this.#waiting.set(key, cid)
      await delay(RETRY_INTERVAL, { signal })
    }
  }
}
