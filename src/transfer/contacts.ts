import { optionalComponent } from '../components.ts'
import { directConnection, openDirect } from '../direct.ts'
import { DIAL_TIMEOUT } from './constants.ts'
import { otherMembers } from './other-members.ts'
import type { Source, TransferComponents } from './index.ts'
import type { Line } from './line.ts'
import type { Lines } from './lines.ts'
import type { PeerKey } from '../core.ts'
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Neighbours that are asked for a content when nobody is known to have it. */
const MAX_NEIGHBOURS = 16

/** A lookup in the content routing takes no longer, in ms. */
const LOOKUP_TIMEOUT = 30_000

/** Who may have a content, and how to speak with them. */
export class Contacts {
  readonly #components: TransferComponents
  readonly #lines: Lines

  /** Connected peers that speak the protocol. */
  readonly #neighbours = new Map<PeerKey, PeerId>()

  constructor (components: TransferComponents, lines: Lines) {
    this.#components = components
    this.#lines = lines
  }

  /** A peer that speaks the protocol is connected. */
  connected (peer: PeerId): void {
    this.#neighbours.set(String(peer), peer)
  }

  disconnected (peer: PeerId): void {
    this.#neighbours.delete(String(peer))
  }

  /** Nobody is connected any more. */
  clear (): void {
    this.#neighbours.clear()
  }

  /** A line to a source, over a connection there is or a new one. */
  async reach ({ holder, addresses = [] }: Source, signal: AbortSignal): Promise<Line> {
    const { connectionManager } = this.#components
    const key = String(holder)
    const open = directConnection(connectionManager, key)
    const idle = open == null ? undefined : this.#lines.take(open)

    if (idle != null) {
      return idle
    }

    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT)]) }
    const connection = open ?? await openDirect(connectionManager, key, addresses, options)

    return this.#lines.open(connection, options)
  }

  /** Everybody who is connected may have it; so may those whom the content routing knows. */
  async * lookup (cid: CID, signal: AbortSignal): AsyncGenerator<Source> {
    for (const holder of [...this.#neighbours.values()].slice(0, MAX_NEIGHBOURS)) {
      yield { holder }
    }

    yield * otherMembers(optionalComponent(() => this.#components.membership), this.#neighbours, MAX_NEIGHBOURS)
    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_TIMEOUT)]) }

    for await (const { id, multiaddrs } of this.#components.contentRouting.findProviders(cid, options)) {
      yield { holder: id, addresses: multiaddrs }
    }
  }
}
