/**
 * Streams to others, each for what this node has to say to one of them: opened
 * when there is something, closed when nothing was said for a while. Answers
 * come over a stream of the other's own.
 *
 * @module
 */

import { PeerBudgets } from '../budget.ts'
import { delay } from '../delay.ts'
import { directConnection, openStream } from '../direct.ts'
import { ProtocolError } from '../errors.ts'
import { Turns } from '../turns.ts'
import { openChannel } from '../wire/channel.ts'
import { encodeMessage, parseMessage } from './codec.ts'
import { MAX_MESSAGE_SIZE, MAX_STREAMS } from './constants.ts'
import type { AnyMessage, UncheckedMessage } from './codec.ts'
import type { Seals } from './sealed.ts'
import type { PeerKey } from '../core.ts'
import type { Channel } from '../wire/channel.ts'
import type { Connection, Logger, Stream } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long to wait for a connection and a stream, in ms. */
const DIAL_TIMEOUT = 10_000

/** A stream over which nothing was said for so long is closed, in ms. */
const IDLE_TIME = 60_000

/**
 * Who cannot be spoken to is tried again after so many ms, twice that the next
 * time, and so often. Somebody who is just starting is a member before it
 * speaks the protocol; the core would take it for unwilling, or wait for a
 * minute before it says the same again.
 */
const RETRY_DELAY = 500
const RETRIES = 4

/** Messages that may wait for a stream; what is lost is said again. */
const MAX_WAITING = 64

/** Messages of one peer that may wait to be checked. */
const MAX_UNCHECKED = 64

/** Messages a peer may send at once, and how many more each second: each may have signatures to be checked. */
const BURST = 500
const PER_SECOND = 20

/** How lines are made. */
export interface LinesInit {
  protocol: string
  connectionManager: ConnectionManager
  seals: Seals
  log: Logger

  /** Where a member can be dialled, if that is known. */
  addresses (peer: PeerKey): Multiaddr[]

  /** Somebody said something, and all signatures in it are right. */
  onMessage (from: PeerKey, message: AnyMessage): void

  /** It does not speak the protocol. */
  onUnsupported (peer: PeerKey): void
}

/** What is said to one peer. */
interface Line {
  channel?: Channel<Uint8Array>

  /** That of the channel. */
  connection?: Connection
  opening: boolean
  waiting: AnyMessage[]

  /** When something was said last, in ms. */
  used: number
}

export class Lines {
  readonly #init: LinesInit
  readonly #lines = new Map<PeerKey, Line>()
  readonly #inbound = new Set<Stream>()
  readonly #budgets = new PeerBudgets(BURST, PER_SECOND)
  readonly #turns = new Turns(MAX_UNCHECKED)
  readonly #stopped = new AbortController()
  readonly #timer: ReturnType<typeof setInterval>
  #closed = false

  constructor (init: LinesInit) {
    this.#init = init
    this.#timer = setInterval(() => { this.#sweep() }, IDLE_TIME / 2)
  }

