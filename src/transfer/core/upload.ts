/**
 * The rules of serving: who is served, and what goes out next.
 *
 * There are slots for so many peers; who gets them is in `choker.ts`.
 *
 * When several fetch the same content from us, and we have all of it, a piece
 * goes out once before any goes out twice: a request for a piece that another
 * is getting, or has got, from us is rejected a few times, so that the peer
 * fetches it from there.
 * That is what super-seeding (BEP 16) is for, without lying about what we have.
 *
 * Background sessions have slots of their own, and give way: while others are
 * served, they have a tenth of what goes out (see `allowance.ts`), and each a
 * block now and then in any case, so that it is not taken for dead.
 *
 * @module
 */

import { BACKGROUND_PATIENCE, BACKGROUND_TICK, BLOCK_SIZE, FOREGROUND_STALL, MAX_QUEUED, MAX_REQUESTS, RECHOKE_INTERVAL } from '../constants.ts'
import { Allowance } from './allowance.ts'
import { Choker } from './choker.ts'
import { UploadPeer } from './upload-peer.ts'
import type { Message, Range } from './messages.ts'
import type { SessionKey, UploadInit, UploadInput, UploadOutput } from './upload-io.ts'
import type { Core } from '../../core.ts'

export type { SessionKey, UploadInit, UploadInput, UploadOutput } from './upload-io.ts'

/** The timers of background sessions, and of those who wait for a slot. */
const BACKGROUND = 'background'
const RECHOKE = 'rechoke'

/** Most bytes that are read at once. */
const MAX_READ = 1024 * 1024

/** Bytes of one peer that are being read and sent at once: one read while another is sent. */
const MAX_SERVING = 2 * MAX_READ

/** Everything one node serves. */
export class UploadCore implements Core<UploadInput, UploadOutput> {
  readonly #peers = new Map<SessionKey, UploadPeer>()
  readonly #choker: Choker
  readonly #allowance = new Allowance()
  #rechokeArmed = false
  #backgroundArmed = false
  #out: UploadOutput[] = []

  constructor (init: UploadInit) {
    this.#choker = new Choker({
      ...init,
      sessions: () => this.#peers.values(),
      choke: (peer, now) => { this.#choke(peer, now) },
      unchoke: (peer, now) => { this.#unchoke(peer, now) }
    })
  }

  handle (input: UploadInput, now: number): UploadOutput[] {
    this.#out = []

    if (input.type === 'timer' && input.id === BACKGROUND) {
      this.#backgroundArmed = false
      this.#serveBackground(now)
    } else if (input.type === 'timer') {
      this.#rechokeArmed = false
      this.#choker.rechoke(now)
      this.#fillSlots(now)
    } else if (input.type === 'peer') {
      this.#peers.set(input.session, new UploadPeer(input))
    } else {
      const peer = this.#peers.get(input.session)

      if (peer !== undefined) {
        this.#handle(peer, input, now)
      }
    }

    return this.#out
  }

