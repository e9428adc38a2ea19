import { Uint8ArrayList } from 'uint8arraylist'
import { ProtocolError } from '../errors.ts'
import { encodeBlock, encodeMessage } from './codec.ts'
import { MAX_EARLY_MESSAGES } from './constants.ts'
import { Bitfield } from './core/bitfield.ts'
import type { AnyMessage, Hello, Message } from './core/messages.ts'
import type { PeerKey } from '../core.ts'
import type { AbortOptions, PeerId } from '@libp2p/interface'

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

/** The stream below a session. */
export interface SessionLine {
  readonly peer: PeerId

  /** `true` if this side opened the stream. */
  readonly dialled: boolean

  /** `true` while the stream takes no more. */
  readonly full: boolean

  /** Most bytes that may be asked for and not here yet. */
  readonly maxWindow: number

  /** When a message came last, in ms. */
  heard: number

  /** Sends frames. */
  send (frames: Uint8Array | Uint8ArrayList): void

  /** Resolves when the stream can take more; rejects if it closes before. */
  drained (options?: AbortOptions): Promise<void>

  /** The session is over on both sides. */
  release (session: Session): void

  /** Breaks the stream off. */
  abort (error: Error): void
}

/** What two peers say to each other about one content. */
export class Session {
  readonly line: SessionLine
  readonly peer: PeerId
  readonly key: PeerKey

  /** Which content: its CID as a string. */
  content: string

  /** What the other side said first. */
  remote?: Hello

  /** `true` if this side said that what it fetches may wait. */
  background = false

  /** `true` if the other side lets us ask; it may say so before we know what for. */
  unchoked = false

  readonly #gained = new Set<number>()
  #pieces?: Bitfield
  #handler?: SessionHandler
  #state: 'opening' | 'open' | 'ended' | 'closed' = 'opening'
  #early: Message[] = []
  readonly #deferred: Message[] = []
  #deferTimer?: ReturnType<typeof setTimeout>

  constructor (line: SessionLine, content: string, handler?: SessionHandler, remote?: Hello) {
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
    this.background = hello.background === true
    this.line.send(encodeMessage(hello))
  }

  /** Answers the hello of the other side. */
  accept (content: string, hello: Hello, handler: SessionHandler): void {
    if (this.#state !== 'opening') {
      return
    }

    this.content = content
    this.background = hello.background === true
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

  /** Says which pieces are stored; who has all need not know. */
  tell (pieces: number[]): void {
    if (this.remote?.have !== 'all') {
      this.send(...pieces.map(piece => ({ type: 'have' as const, piece })))
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
      } else if (message.type === 'choke' || message.type === 'unchoke') {
        this.unchoked = message.type === 'unchoke'
      }

      this.#handler?.message(this, message)
    } else if (this.dialled || message.type === 'block' || message.type === 'node' || this.#early.push(message) > MAX_EARLY_MESSAGES) {
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
