import { isWebRtc } from '../direct.ts'
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'

/** How often connections are looked at, in ms. */
const INTERVAL = 10_000

/**
 * A connection over WebRTC is closed when nothing was said over it for so long, in ms: longer than streams are kept for
 * what comes next.
 */
const IDLE_TIME = 60_000

/** The same for one through a relay beside a direct one, whose handshake it was for. */
const RELAYED_IDLE_TIME = 10_000

/** Why libp2p keeps a connection, as with a relay that holds a reservation. */
const KEEP_ALIVE = 'keep-alive'

/**
 * Closes connections that nobody uses any more: over WebRTC, of which a page
 * can have a few hundred in its life, and those through relays whose handshake
 * is done. Membership ends links by their streams, and so do downloads; libp2p
 * itself closes none before there are a hundred.
 */
export class IdleConnections {
  readonly #libp2p: Pick<Libp2p, 'getConnections' | 'peerStore'>

  /** Since when a connection is idle, in ms. */
  readonly #since = new WeakMap<Connection, number>()
  #timer?: ReturnType<typeof setInterval>

  constructor (libp2p: Pick<Libp2p, 'getConnections' | 'peerStore'>) {
    this.#libp2p = libp2p
  }

  start (): void {
    this.#timer = setInterval(() => { void this.look(performance.now()) }, INTERVAL)
  }

  stop (): void {
    clearInterval(this.#timer)
  }

  /** Closes what has been idle for long enough. */
  async look (now: number): Promise<void> {
    await Promise.all(this.#libp2p.getConnections().map(async connection => {
      const patience = this.#patience(connection)

      if (patience == null || connection.status !== 'open' || connection.streams.length > 0) {
        this.#since.delete(connection)
      } else if (!this.#since.has(connection)) {
        this.#since.set(connection, now)
      } else if (now - (this.#since.get(connection) as number) >= patience && !await this.#isKept(connection.remotePeer)) {
        await connection.close().catch((err: unknown) => { connection.abort(err as Error) })
      }
    }))
  }

  /** How long it may be idle, in ms; none if it may stay. */
  #patience (connection: Connection): number | undefined {
    const { limits, remotePeer } = connection

    if (limits != null) {
      return this.#libp2p.getConnections(remotePeer).some(other => other.limits == null && other.status === 'open') ? RELAYED_IDLE_TIME : undefined
    }

    return isWebRtc(connection) ? IDLE_TIME : undefined
  }

  async #isKept (peer: PeerId): Promise<boolean> {
    try {
      const { tags } = await this.#libp2p.peerStore.get(peer)

      return [...tags.keys()].some(tag => tag.startsWith(KEEP_ALIVE))
    } catch {
      return false
    }
  }
}
