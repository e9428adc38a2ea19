/**
 * The streams of search: those on which neighbours ask, and those on which
 * this node asks them. One stream carries one query.
 *
 * @module
 */

import { AbortError } from '@libp2p/interface'
import { ProtocolError } from '../errors.ts'
import { openChannel } from '../wire/channel.ts'
import { MAX_MESSAGE_SIZE, MAX_STREAMS, MAX_UNSENT, STREAM_PATIENCE } from './constants.ts'
import { parseAnswer, parseQuery } from './core/messages.ts'
import type { Answer, Query } from './core/messages.ts'
import type { Channel } from '../wire/channel.ts'
import type { Connection, Stream } from '@libp2p/interface'

/** Who is told what happens on the streams. */
export interface StreamsListener {
  /** A neighbour asks. */
  onQuery (asker: number, connection: Connection, query: Query): void

  /** A neighbour does not want its answer any more. */
  onWithdraw (asker: number): void
  onAnswer (ask: number, answer: Answer): void

  /** A stream broke before the answer was complete, or could not be opened. */
  onFailed (ask: number, error: Error): void
}

/** How streams are made. */
export interface StreamsInit extends StreamsListener {
  protocol: string

  /** Gives each stream of a neighbour a number of its own. */
  newAsker (): number

  /**
   * Ms for a query to arrive, and for the other side to end a stream that is over.
   *
   * @default 10_000
   */
  patience?: number
}

/** Opens, reads, and ends streams. */
export class Streams {
  readonly #init: StreamsInit
  readonly #patience: number
  readonly #askers = new Map<number, Channel<Answer>>()
  readonly #asks = new Map<number, (reason: Error) => void>()
  readonly #open = new Set<Stream>()
  #closed = false

  constructor (init: StreamsInit) {
    this.#init = init
    this.#patience = init.patience ?? STREAM_PATIENCE
  }

  /** Takes a stream that a neighbour has opened. */
  accept (stream: Stream, connection: Connection): void {
    this.#watch(stream)
    const asker = this.#init.newAsker()
    let asked = false
    const patience = setTimeout(() => { stream.abort(new ProtocolError('No query came')) }, this.#patience)
    const channel = openChannel<Query, Answer>(stream, {
      maxMessageSize: MAX_MESSAGE_SIZE,
      parse: parseQuery,
      onMessage: query => {
        if (asked) {
          throw new ProtocolError('A stream carries one query')
        }

        asked = true
        clearTimeout(patience)
        this.#askers.set(asker, channel)
        this.#init.onQuery(asker, connection, query)
      },
      onClose: () => {
        clearTimeout(patience)
        this.#endStream(stream)

        // once it is answered, the other side closes too
        if (this.#askers.delete(asker)) {
          this.#init.onWithdraw(asker)
        }
      }
    })
  }

  /** Sends a part of the answer to a neighbour; the last part ends the stream. */
  answer (asker: number, answer: Answer): void {
    const channel = this.#askers.get(asker)

    if (channel == null) {
      return
    }

    if (answer.type === 'done') {
      this.#askers.delete(asker)
    }

    try {
      channel.send(answer)
    } catch {
      // it is closing, which is told by itself
    }

    if (answer.type === 'done') {
      this.#endStream(channel.stream)
    }
  }

  /** `true` while a neighbour waits for its answer. */
  isAsking (asker: number): boolean {
    return this.#askers.has(asker)
  }

  /** Asks a neighbour. */
  ask (ask: number, connection: Connection | undefined, query: Query): void {
    if (this.#closed) {
      return
    }

    const opening = new AbortController()
    this.#asks.set(ask, reason => { opening.abort(reason) })

    this.#ask(ask, connection, query, opening.signal).catch((err: Error) => { this.#fail(ask, err) })
  }

  /** Breaks off what was asked; the neighbour then tells all that it has asked in turn. */
  drop (ask: number, reason: Error = new AbortError('Nobody waits for the answer')): void {
    const end = this.#asks.get(ask)
    this.#asks.delete(ask)
    end?.(reason)
  }

  /** Breaks off everything. */
  close (): void {
    this.#closed = true
    const reason = new AbortError('Search has stopped')
    this.#askers.clear()

    for (const ask of this.#asks.keys()) {
      this.drop(ask, reason)
    }

    for (const stream of this.#open) {
      stream.abort(reason)
    }
  }

  async #ask (ask: number, connection: Connection | undefined, query: Query, signal: AbortSignal): Promise<void> {
    if (connection == null) {
      throw new ProtocolError('There is no connection')
    }

    const stream = await connection.newStream(this.#init.protocol, { signal, maxOutboundStreams: MAX_STREAMS })

    if (signal.aborted) {
      stream.abort(new AbortError('Nobody waits for the answer'))

      return
    }

    this.#watch(stream)
    const channel = openChannel<Answer, Query>(stream, {
      maxMessageSize: MAX_MESSAGE_SIZE,
      parse: parseAnswer,
      onMessage: answer => { this.#onAnswer(ask, stream, answer) },
      onClose: error => {
        this.#endStream(stream)
        this.#fail(ask, error ?? new ProtocolError('The stream ended before the answer was complete'))
      }
    })
    this.#asks.set(ask, reason => { stream.abort(reason) })
    channel.send(query)
  }

  #onAnswer (ask: number, stream: Stream, answer: Answer): void {
    if (!this.#asks.has(ask)) {
      throw new ProtocolError('Something came after the end of the answer')
    }

    if (answer.type === 'done') {
      this.#asks.delete(ask)
      this.#endStream(stream)
    }

    this.#init.onAnswer(ask, answer)
  }

  #fail (ask: number, error: Error): void {
    if (this.#asks.delete(ask)) {
      this.#init.onFailed(ask, error)
    }
  }

  #watch (stream: Stream): void {
    stream.maxWriteBufferLength = MAX_UNSENT
    this.#open.add(stream)
    stream.addEventListener('close', () => { this.#open.delete(stream) }, { once: true })
  }

  /** Ends our side, and the stream if the other side does not end its own before long. */
  #endStream (stream: Stream): void {
    if (stream.status !== 'open' || stream.writeStatus !== 'writable') {
      return
    }

    const abort = (): void => { stream.abort(new ProtocolError('The other side did not close the stream')) }
    const patience = setTimeout(abort, this.#patience)
    stream.addEventListener('close', () => { clearTimeout(patience) }, { once: true })
    stream.close().catch(abort)
  }
}
