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

import { Uint8ArrayList } from 'uint8arraylist'
import { ProtocolError } from '../errors.ts'
import { openChannel } from '../wire/channel.ts'
import { decodeMessage, encodeBlock, encodeMessage } from './codec.ts'
import { HELLO_TIMEOUT, IDLE_SESSION_TIME, IDLE_STREAM_TIME, MAX_EARLY_MESSAGES, MAX_MESSAGE_SIZE } from './constants.ts'
import { Bitfield } from './core/bitfield.ts'
import { parseMessage } from './core/messages.ts'
import type { AnyMessage, Hello, Message } from './core/messages.ts'
import type { PeerKey } from '../core.ts'
import type { Channel } from '../wire/channel.ts'
import type { AbortOptions, Connection, PeerId, Stream } from '@libp2p/interface'

/** Why a session is over: the other does not have the content, one of both said so, or the stream broke. */
export type SessionEnd = 'lacking' | 'ended' | 'broken'

/** Who a session reports to. */
export interface SessionHandler {
  /** Both have said hello. */
  opened (session: Session): void

  /** If this throws, the stream is aborted. */
  message (session: Session, message: Message): void

  /** Called once. */
  closed (session: Session, end: SessionEnd, error?: Error): void
}

/** Who a line reports to. */
export interface LineHandler {
  /** The other side began a session, to be answered by `accept` or `end`. */
  hello (session: Session): void

  /** No session is on the line any more. */
  idle (line: Line): void

  closed (line: Line): void
}

/** One stream of the protocol. */
export class Line {
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

/** What two peers say to each other about one content. */
export class Session {
  readonly line: Line
  readonly peer: PeerId
  readonly key: PeerKey

  /** Which content: its CID as a string. */
  content: string

  /** What the other side said first. */
  remote?: Hello

  readonly #gained = new Set<number>()
  #pieces?: Bitfield
  #handler?: SessionHandler
  #state: 'opening' | 'open' | 'ended' | 'closed' = 'opening'
  #early: Message[] = []
  readonly #deferred: Message[] = []
  #deferTimer?: ReturnType<typeof setTimeout>

  constructor (line: Line, content: string, handler?: SessionHandler, remote?: Hello) {
    this.line = line
    this.peer = line.peer
    this.key = String(line.peer)
    this.content = content
    this.#handler = handler
    this.remote = remote
  }

  /** `true` from both hellos to the first `end`. */
  get open (): boolean {
    return this.#state === 'open'
  }

  /** `true` if nothing that is sent now is of use. */
  get over (): boolean {
    return this.#state === 'ended' || this.#state === 'closed'
  }

  /** `true` if this side said hello first. */
  get dialled (): boolean {
    return this.line.dialled
  }

  /**
   * What the other side has, of so many pieces.
   *
   * @throws {ProtocolError} it said something that does not fit
   */
  pieces (count: number): Bitfield {
    if (this.#pieces?.size !== count) {
      this.#pieces = readPieces(this.remote?.have ?? 'none', count)
      this.#gained.forEach(piece => { this.#gain(piece) })
      this.#gained.clear()
    }

    return this.#pieces
  }

  /** Says the first hello. */
  begin (hello: Hello): void {
    this.line.send(encodeMessage(hello))
  }

  /** Answers the hello of the other side. */
  accept (content: string, hello: Hello, handler: SessionHandler): void {
    if (this.#state !== 'opening') {
      return
    }

    this.content = content
    this.#handler = handler
    this.#state = 'open'
    this.line.send(encodeMessage(hello))
    handler.opened(this)

    for (const message of this.#early) {
      if (this.#state === 'open') {
        this.receive(message)
      }
    }

    this.#early = []
  }

  /** Sends messages in one go. They are dropped if the session is over. */
  send (...messages: Message[]): void {
    const frames = [...this.#deferred.splice(0), ...messages].map(encodeMessage)

    if (!this.over && frames.length > 0) {
      this.line.send(frames.length === 1 ? frames[0] : new Uint8ArrayList(...frames))
    }
  }

  /** Sends a message soon: with the next one that is sent at once, or by itself. A packet of its own costs more than it. */
  defer (message: Message): void {
    this.#deferred.push(message)
    this.#deferTimer ??= setTimeout(() => {
      this.#deferTimer = undefined
      this.send()
    }, DEFER_TIME)
  }

  /** Sends blocks that follow one another in a piece, in one go. */
  sendBlocks (blocks: Array<{ piece: number, begin: number, bytes: Uint8Array }>): void {
    if (!this.over) {
      this.line.send(new Uint8ArrayList(...blocks.flatMap(({ piece, begin, bytes }) => encodeBlock(piece, begin, bytes))))
    }
  }

  /** Ends the session; nothing more is reported of it but that. */
  end (): void {
    if (!this.over) {
      this.line.send(encodeMessage({ type: 'end' }))
      this.#state = 'ended'
      this.line.heard = performance.now()
      this.#report('ended')
    }
  }

  /** For the line: a message has come. */
  receive (message: AnyMessage): void {
    if (message.type === 'end') {
      this.#onEnd()
    } else if (this.#state === 'ended') {
      // it was under way when we said `end`
    } else if (message.type === 'hello') {
      this.#onHello(message)
    } else if (this.#state === 'open') {
      if (message.type === 'have') {
        this.#gain(message.piece)
      }

      this.#handler?.message(this, message)
    } else if (this.dialled || this.#early.push(message) > MAX_EARLY_MESSAGES) {
      throw new ProtocolError(`A ${message.type} came before a hello`)
    }
  }

  /** For the line: it is gone. */
  broken (error?: Error): void {
    const reported = this.over
    this.#state = 'closed'

    if (!reported) {
      this.#report('broken', error)
    }
  }

  #gain (piece: number): void {
    if (this.#pieces == null) {
      if (this.#gained.add(piece).size > MAX_GAINED) {
        throw new ProtocolError('It says that it has more than it can have fetched meanwhile')
      }
    } else if (piece < this.#pieces.size) {
      this.#pieces.add(piece)
    } else {
      throw new ProtocolError(`It says that it has piece ${piece} of ${this.#pieces.size}`)
    }
  }

  #onHello (hello: Hello): void {
    if (this.remote != null) {
      throw new ProtocolError('A second hello came')
    }

    this.remote = hello
    this.#state = 'open'
    this.#handler?.opened(this)
  }

  #onEnd (): void {
    const lacking = this.#state === 'opening' && this.dialled
    const ours = this.#state === 'ended'
    this.#state = 'closed'

    if (!ours) {
      this.line.send(encodeMessage({ type: 'end' }))
      this.#report(lacking ? 'lacking' : 'ended')
    }

    this.line.release(this)
  }

  #report (end: SessionEnd, error?: Error): void {
    this.#early = []
    clearTimeout(this.#deferTimer)
    this.#handler?.closed(this, end, error)
    this.#handler = undefined
  }
}

/** How long a message may be deferred, in ms. */
const DEFER_TIME = 20

/** Pieces a peer may gain before we know how many there are. */
const MAX_GAINED = 65_536

function readPieces (have: Hello['have'], count: number): Bitfield {
  if (have === 'all') {
    return Bitfield.full(count)
  }

  try {
    return have === 'none' ? new Bitfield(count) : new Bitfield(count, have.slice())
  } catch (err) {
    throw new ProtocolError('Its bitfield is not one of this content', { cause: err })
  }
}
