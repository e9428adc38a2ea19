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

import { STALL_TIMEOUT, TICK_INTERVAL } from '../constants.ts'
import { Bitfield } from './bitfield.ts'
import { DownloadPeer } from './peer.ts'
import { blockId } from './pieces.ts'
import { Picker } from './picker.ts'
import { Requests } from './requests.ts'
import type { Chooser } from './chooser.ts'
import type { DownloadInit, DownloadInput, DownloadOutput, Joining, Layout } from './download-io.ts'
import type { Bytes, Message, Range } from './messages.ts'
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
  readonly #picker: Picker
  readonly #requests: Requests
  readonly #chooser: Chooser
  #out: DownloadOutput[] = []

  constructor (init: DownloadInit) {
    this.#layout = init.layout
    this.have = init.have ?? new Bitfield(init.layout.pieceCount)
    this.#picker = new Picker(init.layout.pieceCount, init.random, this.have)
    this.#requests = new Requests({
      layout: init.layout,
      budget: init.budget,
      allowance: init.allowance,
      picker: this.#picker,
      peers: this.#peers,
      output: output => { this.#out.push(output) }
    })
    this.#chooser = this.#requests.chooser
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
      case 'background': this.#chooser.background = input.background; this.#requests.askAll(now); break
      case 'want': this.#chooser.want(input.spans); this.#requests.askAll(now); break
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
    this.#requests.ask(peer, now)
    this.#armTimer()
  }

  #leave (key: PeerKey, now: number): void {
    const peer = this.#peers.get(key)

    if (peer !== undefined) {
      this.#peers.delete(key)
      this.#picker.count(peer.have, -1)
      this.#requests.releaseAll(peer)
      this.#requests.askAll(now)
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
      case 'unchoke': peer.choked = false; this.#requests.ask(peer, now); break
      case 'block': this.#block(peer, message.piece, message.begin, message.bytes, now); break
      case 'reject': this.#rejected(peer, message, now); break
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
        this.#requests.ask(peer, now)
      }
    }
  }

  #block (peer: DownloadPeer, piece: number, begin: number, bytes: Bytes, now: number): void {
    const id = blockId(piece, begin)

    // it stays among the requests, to be released with them when the peer is gone
    if (peer.requests.has(id) && bytes.byteLength !== this.#requests.blockSize(id)) {
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

    this.#requests.ask(peer, now)

    if (this.#chooser.ending) {
      this.#requests.askIdle(now)
    }
  }

  #rejected (peer: DownloadPeer, range: Range, now: number): void {
    if (this.#requests.rejected(peer, range, now) && !peer.choked && !this.have.has(range.piece)) {
      peer.rejected(range.piece, now)
    }

    this.#requests.askAll(now)
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

    this.#requests.askAll(now)
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
        this.#requests.late(peer, now)
      }
    }

    this.#requests.askAll(now)

    if (!this.have.full) {
      this.#armTimer()
    }
  }

  #drop (peer: DownloadPeer, reason: string): void {
    this.#out.push({ type: 'drop', peer: peer.key, reason })
  }

  #tellInterest (peer: DownloadPeer): void {
    if (peer.interested !== (peer.useful > 0)) {
      peer.interested = !peer.interested
      this.#out.push({ type: 'send', to: peer.key, message: { type: peer.interested ? 'interested' : 'not-interested' } })
    }
  }

  #armTimer (): void {
    this.#out.push({ type: 'timer', id: 'tick', after: TICK_INTERVAL })
  }
}