  #handle (peer: UploadPeer, input: Exclude<UploadInput, { type: 'timer' | 'peer' }>, now: number): void {
    switch (input.type) {
      case 'gone': this.#leave(peer, now); break
      case 'message': this.#receive(peer, input.message, now); break
      case 'served': this.#served(peer, input.range, now); break
      case 'received': peer.received += input.bytes; break
    }
  }

  #leave (peer: UploadPeer, now: number): void {
    this.#peers.delete(peer.session)

    if (!peer.choked) {
      this.#fillSlots(now)
    }
  }

  #receive (peer: UploadPeer, message: Message, now: number): void {
    switch (message.type) {
      case 'interested':
        if (!peer.interested) {
          peer.interested = true
          peer.waiting = now
          this.#fillSlots(now)
        }
        break
      case 'not-interested':
        peer.interested = false
        this.#choke(peer, now)
        this.#fillSlots(now)
        break
      case 'have': peer.announce(message.piece); break
      case 'request': this.#request(peer, message, now); break
      case 'cancel':
        this.#cancel(peer, message)
        break
    }
  }

  #cancel (peer: UploadPeer, { piece, begin, length }: Range): void {
    const range = { piece, begin, length }

    for (const cancelled of peer.cancel(range)) {
      this.#reject(peer, cancelled)
    }

    if (peer.isServing(range)) {
      this.#out.push({ type: 'skip', session: peer.session, range })
    }
  }

  #request (peer: UploadPeer, { piece, begin, length }: Range, now: number): void {
    const range = { piece, begin, length }

    if (peer.queued + length > MAX_QUEUED || peer.queue.length + peer.underway.length >= MAX_REQUESTS) {
      this.#out.push({ type: 'drop', session: peer.session, reason: 'it asked for more than it may at once' })
    } else if (peer.choked || this.#betterElsewhere(peer, piece, now)) {
      this.#reject(peer, range)
    } else {
      // from now on, or whoever asks while it waits would get it as well
      peer.given.set(piece, now)
      peer.queue.push(range)
      peer.queued += length
      this.#serve(peer, now)
    }
  }

  /** `true` if the peer should fetch this piece from somebody who has it, or is getting it, from us. */
  #betterElsewhere (peer: UploadPeer, piece: number, now: number): boolean {
    if (!peer.complete || peer.given.has(piece)) {
      return false
    }

    for (const other of this.#peers.values()) {
      // one that has to wait spreads nothing soon
      if (other !== peer && other.content === peer.content && (peer.background || !other.background) && other.isSpreading(piece, now)) {
        return peer.refuse(piece)
      }
    }

    return false
  }

  #serve (peer: UploadPeer, now: number): void {
    while (!peer.choked && peer.serving <= MAX_SERVING - MAX_READ) {
      const most = peer.background ? this.#mostInBackground(peer, now) : MAX_READ
      const range = most === 0 ? undefined : peer.next(most)

      if (range === undefined) {
        return
      }

      this.#count(peer, range.length, now)
      peer.serving += Math.max(1, range.length)
      peer.underway.push(range)
      peer.given.set(range.piece, now)
      this.#out.push({ type: 'serve', session: peer.session, range })
    }
  }

  #served (peer: UploadPeer, range: Range, now: number): void {
    peer.serving -= Math.max(1, range.length)
    peer.underway = peer.underway.filter(({ piece, begin }) => piece !== range.piece || begin !== range.begin)
    peer.queued -= range.length
    peer.given.set(range.piece, now)
    this.#serve(peer, now)

    if (!peer.background) {
      peer.served = now
      this.#allowance.foreground(range.length, now)
      this.#serveBackground(now)
    }
  }

  /** Bytes that a background session may have at once: 0 while it has to wait. */
  #mostInBackground (peer: UploadPeer, now: number): number {
    if (!this.#allowance.yields(now) && !this.#isSending(now)) {
      return MAX_READ
    }

    if (peer.queue.length > 0 && !this.#backgroundArmed) {
      this.#backgroundArmed = true
      this.#out.push({ type: 'timer', id: BACKGROUND, after: BACKGROUND_TICK })
    }

    return this.#allowance.allows(now) || now - peer.served >= BACKGROUND_PATIENCE ? BLOCK_SIZE : 0
  }

  /** `true` if something is on its way in the foreground, which may take a while; it counts as if it had gone by just now. */
  #isSending (now: number): boolean {
    const sending = [...this.#peers.values()].some(peer => !peer.background && peer.serving > 0 && now - peer.served < FOREGROUND_STALL)

    if (sending) {
      this.#allowance.foreground(0, now)
    }

    return sending
  }

  /** Bytes are about to be sent. */
  #count (peer: UploadPeer, bytes: number, now: number): void {
    peer.served = now

    if (peer.background) {
      this.#allowance.spend(bytes, now)
    } else {
      // from now on, though it is earned when they are sent
      this.#allowance.foreground(0, now)
    }
  }

  #serveBackground (now: number): void {
    for (const peer of this.#peers.values()) {
      if (peer.background) {
        this.#serve(peer, now)
      }
    }
  }

  #reject (peer: UploadPeer, range: Range): void {
    this.#out.push({ type: 'send', to: peer.session, message: { type: 'reject', ...range } })
  }

  #unchoke (peer: UploadPeer, now: number): void {
    peer.choked = false
    peer.waiting = now
    // to the end, so that it comes last among those who will have waited as long
    this.#peers.delete(peer.session)
    this.#peers.set(peer.session, peer)
    this.#out.push({ type: 'send', to: peer.session, message: { type: 'unchoke' } })
  }

  #choke (peer: UploadPeer, now: number): void {
    if (!peer.choked) {
      peer.choked = true
      peer.waiting = now
      this.#out.push({ type: 'send', to: peer.session, message: { type: 'choke' } })

      for (const range of peer.clear()) {
        this.#reject(peer, range)
      }
    }
  }

  #fillSlots (now: number): void {
    if (this.#choker.fill(now) && !this.#rechokeArmed) {
      this.#rechokeArmed = true
      this.#out.push({ type: 'timer', id: RECHOKE, after: RECHOKE_INTERVAL })
    }
  }
}

/** The blocks of a range, each a range. */
export function * blocksOf ({ piece, begin, length }: Range): Generator<Range> {
  for (let offset = 0; offset === 0 || offset < length; offset += BLOCK_SIZE) {
    yield { piece, begin: begin + offset, length: Math.min(BLOCK_SIZE, length - offset) }
  }
}
