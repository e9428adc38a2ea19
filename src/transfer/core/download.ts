/**
 * The rules of a download: what to ask of whom, and whom to believe.
 *
 * A peer with room in its window gets, in this order: what a reader waits
 * for, the piece it began, a piece whose owner left, a new one (the rarest),
 * any piece with blocks missing; and when every block is asked for, blocks
 * that it can bring much sooner than whoever owes them.
 *
 * In the background it asks each peer for one block at a time while others
 * download, and no more in all than it may have; see `allowance.ts`.
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
import { beginOf, blockId, pieceOf } from './pieces.ts'
import { Picker } from './picker.ts'
import type { DownloadInit, DownloadInput, DownloadOutput, Joining, Layout } from './download-io.ts'
import type { Bytes, Message, Range } from './messages.ts'
import type { BlockId } from './pieces.ts'
import type { Core, PeerKey } from '../../core.ts'

export type { Budget, DownloadInit, DownloadInput, DownloadOutput, Layout, Span } from './download-io.ts'

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
      allowance: init.allowance,
      picker: this.#picker,
      peers: this.#peers,
      take: (peer, id, now) => { this.#takeBack(peer, id, now) }
    })
  }

  /** `true` if no peer has a piece that is missing. */
  get starving (): boolean {
    return [...this.#peers.values()].every(peer => peer.useful <= 0)
  }

  /** `true` if it gives way to other downloads now. */
  yields (now: number): boolean {
    return this.#chooser.yields(now)
  }

  handle (input: DownloadInput, now: number): DownloadOutput[] {
    this.#out = []

    switch (input.type) {
      case 'peer': this.#join(input, now); break
      case 'gone': this.#leave(input.peer, now); break
      case 'message': this.#receive(input.from, input.message, now); break
      case 'verified': this.#verified(input.piece, input.ok, now); break
      case 'background': this.#chooser.background = input.background; this.#askAll(now); break
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

    // it stays among the requests, to be released with them when the peer is gone
    if (peer.requests.has(id) && bytes.byteLength !== this.#blockSize(id)) {
      this.#drop(peer, 'it sent a block of the wrong length')
      return
    }

    const asked = peer.requests.delete(id)

    if (!asked && !peer.answered(id, now)) {
      this.#drop(peer, 'it sent a block that was not asked for')
      return
    }

    peer.heard = now

    if (asked) {
      peer.flow.arrived(bytes.byteLength, now)
    }

    const open = this.#chooser.open.get(piece)

    if (open === undefined || open.isHere(begin) || (open.solo && open.owner !== peer.key)) {
      this.duplicateBytes += bytes.byteLength
      this.#chooser.answered(id, peer, true)
    } else {
      open.arrived(begin, peer.key)
      this.#chooser.answered(id, peer)
      this.#chooser.settle(id, now)
      this.#out.push({ type: 'block', piece, begin, bytes })

      if (open.complete) {
        this.#out.push({ type: 'complete', piece, from: [...open.contributors] })
      }
    }

    this.#ask(peer, now)

    if (this.#chooser.ending) {
      this.#askIdle(now)
    }
  }

  #reject (peer: DownloadPeer, range: Range, now: number): void {
    let refused = false

    for (let begin = range.begin; begin === range.begin || begin < range.begin + range.length; begin += BLOCK_SIZE) {
      const id = blockId(range.piece, begin)

      if (peer.requests.delete(id)) {
        refused = true
        peer.flow.withdrawn(this.#blockSize(id))
        this.#chooser.release(id, peer)
      } else if (peer.answered(id, now)) {
        this.#chooser.answered(id, peer)
      }
    }

    if (refused) {
      this.#abandon(peer, range.piece, now)

      if (!peer.choked && !this.have.has(range.piece)) {
        peer.rejected(range.piece, now)
      }
    }

    this.#askAll(now)
  }

  /** Whoever rejects part of a piece that must come from one peer alone leaves it to another. */
  #abandon (peer: DownloadPeer, piece: number, now: number): void {
    const open = this.#chooser.open.get(piece)

    if (open?.solo === true && open.owner === peer.key && !open.complete) {
      for (const id of [...peer.requests.keys()].filter(id => pieceOf(id) === piece)) {
        this.#takeBack(peer, id, now)
        this.#chooser.release(id, peer)
      }

      if (this.#chooser.abandon(open)) {
        this.#out.push({ type: 'discard', piece })
      }
    }
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

      if (peer.owes && now - peer.heard > STALL_TIMEOUT) {
        this.#drop(peer, 'it sent nothing of what it was asked for')
      } else if (late !== undefined && now > late) {
        this.#late(peer, now)
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
        this.#takeBack(peer, id, now)
        this.#chooser.release(id, peer)
      } else {
        peer.requests.set(id, now + STALL_TIMEOUT)
      }
    }
  }

  #takeBack (peer: DownloadPeer, id: BlockId, now: number): void {
    const length = this.#blockSize(id)
    peer.requests.delete(id)
    peer.cancelled.set(id, now)
    peer.flow.withdrawn(length)
    this.#out.push({ type: 'send', to: peer.key, message: { type: 'cancel', piece: pieceOf(id), begin: beginOf(id), length } })
  }

  #releaseAll (peer: DownloadPeer): void {
    for (const id of peer.cancelled.keys()) {
      this.#chooser.answered(id, peer)
    }

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
    return Math.min(BLOCK_SIZE, this.#layout.pieceSize(pieceOf(id)) - beginOf(id))
  }

  #tellInterest (peer: DownloadPeer): void {
    if (peer.interested !== (peer.useful > 0)) {
      peer.interested = !peer.interested
      this.#out.push({ type: 'send', to: peer.key, message: { type: peer.interested ? 'interested' : 'not-interested' } })
    }
  }

  #askAll (now: number): void {
    for (const peer of this.#peers.values()) {
      this.#ask(peer, now)
    }
  }

  /** At the end, whoever has nothing left to do may help those who have. */
  #askIdle (now: number): void {
    for (const peer of this.#peers.values()) {
      if (peer.requests.size === 0) {
        this.#ask(peer, now)
      }
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
