/**
 * Lines and sessions: one stream carries one session after another.
 *
 * A stream costs a round trip and more than a millisecond of work to open,
 * which is more than a small file is worth. So whoever opened it keeps it for
 * a while after a session has ended, and begins the next one with a hello.
 *
 * A session begins with the hello of who opened the stream, answered by a
 * hello, or by `end` from somebody who does not have the content. It ends when
 * both have said `end`; after saying it, whatever comes is dropped until the
 * other has said it too.
 *
 * @module
 */

import { isWebRtc } from '../direct.ts'
import { ProtocolError } from '../errors.ts'
import { openChannel } from '../wire/channel.ts'
import { decodeMessage } from './codec.ts'
import { HELLO_TIMEOUT, IDLE_SESSION_TIME, IDLE_STREAM_TIME, MAX_MESSAGE_SIZE, MAX_UNSENT, MAX_WINDOW, MAX_WINDOW_WEBRTC } from './constants.ts'
import { parseMessage } from './core/messages.ts'
import { Session } from './session.ts'
import type { AnyMessage, Hello } from './core/messages.ts'
import type { SessionHandler, SessionLine } from './session.ts'
import type { Channel } from '../wire/channel.ts'
import type { AbortOptions, Connection, PeerId, Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** Who a line reports to. */
export interface LineHandler {
  /** The other side began a session, to be answered by `accept` or `end`. */
  hello (session: Session): void

  /** No session is on the line any more. */
  idle (line: Line): void

  closed (line: Line): void
}

/** One stream of the protocol. */
export class Line implements SessionLine {
  readonly connection: Connection

  /** `true` if this side opened the stream, and may begin sessions. */
  readonly dialled: boolean

  /** When a message came last, or the line became idle, in ms. */
  heard = performance.now()

  readonly #channel: Channel<never>
  readonly #handler: LineHandler
  #session?: Session
  #closed = false

  constructor (stream: Stream, connection: Connection, dialled: boolean, handler: LineHandler) {
    this.connection = connection
    this.dialled = dialled
    this.#handler = handler
    this.#channel = openChannel<AnyMessage, never>(stream, {
      maxMessageSize: MAX_MESSAGE_SIZE,
      decode: decodeMessage,
      parse: parseMessage,
      onMessage: message => { this.#receive(message) },
      onClose: error => { this.#onClose(error) }
    })
  }

  /** Who is on the other side. */
  get peer (): PeerId {
    return this.connection.remotePeer
  }

  /** `true` if a session can begin. */
  get free (): boolean {
    return this.#session == null && !this.#closed && this.#channel.stream.status === 'open'
  }

  /** `true` while the stream takes no more. */
  get full (): boolean {
    return this.#channel.stream.writableNeedsDrain
  }

  /** Most bytes that may be asked for and not here yet: over WebRTC a stream is reset when 4 MiB lie unread, and nothing slows the sender down. */
  get maxWindow (): number {
    return isWebRtc(this.connection) ? MAX_WINDOW_WEBRTC : MAX_WINDOW
  }

  /** Begins a session. */
  begin (content: string, hello: Hello, handler: SessionHandler): Session {
    const session = new Session(this, content, handler)
    this.#session = session
    this.heard = performance.now()
    session.begin(hello)

    return session
  }

  /** Sends frames; a stream that cannot take them is on its way to be closed. */
  send (frames: Uint8Array | Uint8ArrayList): void {
    try {
      this.#channel.sendFrames(frames)

      if (this.#channel.stream.writeBufferLength > MAX_UNSENT) {
        throw new ProtocolError('The other side does not read what it asks for')
      }
    } catch (err) {
      this.abort(err as Error)
    }
  }

  /** Resolves when the stream can take more; rejects if it closes before. */
  async drained (options?: AbortOptions): Promise<void> {
    await this.#channel.drained(options)
  }

  /** For the session: it is over on both sides. */
  release (session: Session): void {
    if (this.#session === session) {
      this.#session = undefined
      this.heard = performance.now()
      this.#handler.idle(this)
    }
  }

  /** Breaks off what has been silent for too long. */
  sweep (now: number): void {
    const silence = now - this.heard

    if (this.#session == null) {
      // the side that opened it knows first; the other only makes sure
      if (silence > (this.dialled ? IDLE_STREAM_TIME : 4 * IDLE_STREAM_TIME)) {
        this.close()
      }
    } else if (this.#session.open) {
      if (silence > IDLE_SESSION_TIME) {
        this.#session.end()
      }
    } else if (silence > HELLO_TIMEOUT) {
      this.abort(new ProtocolError('The other side said nothing for too long'))
    }
  }

  /** Ends a line that has no session. */
  close (): void {
    void this.#channel.close({ signal: AbortSignal.timeout(HELLO_TIMEOUT) })
    this.#onClose()
  }

  abort (error: Error): void {
    this.#channel.abort(error)
  }

  #receive (message: AnyMessage): void {
    this.heard = performance.now()

    if (this.#session != null) {
      this.#session.receive(message)
    } else if (message.type === 'hello' && !this.dialled) {
      this.#session = new Session(this, '', undefined, message)
      this.#handler.hello(this.#session)
    } else {
      throw new ProtocolError(`A ${message.type} came outside of a session`)
    }
  }

  #onClose (error?: Error): void {
    if (this.#closed) {
      return
    }

    this.#closed = true

    if (this.#channel.stream.writeStatus === 'writable') {
      void this.#channel.close({ signal: AbortSignal.timeout(HELLO_TIMEOUT) })
    }

    this.#session?.broken(error)
    this.#session = undefined
    this.#handler.closed(this)
  }
}
