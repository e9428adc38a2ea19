import { waitFor } from '../delay.ts'
import type { PeerKey } from '../core.ts'

/** How long to wait until all links have heard a goodbye, in ms: some of them may be dead. */
const GOODBYE_TIME = 500

/** A goodbye on its way. */
export class Goodbye {
  readonly #unheard: Set<PeerKey>
  readonly #all = Promise.withResolvers<void>()

  /** @param links - who is told */
  constructor (links: PeerKey[]) {
    this.#unheard = new Set(links)

    if (links.length === 0) {
      this.#all.resolve()
    }
  }

  /** A link has heard it. */
  heard (peer: PeerKey): void {
    if (this.#unheard.delete(peer) && this.#unheard.size === 0) {
      this.#all.resolve()
    }
  }

  /** Resolves when all links have heard it, or will not. */
  async wait (signal?: AbortSignal): Promise<void> {
    const signals = [AbortSignal.timeout(GOODBYE_TIME), ...signal == null ? [] : [signal]]
    await waitFor(this.#all.promise, AbortSignal.any(signals)).catch(() => {})
  }
}
