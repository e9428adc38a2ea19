import { AbortError } from '@libp2p/interface'
import { FIRST_LOOKUP, LACKING_DELAY, LOOKUP_INTERVAL, MAX_DIALS, MAX_RETRY_DELAY, MAX_SESSIONS, MAX_SOURCES, RETRY_DELAY, SOURCE_INTERVAL } from './constants.ts'
import type { Source } from './index.ts'
import type { SessionEnd } from './session.ts'
import type { PeerKey } from '../core.ts'

/** Why dials end; made once, since making an error with its stack takes longer than fetching a small file should. */
const STOPPED = new AbortError('The download is over')

/** What a finder needs of its surroundings. */
export interface FinderInit {
  /** Begins a session with a source. It may resolve before it is known whether that has the content. */
  connect (source: Source, signal: AbortSignal): Promise<void>

  /** Looks for more sources; it may go on for long, and fail. */
  lookup (signal: AbortSignal): AsyncIterable<Source>

  /** `true` for who must not be asked. */
  isExcluded (peer: PeerKey): boolean

  /** `true` while those who are known are enough, and a lookup would be a burden to others for nothing. */
  isServed (): boolean

  /** Called now and then, about twice a second. */
  onTick (): void
}

interface Known {
  source: Source
  state: 'idle' | 'dialling' | 'connected' | 'excluded'
  failures: number

  /** When to try it, in ms. */
  next: number
}

/**
 * Looks for peers that have a content, and keeps sessions with them, as long
 * as it runs: those that are known first, then those that a lookup finds; who
 * failed is tried again, later each time.
 */
export class Finder {
  readonly #init: FinderInit
  readonly #known = new Map<PeerKey, Known>()
  readonly #stopped = new AbortController()
  #timer?: ReturnType<typeof setInterval>
  #nextLookup = 0
  #looking = false
  #dialling = 0

  constructor (init: FinderInit) {
    this.#init = init
  }

  /** Sources that are remembered. */
  get size (): number {
    return this.#known.size
  }

  /** Begins to look; once is enough. */
  start (now = performance.now()): void {
    if (this.#timer != null || this.#stopped.signal.aborted) {
      return
    }

    this.#nextLookup = this.#known.size > 0 ? now + FIRST_LOOKUP : now
    this.#timer = setInterval(() => { this.#tick() }, SOURCE_INTERVAL)
    this.#step(now)
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#stopped.abort(STOPPED)
  }

  /** Takes somebody who may have the content. */
  add (source: Source): void {
    const key = String(source.holder)
    const known = this.#known.get(key)

    if (known == null) {
      this.#makeRoom()
      this.#known.set(key, { source, state: 'idle', failures: 0, next: 0 })
    } else if (source.addresses != null && source.addresses.length > 0) {
      known.source = source
    }

    if (this.#timer != null) {
      this.#step(performance.now())
    }
  }

  /** A session has begun, whoever began it. */
  connected (peer: PeerKey): void {
    const known = this.#known.get(peer)

    if (known != null) {
      known.state = 'connected'
    }
  }

  /** A session is over. */
  closed (peer: PeerKey, end: SessionEnd): void {
    const known = this.#known.get(peer)

    if (known != null && known.state !== 'excluded') {
      // to have begun counts as a failure until something comes of it
      this.#postpone(known, end === 'lacking' ? Math.min(LOOKUP_INTERVAL, LACKING_DELAY * 2 ** (known.failures - 1)) : undefined)
    }
  }

  /** A peer is of use: if it fails again, that counts as the first time. */
  useful (peer: PeerKey): void {
    const known = this.#known.get(peer)

    if (known != null) {
      known.failures = 0
    }
  }

  /** Never asks a peer again. */
  exclude (peer: PeerKey): void {
    const known = this.#known.get(peer)

    if (known != null) {
      known.state = 'excluded'
    }
  }

  /** Tries everybody again at once. */
  retry (): void {
    this.#known.forEach(known => { known.next = 0 })
  }

  /** Looks for others at once. */
  hurry (): void {
    this.#nextLookup = Math.min(this.#nextLookup, performance.now())
  }

  /** Forgets whoever is known longest and of no use now, if there are too many. */
  #makeRoom (): void {
    for (const [key, { state }] of this.#known) {
      if (this.#known.size < MAX_SOURCES) {
        return
      }

      // who is excluded would not be asked if it came again
      if (state === 'idle' || state === 'excluded') {
        this.#known.delete(key)
      }
    }
  }

  #tick (): void {
    this.#init.onTick()
    this.#step(performance.now())
  }

  #step (now: number): void {
    if (this.#stopped.signal.aborted) {
      return
    }

    if (now >= this.#nextLookup && !this.#looking && !this.#init.isServed()) {
      this.#nextLookup = now + LOOKUP_INTERVAL
      void this.#lookup()
    }

    let connected = 0

    for (const [key, known] of this.#known) {
      connected += Number(known.state === 'connected')

      if (known.state === 'idle' && known.next <= now && this.#dialling < MAX_DIALS && connected < MAX_SESSIONS) {
        if (this.#init.isExcluded(key)) {
          known.state = 'excluded'
        } else {
          void this.#dial(known)
        }
      }
    }
  }

  async #dial (known: Known): Promise<void> {
    known.state = 'dialling'
    this.#dialling++

    try {
      await this.#init.connect(known.source, this.#stopped.signal)
    } catch {
      // it is known to be away; whether that matters, the download decides
    } finally {
      this.#dialling--

      // a session that has begun says so itself
      if (known.state === 'dialling') {
        this.#postpone(known)
      }
    }
  }

  #postpone (known: Known, delay = Math.min(MAX_RETRY_DELAY, RETRY_DELAY * 2 ** known.failures)): void {
    known.state = 'idle'
    known.failures++
    known.next = performance.now() + delay
  }

  async #lookup (): Promise<void> {
    this.#looking = true

    try {
      for await (const source of this.#init.lookup(this.#stopped.signal)) {
        this.add(source)

        if (this.#stopped.signal.aborted) {
          break
        }
      }
    } catch {
      // nobody was found this time
    } finally {
      this.#looking = false
    }
  }
}
