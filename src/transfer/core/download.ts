/**
 * The rules of a download: what to ask of whom, and whom to believe.
 *
 * A peer with room in its window gets, in this order: what a reader waits
 * for, the piece it began, a piece whose owner left, a new one (the rarest),
 * any piece with blocks missing; and when every block is asked for, blocks
 * that it can bring much sooner than whoever owes them.
 *
 * A piece is hashed when all its blocks are here. If it is wrong and one peer
 * sent all of it, that peer lied. Otherwise all who took part get whole
 * pieces only, until one comes out right, so that the liar shows itself.
 *
 * @module
 */

import { BLOCK_SIZE, STALL_TIMEOUT, TICK_INTERVAL } from '../constants.ts'
import { Bitfield } from './bitfield.ts'
import { Chooser } from './chooser.ts'
import { DownloadPeer } from './peer.ts'
import { blockId, pieceOf } from './pieces.ts'
import { Picker } from './picker.ts'
import type { Bytes, Message, Range } from './messages.ts'
import type { BlockId } from './pieces.ts'
import type { Core, CoreInput, PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

/** The sizes of a content, which is all the rules need to know of it. */
export interface Layout {
  readonly size: number
  readonly pieceCount: number
  pieceSize (piece: number): number
}

/** Memory that several downloads share. */
export interface Budget {
  /** Takes `bytes` if they are to be had. */
  take (bytes: number): boolean

  /** Gives them back. */
  give (bytes: number): void
}

/** Pieces from `from` up to, but not including, `to`. */
export interface Span {
  from: number
  to: number
}

export type DownloadInput =
  | CoreInput<Message>
  /**
   * A peer is ready, or a better word on what it has is here. `maxWindow` is
   * in bytes. With `unchoked` it is asked at once, which saves a round trip if
   * it does serve us.
   */
  | { type: 'peer', peer: PeerKey, have: Bitfield, maxWindow: number, unchoked?: boolean }
  /** A piece that was `complete` has been hashed and, if it was right, stored. */
  | { type: 'verified', piece: number, ok: boolean }
  /** What readers wait for, most urgent first; replaces what they waited for before. */
  | { type: 'want', spans: Span[] }

type Joining = Extract<DownloadInput, { type: 'peer' }>

export type DownloadOutput =
  | { type: 'send', to: PeerKey, message: Message }
  | { type: 'timer', id: string, after: number }
  /** Keep these bytes of a piece. */
  | { type: 'block', piece: number, begin: number, bytes: Bytes }
  /** Hash the piece, store it if it is right, and say how it went. */
  | { type: 'complete', piece: number }
  /** Forget the bytes of a piece. */
  | { type: 'discard', piece: number }
  /** Break off with a peer, which broke the rules or does nothing. */
  | { type: 'drop', peer: PeerKey, reason: string }
  /** A peer was proved to send wrong bytes. */
  | { type: 'ban', peer: PeerKey, piece: number }
  /** Every piece is stored. */
  | { type: 'done' }

export interface DownloadInit {
  layout: Layout
  random: Random
  budget: Budget

  /** Pieces that are stored already. */
  have?: Bitfield
}

/** One content being fetched. */
export class DownloadCore implements Core<DownloadInput, DownloadOutput> {
  /** Pieces that are verified and stored. */
  readonly have: Bitfield

  /** Bytes that came although they were here already. */
  duplicateBytes = 0

  readonly #layout: Layout
  readonly #peers = new Map<PeerKey, DownloadPeer>()
  readonly #chooser: Chooser
  readonly #picker: Picker
  #out: DownloadOutput[] = []

  constructor (init: DownloadInit) {
    this.#layout = init.layout
    this.have = init.have ?? new Bitfield(init.layout.pieceCount)
    this.#picker = new Picker(init.layout.pieceCount, init.random, this.have)
    this.#chooser = new Chooser({
      layout: init.layout,
      budget: init.budget,
      picker: this.#picker,
      peers: this.#peers,
      take: (peer, id) => { this.#takeBack(peer, id) }
    })
  }

  /** `true` if no peer has a piece that is missing. */
  get starving (): boolean {
    for (const peer of this.#peers.values()) {
      if (peer.useful > 0) {
        return false
      }
    }

    return true
  }

  handle (input: DownloadInput, now: number): DownloadOutput[] {
    this.#out = []

    switch (input.type) {
      case 'peer': this.#join(input, now); break
      case 'gone': this.#leave(input.peer, now); break
      case 'message': this.#receive(input.from, input.message, now); break
      case 'verified': this.#verified(input.piece, input.ok, now); break
      case 'want': this.#chooser.want(input.spans); this.#askAll(now); break
      case 'timer': this.#tick(now); break
    }

    return this.#out
  }

  #join ({ peer: key, have, maxWindow, unchoked }: Joining, now: number): void {
    let peer = this.#peers.get(key)

    if (peer === undefined) {
      peer = new DownloadPeer(key, have, maxWindow)
      peer.choked = unchoked !== true
      this.#peers.set(key, peer)
    } else {
      this.#picker.count(peer.have, -1)
      peer.have = have
    }

    this.#picker.count(have, 1)
    peer.useful = 0

    for (let piece = 0; piece < have.size; piece++) {
      if (have.has(piece) && !this.have.has(piece)) {
        peer.useful++
      }
    }

    this.#tellInterest(peer)
    this.#ask(peer, now)
    this.#armTimer()
  }

  #leave (key: PeerKey, now: number): void {
    const peer = this.#peers.get(key)

    if (peer !== undefined) {
      this.#peers.delete(key)
      this.#picker.count(peer.have, -1)
      this.#releaseAll(peer)
      this.#askAll(now)
    }
  }

  #receive (from: PeerKey, message: Message, now: number): void {
    const peer = this.#peers.get(from)

    if (peer === undefined) {
      return
    }

    switch (message.type) {
      case 'have': this.#gained(peer, message.piece, now); break
      case 'choke': peer.choked = true; break
      case 'unchoke': peer.choked = false; this.#ask(peer, now); break
      case 'block': this.#block(peer, message.piece, message.begin, message.bytes, now); break
      case 'reject': this.#reject(peer, message, now); break
    }
  }

  #gained (peer: DownloadPeer, piece: number, now: number): void {
    if (piece >= this.#layout.pieceCount) {
      this.#drop(peer, 'it says it has a piece that does not exist')
    } else if (peer.have.add(piece)) {
      this.#picker.add(piece, peer.have)

      if (!this.have.has(piece)) {
        peer.useful++
        this.#tellInterest(peer)
        this.#ask(peer, now)
      }
    }
  }

  #block (peer: DownloadPeer, piece: number, begin: number, bytes: Bytes, now: number): void {
    const id = blockId(piece, begin)
    const asked = peer.requests.delete(id)

    if (!asked && !peer.cancelled.delete(id)) {
      this.#drop(peer, 'it sent a block that was not asked for')
      return
    }

    if (bytes.byteLength !== this.#blockSize(id)) {
      this.#drop(peer, 'it sent a block of the wrong length')
      return
    }

    peer.heard = now

    if (asked) {
      peer.flow.arrived(bytes.byteLength, now)
    }

    const open = this.#chooser.open.get(piece)

    if (open === undefined || open.isHere(begin) || (open.solo && open.owner !== peer.key)) {
      this.duplicateBytes += bytes.byteLength
    } else {
      open.arrived(begin, peer.key)
      this.#chooser.settle(id)
      this.#out.push({ type: 'block', piece, begin, bytes })

      if (open.complete) {
        this.#out.push({ type: 'complete', piece })
      }
    }

    this.#ask(peer, now)
  }

  #reject (peer: DownloadPeer, range: Range, now: number): void {
    for (let begin = range.begin; begin === range.begin || begin < range.begin + range.length; begin += BLOCK_SIZE) {
      const id = blockId(range.piece, begin)

      if (peer.requests.delete(id)) {
        peer.flow.withdrawn(this.#blockSize(id))
        this.#chooser.release(id, peer)
      } else {
        peer.cancelled.delete(id)
      }
    }

    if (!peer.choked && !this.have.has(range.piece)) {
      peer.rejected(range.piece, now)
    }

    this.#askAll(now)
  }

  #verified (piece: number, ok: boolean, now: number): void {
    const open = this.#chooser.open.get(piece)

    if (open === undefined) {
      return
    }

    if (ok) {
      this.#chooser.finish(open)
      this.#stored(piece, open.contributors)
    } else {
      this.#wrong(piece, open.contributors)
      open.solo = true
      open.reset()
    }

    this.#askAll(now)
  }

  #stored (piece: number, contributors: Set<PeerKey>): void {
    this.have.add(piece)

    for (const peer of this.#peers.values()) {
      peer.forget(piece)
      this.#out.push({ type: 'send', to: peer.key, message: { type: 'have', piece } })

      if (peer.have.has(piece)) {
        peer.useful--
        this.#tellInterest(peer)
      }

      if (contributors.size === 1 && contributors.has(peer.key)) {
        peer.suspect = false
      }
    }

    if (this.have.full) {
      this.#out.push({ type: 'done' })
    }
  }

  #wrong (piece: number, contributors: Set<PeerKey>): void {
    this.#out.push({ type: 'discard', piece })

    for (const key of contributors) {
      if (contributors.size === 1) {
        this.#out.push({ type: 'ban', peer: key, piece })
      }

      const peer = this.#peers.get(key)

      if (peer !== undefined) {
        peer.suspect = true
      }
    }
  }

  #tick (now: number): void {
    for (const peer of this.#peers.values()) {
      const [late] = peer.requests.values()

      if (late !== undefined && now > late) {
        if (now - peer.heard > STALL_TIMEOUT) {
          this.#drop(peer, 'it sent nothing of what it was asked for')
        } else {
          this.#late(peer, now)
        }
      }
    }

    this.#askAll(now)

    if (!this.have.full) {
      this.#armTimer()
    }
  }

  /** What somebody else has is taken back; the rest may take longer. */
  #late (peer: DownloadPeer, now: number): void {
    peer.flow.late()

    for (const id of [...peer.requests.keys()]) {
      if (this.#chooser.elsewhere(id, peer, now)) {
        this.#takeBack(peer, id)
        this.#chooser.release(id, peer)
      } else {
        peer.requests.set(id, now + STALL_TIMEOUT)
      }
    }
  }

  #takeBack (peer: DownloadPeer, id: BlockId): void {
    const length = this.#blockSize(id)
    peer.requests.delete(id)
    peer.cancelled.add(id)
    peer.flow.withdrawn(length)
    const begin = (id - blockId(pieceOf(id), 0)) * BLOCK_SIZE
    this.#out.push({ type: 'send', to: peer.key, message: { type: 'cancel', piece: pieceOf(id), begin, length } })
  }

  #releaseAll (peer: DownloadPeer): void {
    for (const id of [...peer.requests.keys()]) {
      peer.requests.delete(id)
      this.#chooser.release(id, peer)
    }

    for (const discarded of this.#chooser.disown(peer)) {
      this.#out.push({ type: 'discard', piece: discarded })
    }
  }

  #drop (peer: DownloadPeer, reason: string): void {
    this.#out.push({ type: 'drop', peer: peer.key, reason })
  }

  #blockSize (id: BlockId): number {
    const piece = pieceOf(id)
    const begin = (id - blockId(piece, 0)) * BLOCK_SIZE

    return Math.min(BLOCK_SIZE, this.#layout.pieceSize(piece) - begin)
  }

  #tellInterest (peer: DownloadPeer): void {
    if (peer.interested !== peer.useful > 0) {
      peer.interested = !peer.interested
      this.#out.push({ type: 'send', to: peer.key, message: { type: peer.interested ? 'interested' : 'not-interested' } })
    }
  }

  #askAll (now: number): void {
    for (const peer of this.#peers.values()) {
      this.#ask(peer, now)
    }
  }

  #ask (peer: DownloadPeer, now: number): void {
    while (peer.ready) {
      const range = this.#chooser.next(peer, now)

      if (range === undefined) {
        return
      }

      peer.asked(range, now)
      this.#out.push({ type: 'send', to: peer.key, message: { type: 'request', ...range } })
    }
  }

  #armTimer (): void {
    this.#out.push({ type: 'timer', id: 'tick', after: TICK_INTERVAL })
  }
}
