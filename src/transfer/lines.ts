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
  #timer?: ReturnType<typeof setInterval>

  constructor (protocol: string, onHello: (session: Session) => void) {
    this.#protocol = protocol
    this.#onHello = onHello
  }

  /** Streams there are. */
  get size (): number {
    return this.#lines.size
  }

  /** A line over a connection that is idle. */
  take (connection: Connection): Line | undefined {
    for (let line = this.#idle.get(connection)?.pop(); line != null; line = this.#idle.get(connection)?.pop()) {
      if (line.free) {
        return line
      }
    }
  }

  /** A new line over a connection. */
  async open (connection: Connection, options?: AbortOptions): Promise<Line> {
    const stream = await connection.newStream(this.#protocol, { ...options, maxOutboundStreams: MAX_STREAMS })

    return this.#add(stream, connection, true)
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
