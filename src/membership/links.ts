/**
 * Streams between members: one for each that is linked, and others that are
 * opened for a few messages and closed when nothing has been said for a while.
 *
 * @module
 */

import { PeerBudgets } from '../budget.ts'
import { directConnection, openDirect } from '../direct.ts'
import { NotFoundError, ProtocolError } from '../errors.ts'
import { openChannel } from '../wire/channel.ts'
import { encodeMessage, parseMessage } from './codec.ts'
import { MAX_MESSAGE_SIZE } from './constants.ts'
import type { WireMessage } from './codec.ts'
import type { Message } from './core/messages.ts'
import type { Channel } from '../wire/channel.ts'
import type { PeerKey } from '../core.ts'
import type { Connection, Logger, Stream } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long to wait for a connection and a stream, in ms. */
const DIAL_TIMEOUT = 5_000

/** A stream without a link is closed after so long without a message, in ms. */
const IDLE_TIME = 15_000

/** How long a connection takes to close after its streams, in ms. */
const SETTLE_TIME = 20

/** Messages that may wait for a stream. */
const MAX_WAITING = 32

/** Bytes that may wait for a peer to read. */
const MAX_UNSENT = 1024 * 1024

/** Messages a peer may send at once, and how many more each second; an honest one sends a few. */
const BURST = 1_000
const PER_SECOND = 200

/** Streams of the protocol per connection, each way. */
export const MAX_STREAMS = 8

/** Who is told what happens. */
export interface LinksListener {
  onMessage (peer: PeerKey, message: Exclude<WireMessage, { type: 'bye' }>): void

  /** Both sides keep a stream from now on. */
  onLinked (peer: PeerKey, dialled: boolean): void

  /** The link was ended in good order. */
  onUnlinked (peer: PeerKey): void

  /** The link broke. */
  onGone (peer: PeerKey): void

  /** It could not be reached, with its addresses, so many times in a row. */
  onUnreachable (peer: PeerKey, error: Error, failures: number): void
}

/** How links are made. */
export interface LinksInit extends LinksListener {
  protocol: string
  connectionManager: ConnectionManager
  log: Logger

  /** Where a member can be dialled, if that is known. */
  addresses (peer: PeerKey): Multiaddr[]
}

interface Peer {
  readonly channels: Set<Channel<Message>>
  linked: boolean

  /** `true` if it is to be linked as soon as there is a stream. */
  wanted: boolean
  waiting: Message[]
  dialling: boolean

  /** When something was said last, in ms. */
  heard: number
}

/** Peers whose failures are counted; the oldest are forgotten. */
const MAX_FAILED = 1_000

/** The streams of this member. */
export class Links {
  readonly #init: LinksInit
  readonly #peers = new Map<PeerKey, Peer>()

  /** How many times in a row a peer could not be reached. */
  readonly #failures = new Map<PeerKey, number>()
  readonly #budgets = new PeerBudgets(BURST, PER_SECOND)
  readonly #stopped = new AbortController()
  readonly #timer: ReturnType<typeof setInterval>

  constructor (init: LinksInit) {
    this.#init = init
    this.#timer = setInterval(() => { this.#sweep() }, IDLE_TIME / 3)
  }

  /** Takes a stream that somebody opened. */
  accept (stream: Stream, connection: Connection): void {
    this.#watch(String(connection.remotePeer), stream)
  }

  /** Opens a link; it is said when it is there, or cannot be made. */
  link (key: PeerKey): void {
    const peer = this.#peer(key)

    if (peer.channels.size > 0) {
      this.#markLinked(key, peer, true)
    } else {
      peer.wanted = true
      this.#dial(key, peer)
    }
  }

  /** Ends a link in good order. */
  unlink (key: PeerKey): void {
    const peer = this.#peers.get(key)

    if (peer?.linked === true) {
      peer.linked = false
      this.#end(peer)
    }
  }

  /** Sends a message, over a stream that is opened for it if there is none. */
  send (key: PeerKey, message: Message): void {
    const peer = this.#peer(key)
    // the last one: those of before may lead to where the other was before it began anew
    const channel = [...peer.channels].at(-1)

    if (channel != null) {
      this.#sendOver(channel, message)
    } else if (peer.waiting.length < MAX_WAITING) {
      peer.waiting.push(message)
      this.#dial(key, peer)
    }
  }

  /** Breaks off with a peer that sent what nobody honest sends. */
  breakOff (key: PeerKey, reason: Error): void {
    this.#peers.get(key)?.channels.forEach(channel => { channel.abort(reason) })
  }

  /** Ends all streams, and resolves when what was sent is on its way. */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    const channels = [...this.#peers.values()].flatMap(peer => [...peer.channels])
    const signal = AbortSignal.timeout(500)
    channels.forEach(channel => { this.#sendOver(channel, { type: 'bye' }) })
    this.#peers.clear()
    await Promise.all(channels.map(async channel => channel.close({ signal })))
    this.#stopped.abort(new ProtocolError('Membership has stopped'))
  }

  #peer (key: PeerKey): Peer {
    let peer = this.#peers.get(key)

    if (peer == null) {
      peer = { channels: new Set(), linked: false, wanted: false, waiting: [], dialling: false, heard: performance.now() }
      this.#peers.set(key, peer)
    }

    return peer
  }

  #dial (key: PeerKey, peer: Peer): void {
    if (peer.dialling) {
      return
    }

    peer.dialling = true
    this.#open(key).then(
      channel => {
        peer.dialling = false

        // it may have closed again by now
        if (!peer.channels.has(channel)) {
          this.#fail(key, peer, new ProtocolError('The other side closed the stream'))

          return
        }

        peer.waiting.splice(0).forEach(message => { this.#sendOver(channel, message) })

        if (peer.wanted) {
          peer.wanted = false
          this.#markLinked(key, peer, true)
        }
      },
      (err: unknown) => {
        this.#init.log.trace('could not reach %s - %e', key, err)
        this.#fail(key, peer, err as Error)
      }
    )
  }

  #fail (key: PeerKey, peer: Peer, error: Error): void {
    peer.dialling = peer.wanted = false
    peer.waiting.length = 0
    this.#forgetUnused(key, peer)

    if (!this.#stopped.signal.aborted) {
      this.#init.onUnreachable(key, error, this.#countFailure(key))
    }
  }