  /** Takes a stream that somebody opened to say something. */
  accept (stream: Stream, connection: Connection): void {
    const peer = String(connection.remotePeer)
    this.#inbound.add(stream)
    openChannel<UncheckedMessage, never>(stream, {
      maxMessageSize: MAX_MESSAGE_SIZE,
      parse: value => parseMessage(value, this.#init.seals),
      onMessage: message => { this.#check(peer, message, stream) },
      onClose: () => {
        this.#inbound.delete(stream)
        void stream.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT) }).catch((err: Error) => { stream.abort(err) })
      }
    })
  }

  /** Says something, as soon as there is a stream; it may be lost. */
  send (to: PeerKey, message: AnyMessage): void {
    if (this.#closed) {
      return
    }

    const line = this.#lines.get(to) ?? { opening: false, waiting: [], used: 0 }
    this.#lines.set(to, line)
    line.used = performance.now()

    if (line.waiting.length < MAX_WAITING) {
      line.waiting.push(message)
    }

    if (!line.opening) {
      line.opening = true
      void this.#flush(to, line)
    }
  }

  /** Somebody is gone, or was: nobody hears what is said over the stream there is. */
  drop (peer: PeerKey): void {
    this.#lines.get(peer)?.channel?.abort(new ProtocolError('It is gone'))
  }

  /** Ends all streams, when what was said before is on its way. */
  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    const signal = AbortSignal.timeout(500)
    const channels = [...this.#lines.values()].flatMap(({ channel }) => channel ?? [])
    await Promise.all(channels.map(async channel => channel.close({ signal })))
    const reason = new ProtocolError('Contingency has stopped')
    this.#stopped.abort(reason)
    this.#inbound.forEach(stream => { stream.abort(reason) })
    // opened since
    this.#lines.forEach(({ channel }) => channel != null && !channels.includes(channel) && channel.abort(reason))
    this.#lines.clear()
  }

  async #flush (to: PeerKey, line: Line): Promise<void> {
    let failures = 0

    while (line.waiting.length > 0 && !this.#stopped.signal.aborted) {
      const old = line.channel

      try {
        await this.#sendNext(to, line)
        failures = 0
      } catch (err) {
        this.#init.log('could not speak to %s - %e', to, err)
        line.channel?.abort(err as Error)
        line.channel = undefined

        // a stream that was open may have been closed by the other side, which is no failure
        if (old == null && ++failures > RETRIES) {
          this.#giveUp(to, line, err as Error)
        } else if (old == null) {
          await delay(RETRY_DELAY * 2 ** (failures - 1), this.#stopped).catch(() => {})
        }
      }
    }

    line.opening = false
  }

  async #sendNext (to: PeerKey, line: Line): Promise<void> {
    const body = await encodeMessage(line.waiting[0], this.#init.seals)
    this.#leaveOld(to, line)
    line.channel ??= await this.#open(to, line)
    const isFull = !line.channel.sendBody(body)
    line.waiting.shift()

    // who asks and does not read the answers would have them pile up here
    if (isFull) {
      await line.channel.drained({ signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT)]) })
    }
  }

  /** Leaves a stream over a connection of which there is a newer one: the other side may have begun anew since. */
  #leaveOld (to: PeerKey, line: Line): void {
    const newest = directConnection(this.#init.connectionManager, to)

    if (newest != null && newest !== line.connection) {
      void line.channel?.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT) })
      line.channel = undefined
    }
  }

  #giveUp (to: PeerKey, line: Line, error: Error): void {
    line.waiting.length = 0

    if (error.name === 'UnsupportedProtocolError' && !this.#stopped.signal.aborted) {
      this.#init.onUnsupported(to)
    }
  }

  async #open (to: PeerKey, line: Line): Promise<Channel<Uint8Array>> {
    const { connectionManager, protocol, addresses } = this.#init
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT)])
    const { stream, connection } = await openStream(connectionManager, to, protocol, addresses(to), { signal, maxOutboundStreams: MAX_STREAMS })
    const channel: Channel<Uint8Array> = openChannel<never, Uint8Array>(stream, {
      maxMessageSize: MAX_MESSAGE_SIZE,
      parse: () => { throw new ProtocolError('Answers come over another stream') },
      onMessage: () => {},
      onClose: () => {
        if (line.channel === channel) {
          line.channel = undefined
        }

        // the other side has closed its own, which it has no use for, or all
        void channel.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT) })
      }
    })
    line.connection = connection

    return channel
  }

  /** Checks what one peer says in order; who says what nobody signed is broken off with. */
  #check (from: PeerKey, message: UncheckedMessage, stream: Stream): void {
    if (!this.#budgets.take(from, 1, performance.now())) {
      throw new ProtocolError('It says more than it can have to say')
    }

    // what is lost is said again
    this.#turns.take(from, async () => {
      const checked = await message()

      if (checked == null) {
        stream.abort(new ProtocolError('A signature is wrong'))
      } else if (!this.#stopped.signal.aborted) {
        this.#init.onMessage(from, checked)
      }
    }, err => { this.#init.log.error('could not take a message of %s - %e', from, err) })
  }

  #sweep (): void {
    for (const [peer, line] of this.#lines) {
      if (!line.opening && performance.now() - line.used > IDLE_TIME) {
        this.#lines.delete(peer)
        void line.channel?.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT) })
      }
    }
  }
}
