/**
 * What to ask a peer for next, among the pieces that are open and those that
 * nobody has begun.
 *
 * @module
 */

import { BLOCK_SIZE } from '../constants.ts'
import { beginOf, OpenPiece, pieceOf } from './pieces.ts'
import { Takeover } from './takeover.ts'
import type { Allowance } from './allowance.ts'
import type { Budget, Layout, Span } from './download.ts'
import type { Range } from './messages.ts'
import type { DownloadPeer } from './peer.ts'
import type { Picker } from './picker.ts'
import type { BlockId } from './pieces.ts'
import type { PeerKey } from '../../core.ts'

/** Pieces that are fetched ahead of a reader, in order, before the rarest ones get their turn again. */
const READ_AHEAD = 4

/**
 * No piece is begun while so many wait to be hashed and stored: a crash would
 * lose them all, and more would not be faster.
 */
const MAX_UNVERIFIED = 4

export interface ChooserInit {
  layout: Layout
  budget: Budget
  picker: Picker
  peers: ReadonlyMap<PeerKey, DownloadPeer>

  /** What downloads in the background may have, all together. */
  allowance?: Allowance

  /** Takes a block back from a peer. */
  take (peer: DownloadPeer, id: BlockId, now: number): void
}

/** Keeps the open pieces and hands out their blocks. */
export class Chooser {
  /** Pieces that were begun, oldest first. */
  readonly open = new Map<number, OpenPiece>()

  /** Gives way to other downloads. */
  background = false

  readonly #init: ChooserInit
  readonly #takeover: Takeover
  #wanted: Span[] = []

  constructor (init: ChooserInit) {
    this.#init = init
    this.#takeover = new Takeover({ ...init, open: this.open })
  }

  /** `true` if every piece is begun. */
  get ending (): boolean {
    return this.#init.picker.left === 0
  }

  /** What readers wait for, most urgent first. */
  want (spans: Span[]): void {
    this.#wanted = spans
  }

  /** `true` while others go before. */
  yields (now: number): boolean {
    return this.background && this.#init.allowance?.yields(now) === true
  }

  /** The next blocks to ask a peer for, which count as asked for from now on. */
  next (peer: DownloadPeer, now: number): Range | undefined {
    if (!this.yields(now)) {
      return this.#choose(peer, now, Infinity)
    }

    if (peer.flow.inFlight > 0 || this.#init.allowance?.allows(now) === false) {
      return undefined
    }

    const range = this.#choose(peer, now, BLOCK_SIZE)
    this.#init.allowance?.spend(range?.length ?? 0, now)

    return range
  }

  /** The same, of at most so many bytes. */
  #choose (peer: DownloadPeer, now: number, most: number): Range | undefined {
    const open = this.#wantedBy(peer, now) ?? this.#begun(peer, now, open => open.owner === peer.key) ??
      this.#begun(peer, now, open => open.owner === undefined) ?? this.#fresh(peer, now) ?? this.#begun(peer, now, () => true)

    if (open === undefined) {
      return this.#takeover.next(peer, now)
    }

    open.owner ??= peer.key
    open.solo ||= peer.suspect

    return open.ask(Math.min(peer.flow.room, most), peer.cancelled)
  }

  /** A block is here: whoever else was asked for it need not send it. */
  settle (id: BlockId, now: number): void {
    this.#takeover.arrived++

    for (const peer of this.#init.peers.values()) {
      if (peer.requests.has(id)) {
        this.#init.take(peer, id, now)
      }
    }
  }

  /** A peer answered about a block that had been taken back: `wasted` if it sent what was here already. */
  answered (id: BlockId, peer: DownloadPeer, wasted = false): void {
    this.#takeover.answered(id, peer, wasted)
  }

  /** A peer will not send a block; unless somebody else will, it is missing again. */
  release (id: BlockId, peer: DownloadPeer): void {
    const others = [...this.#init.peers.values()].some(other => other !== peer && other.requests.has(id))

    if (!others) {
      this.open.get(pieceOf(id))?.release(beginOf(id))
    }
  }

  /** `true` if somebody else could send a block. */
  elsewhere (id: BlockId, peer: DownloadPeer, now: number): boolean {
    const piece = pieceOf(id)

    return this.open.get(piece)?.solo !== true && [...this.#init.peers.values()]
      .some(other => other !== peer && !other.choked && other.offers(piece, now))
  }

  /** A peer left. Returns the pieces whose bytes are of no use without it. */
  disown (peer: DownloadPeer): number[] {
    return [...this.open.values()].filter(open => open.owner === peer.key && letGo(open)).map(({ piece }) => piece)
  }

  /** A peer will not go on with a piece that must come from one alone; `true` if its bytes are of no use now. */
  abandon (open: OpenPiece): boolean {
    return letGo(open)
  }

  /** A piece is stored. */
  finish (open: OpenPiece): void {
    this.open.delete(open.piece)
    this.#init.budget.give(open.size)
  }

  #wantedBy (peer: DownloadPeer, now: number): OpenPiece | undefined {
    for (const span of this.#wanted) {
      let ahead = 0

      for (let piece = span.from; piece < span.to && ahead < READ_AHEAD; piece++) {
        const open = this.open.get(piece)

        if (open === undefined && !this.#init.picker.has(piece)) {
          continue
        }

        ahead++

        if (open === undefined ? peer.offers(piece, now) : canHelp(open, peer, now)) {
          const chosen = open ?? this.#begin(piece, peer)

          if (chosen !== undefined) {
            return chosen
          }
        }
      }
    }

    return undefined
  }

  #begun (peer: DownloadPeer, now: number, which: (open: OpenPiece) => boolean): OpenPiece | undefined {
    for (const open of this.open.values()) {
      if (which(open) && canHelp(open, peer, now)) {
        return open
      }
    }

    return undefined
  }

  #fresh (peer: DownloadPeer, now: number): OpenPiece | undefined {
    const piece = this.#init.picker.pick(piece => peer.offers(piece, now))

    return piece === undefined ? undefined : this.#begin(piece, peer)
  }

  /** Pieces that are here and not stored yet. */
  get #unverified (): number {
    let count = 0

    for (const open of this.open.values()) {
      count += Number(open.complete)
    }

    return count
  }

  /** Opens a piece, if there is memory for it, and the store keeps up. */
  #begin (piece: number, peer: DownloadPeer): OpenPiece | undefined {
    const size = this.#init.layout.pieceSize(piece)

    if (this.#unverified >= MAX_UNVERIFIED || !this.#init.budget.take(size)) {
      return undefined
    }

    const open = new OpenPiece(piece, size, peer.key, peer.suspect)
    this.open.set(piece, open)
    this.#init.picker.take(piece)

    return open
  }
}

/** `true` if a peer may be asked for missing blocks of an open piece. */
function canHelp (open: OpenPiece, peer: DownloadPeer, now: number): boolean {
  // a block that was taken back may be under way from this peer: asked for again, it would come twice
  if (!open.wants(peer.cancelled) || !peer.offers(open.piece, now)) {
    return false
  }

  if (open.solo || peer.suspect) {
    return open.owner === peer.key ? open.solo : open.owner === undefined && open.untouched
  }

  return true
}

/** Lets another peer go on with a piece; `true` if the other has to begin anew. What is asked for must have been taken back. */
function letGo (open: OpenPiece): boolean {
  const anew = open.solo && open.contributors.size > 0 && !open.complete

  if (!open.complete) {
    open.owner = undefined
  }

  if (anew) {
    open.reset()
  }

  return anew
}
