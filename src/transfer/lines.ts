import { waitFor } from '../delay.ts'
import { MAX_IDLE_STREAMS, MAX_STREAMS } from './constants.ts'
import { Line } from './line.ts'
import type { LineHandler } from './line.ts'
import type { Session } from './session.ts'
import type { AbortOptions, Connection, Stream } from '@libp2p/interface'

/** How often lines are looked at for silence, in ms. */
const SWEEP_INTERVAL = 1_000

/** All streams of the protocol, and those of them that wait for a session. */
export class Lines implements LineHandler {
  readonly #protocol: string
  readonly #onHello: (session: Session) => void
  readonly #lines = new Set<Line>()
  readonly #idle = new Map<Connection, Line[]>()

  /** Connections over which the other side has taken a stream. */
  readonly #ready = new WeakSet<Connection>()

  /** The stream that goes ahead over a connection; settles as soon as that is known to be ready, or not. */
  readonly #ahead = new WeakMap<Connection, Promise<void>>()
  #timer?: ReturnType<typeof setInterval>

  constructor (protocol: string, onHello: (session: Session) => void) {
    this.#protocol = protocol
    this.#onHello = onHello
  }

  /** A line over a connection that is idle. */
  take (connection: Connection): Line | undefined {
    for (let line = this.#idle.get(connection)?.pop(); line != null; line = this.#idle.get(connection)?.pop()) {
      if (line.free) {
        return line
      }
    }
  }

  /**
   * A new line over a connection. The first goes ahead of all others: libp2p's
   * muxers break off for good if more than ten streams come before their side
   * of a new connection is ready, as when many downloads begin with a dial.
   */
  async open (connection: Connection, options?: AbortOptions): Promise<Line> {
    for (let ahead = this.#ahead.get(connection); ahead != null; ahead = this.#ahead.get(connection)) {
      await waitFor(ahead, options?.signal)
    }

    const opening = connection.newStream(this.#protocol, { ...options, maxOutboundStreams: MAX_STREAMS })

    if (!this.#ready.has(connection)) {
      this.#ahead.set(connection, opening.then(() => { this.#ready.add(connection) }, () => {}).finally(() => { this.#ahead.delete(connection) }))
    }

    return this.#add(await opening, connection, true)
  }

  /** Takes a stream that the other side opened. */
  accept (stream: Stream, connection: Connection): void {
    this.#add(stream, connection, false)
  }

  /** Breaks off every stream. */
  abort (error: Error): void {
    for (const line of [...this.#lines]) {
      line.abort(error)
    }
  }

  /** Breaks off every stream to a peer. */
  abortPeer (peer: string, error: Error): void {
    for (const line of [...this.#lines]) {
      if (String(line.peer) === peer) {
        line.abort(error)
      }
    }
  }

  hello (session: Session): void {
    this.#onHello(session)
  }

  idle (line: Line): void {
    if (!line.dialled) {
      return
    }

    const idle = this.#idle.get(line.connection) ?? []
    this.#idle.set(line.connection, idle)

    if (idle.length < MAX_IDLE_STREAMS) {
      idle.push(line)
    } else {
      line.close()
    }
  }

  closed (line: Line): void {
    this.#lines.delete(line)
    const idle = this.#idle.get(line.connection)?.filter(other => other !== line) ?? []

    if (idle.length > 0) {
      this.#idle.set(line.connection, idle)
    } else {
      this.#idle.delete(line.connection)
    }

    if (this.#lines.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #add (stream: Stream, connection: Connection, dialled: boolean): Line {
    const line = new Line(stream, connection, dialled, this)
    this.#lines.add(line)
    this.#timer ??= setInterval(() => { this.#sweep() }, SWEEP_INTERVAL)

    return line
  }

  #sweep (): void {
    for (const line of [...this.#lines]) {
      line.sweep(performance.now())
    }
  }
}
