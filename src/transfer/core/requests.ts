/**
 * What is asked of the peers of a download, and how each request ends: with
 * its block, a reject, too late, or with the peer itself.
 *
 * @module
 */

import { BLOCK_SIZE, STALL_TIMEOUT } from '../constants.ts'
import { Chooser } from './chooser.ts'
import { beginOf, blockId, pieceOf } from './pieces.ts'
import type { ChooserInit } from './chooser.ts'
import type { DownloadOutput } from './download-io.ts'
import type { Range } from './messages.ts'
import type { DownloadPeer } from './peer.ts'
import type { BlockId } from './pieces.ts'

/** What {@link Requests} work with. */
export interface RequestsInit extends Omit<ChooserInit, 'take'> {
  /** Has something done. */
  output (output: DownloadOutput): void
}

/** The requests of one download. */
export class Requests {
  /** What to ask for, and the pieces that were begun. */
  readonly chooser: Chooser

  readonly #init: RequestsInit

  constructor (init: RequestsInit) {
    this.#init = init
    this.chooser = new Chooser({ ...init, take: (peer, id, now) => { this.#takeBack(peer, id, now) } })
  }

  /** Asks everybody who has room for more. */
  askAll (now: number): void {
    for (const peer of this.#init.peers.values()) {
      this.ask(peer, now)
    }
  }

  /** At the end, whoever has nothing left to do may help those who have. */
  askIdle (now: number): void {
    for (const peer of this.#init.peers.values()) {
      if (peer.requests.size === 0) {
        this.ask(peer, now)
      }
    }
  }

  /** Asks a peer for as much as it has room for. */
  ask (peer: DownloadPeer, now: number): void {
    while (peer.ready) {
      const range = this.chooser.next(peer, now)

      if (range === undefined) {
        return
      }

      peer.asked(range, now)
      this.#init.output({ type: 'send', to: peer.key, message: { type: 'request', ...range } })
    }
  }

  /** A peer will not send a range; `true` if it had been asked for it. */
  rejected (peer: DownloadPeer, range: Range, now: number): boolean {
    let refused = false

    for (let begin = range.begin; begin === range.begin || begin < range.begin + range.length; begin += BLOCK_SIZE) {
      const id = blockId(range.piece, begin)

      if (peer.requests.delete(id)) {
        refused = true
        peer.flow.withdrawn(this.blockSize(id))
        this.chooser.release(id, peer)
      } else if (peer.answered(id, now)) {
        this.chooser.answered(id, peer)
      }
    }

    if (refused) {
      this.#abandon(peer, range.piece, now)
    }

    return refused
  }

  /** A peer has taken too long: what somebody else has is taken back; the rest may take longer. */
  late (peer: DownloadPeer, now: number): void {
    peer.flow.late()

    for (const id of [...peer.requests.keys()]) {
      if (this.chooser.elsewhere(id, peer, now)) {
        this.#takeBack(peer, id, now)
        this.chooser.release(id, peer)
      } else {
        peer.requests.set(id, now + STALL_TIMEOUT)
      }
    }
  }

  /** A peer has left, and answers nothing any more. */
  releaseAll (peer: DownloadPeer): void {
    for (const id of peer.cancelled.keys()) {
      this.chooser.answered(id, peer)
    }

    for (const id of [...peer.requests.keys()]) {
      peer.requests.delete(id)
      this.chooser.release(id, peer)
    }

    for (const piece of this.chooser.disown(peer)) {
      this.#init.output({ type: 'discard', piece })
    }
  }

  /** Bytes in a block. */
  blockSize (id: BlockId): number {
    return Math.min(BLOCK_SIZE, this.#init.layout.pieceSize(pieceOf(id)) - beginOf(id))
  }

  /** Whoever rejects part of a piece that must come from one peer alone leaves it to another. */
  #abandon (peer: DownloadPeer, piece: number, now: number): void {
    const open = this.chooser.open.get(piece)

    if (open?.solo === true && open.owner === peer.key && !open.complete) {
      for (const id of [...peer.requests.keys()].filter(id => pieceOf(id) === piece)) {
        this.#takeBack(peer, id, now)
        this.chooser.release(id, peer)
      }

      if (this.chooser.abandon(open)) {
        this.#init.output({ type: 'discard', piece })
      }
    }
  }

  #takeBack (peer: DownloadPeer, id: BlockId, now: number): void {
    const length = this.blockSize(id)
    peer.requests.delete(id)
    peer.cancelled.set(id, now)
    peer.flow.withdrawn(length)
    this.#init.output({ type: 'send', to: peer.key, message: { type: 'cancel', piece: pieceOf(id), begin: beginOf(id), length } })
  }
}