  #countFailure (key: PeerKey): number {
    const failures = (this.#failures.get(key) ?? 0) + 1
    const [oldest] = this.#failures.keys()
    this.#failures.delete(key)
    this.#failures.set(key, failures)

    if (this.#failures.size > MAX_FAILED) {
      this.#failures.delete(oldest)
    }

    return failures
  }

  async #open (key: PeerKey): Promise<Channel<Message>> {
    const { connectionManager } = this.#init
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT)])
    const open = directConnection(connectionManager, key)

    if (open != null) {
      try {
        return await this.#openOver(key, open, signal)
      } catch (err) {
        // it may be about to be closed, by a peer that took us for dead and can be dialled
        this.#init.log.trace('a connection with %s is of no use any more - %e', key, err)
      }
    }

    const addresses = this.#init.addresses(key)

    if (addresses.length === 0) {
      throw new NotFoundError('It has not said yet where it can be dialled')
    }

    return this.#openOver(key, await openDirect(connectionManager, key, addresses, { signal }), signal)
  }

  async #openOver (key: PeerKey, connection: Connection, signal: AbortSignal): Promise<Channel<Message>> {
    return this.#watch(key, await connection.newStream(this.#init.protocol, { signal, maxOutboundStreams: MAX_STREAMS }))
  }

  #watch (key: PeerKey, stream: Stream): Channel<Message> {
    const peer = this.#peer(key)
    stream.maxWriteBufferLength = MAX_UNSENT
    const channel: Channel<Message> = openChannel<WireMessage, Message>(stream, {
      maxMessageSize: MAX_MESSAGE_SIZE,
      parse: parseMessage,
      onMessage: message => { this.#onMessage(key, peer, channel, message) },
      onClose: () => { this.#onClose(key, peer, channel) }
    })
    peer.channels.add(channel)
    this.#failures.delete(key)

    return channel
  }

  /** @throws {ProtocolError} the peer says more than anybody has to say */
  #onMessage (key: PeerKey, peer: Peer, channel: Channel<Message>, message: WireMessage): void {
    peer.heard = performance.now()

    if (!this.#budgets.take(key, 1, peer.heard)) {
      throw new ProtocolError('It says more than it can have to say')
    }

    // what was under way when we ended the stream
    if (!peer.channels.has(channel)) {
      return
    }

    if (message.type === 'bye') {
      this.#leave(key, peer, channel)

      return
    }

    if (message.type === 'hello') {
      this.#markLinked(key, peer, false)
    }

    this.#init.onMessage(key, message)
  }

  #markLinked (key: PeerKey, peer: Peer, dialled: boolean): void {
    if (!peer.linked) {
      peer.linked = true
      this.#init.onLinked(key, dialled)
    }
  }

  /** The other side ends a stream in good order. */
  #leave (key: PeerKey, peer: Peer, channel: Channel<Message>): void {
    peer.channels.delete(channel)
    void channel.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT) })

    if (peer.linked && peer.channels.size === 0) {
      peer.linked = false
      this.#init.onUnlinked(key)
    }

    this.#forgetUnused(key, peer)
  }

  /** A stream is over that was not ended in good order. */
  #onClose (key: PeerKey, peer: Peer, channel: Channel<Message>): void {
    if (!peer.channels.delete(channel)) {
      return
    }

    channel.abort(new ProtocolError('The other side closed the stream'))

    if (peer.linked && peer.channels.size === 0) {
      peer.linked = false
      // all streams of a connection close before the connection is known to be closed
      setTimeout(() => { this.#tellGone(key) }, SETTLE_TIME)
    }

    this.#forgetUnused(key, peer)
  }

  #tellGone (key: PeerKey): void {
    if (!this.#stopped.signal.aborted && this.#peers.get(key)?.linked !== true) {
      this.#init.onGone(key)
    }
  }

  #sendOver (channel: Channel<Message>, message: Message | { type: 'bye' }): void {
    try {
      channel.sendBody(encodeMessage(message))
    } catch (err) {
      channel.abort(err as Error)
    }
  }

  #end (peer: Peer): void {
    for (const channel of peer.channels) {
      peer.channels.delete(channel)
      this.#sendOver(channel, { type: 'bye' })
      void channel.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT) })
    }
  }

  /** Closes streams nobody uses. */
  #sweep (): void {
    const now = performance.now()

    for (const [key, peer] of this.#peers) {
      if (!peer.linked && !peer.dialling && now - peer.heard > IDLE_TIME) {
        this.#end(peer)
        this.#peers.delete(key)
      }
    }
  }

  #forgetUnused (key: PeerKey, peer: Peer): void {
    if (peer.channels.size === 0 && !peer.dialling && !peer.linked && this.#peers.get(key) === peer) {
      this.#peers.delete(key)
    }
  }
}
