import type { PeerKey } from '../core.ts'

/** Peers that are remembered, so that nobody can make us remember more and more: the first are forgotten. */
const MAX_BANNED = 10_000

/** Peers with whom nothing is exchanged any more: for a download, or for good. */
export class Bans {
  readonly #peers = new Set<PeerKey>()

  has (peer: PeerKey): boolean {
    return this.#peers.has(peer)
  }

  /** Bans a peer; `false` if it was banned before. */
  add (peer: PeerKey): boolean {
    if (this.#peers.has(peer)) {
      return false
    }

    this.#peers.add(peer)

    if (this.#peers.size > MAX_BANNED) {
      const [first] = this.#peers
      this.#peers.delete(first)
    }

    return true
  }
}
