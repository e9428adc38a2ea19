/**
 * What to ask a peer for next, among the pieces that are open and those that
 * nobody has begun.
 *
 * @module
 */

import { BLOCK_SIZE, LATE_FACTOR } from '../constants.ts'
import { blockId, OpenPiece, pieceOf } from './pieces.ts'
import type { Budget, Layout, Span } from './download.ts'
import type { Range } from './messages.ts'
import type { DownloadPeer } from './peer.ts'
import type { Picker } from './picker.ts'
import type { BlockId } from './pieces.ts'
import type { PeerKey } from '../../core.ts'

/** Pieces that are fetched ahead of a reader, in order, before the rarest ones get their turn again. */
const READ_AHEAD = 4

/** What a block that somebody owes us is taken over for: this many times sooner, and by more than so many ms. */
const SOONER = 3
const MUCH_SOONER = 250

/** What a peer whose speed is unknown is thought to need for a block, in ms. */
const UNKNOWN_ETA = 300

/** At the very end so few blocks may be asked of two peers at once. */
const LAST_BLOCKS = 4

/** Share of a content that may be asked for twice at the very end. */
const MAX_DUPLICATES = 0.004

export interface ChooserInit {
  layout: Layout
  budget: Budget
  picker: Picker
  peers: ReadonlyMap<PeerKey, DownloadPeer>

  /** Takes a block back from a peer. */
  take (peer: DownloadPeer, id: BlockId): void
}

/** Keeps the open pieces and hands out their blocks. */
export class Chooser {
  /** Pieces that were begun, oldest first. */
  readonly open = new Map<number, OpenPiece>()

  readonly #init: ChooserInit
  #wanted: Span[] = []
  #duplicates: number

  constructor (init: ChooserInit) {
    this.#init = init
    this.#duplicates = Math.floor(init.layout.size * MAX_DUPLICATES / BLOCK_SIZE)
  }

  /** What readers wait for, most urgent first. */
  want (spans: Span[]): void {
    this.#wanted = spans
  }

  /** The next blocks to ask a peer for, which count as asked for from now on. */
  next (peer: DownloadPeer, now: number): Range | undefined {
    const open = this.#wantedBy(peer, now) ?? this.#begun(peer, now, open => open.owner === peer.key) ??
      this.#begun(peer, now, open => open.owner === undefined) ?? this.#fresh(peer, now) ?? this.#begun(peer, now, () => true)

    if (open === undefined) {
      return this.#takeOver(peer, now)
    }

    open.owner ??= peer.key

    return open.ask(peer.flow.room, peer.cancelled)
  }

  /** A peer will not send a block; unless somebody else will, it is missing again. */
  release (id: BlockId, peer: DownloadPeer): void {
    const others = [...this.#init.peers.values()].some(other => other !== peer && other.requests.has(id))

    if (!others) {
      this.open.get(pieceOf(id))?.release(beginOf(id))
    }
  }

  /** A block is here: whoever else was asked for it need not send it. */
  settle (id: BlockId): void {
    for (const peer of this.#init.peers.values()) {
      if (peer.requests.has(id)) {
        this.#init.take(peer, id)
      }
    }
  }

  /** `true` if somebody else could send a block. */
  elsewhere (id: BlockId, peer: DownloadPeer, now: number): boolean {
    const piece = pieceOf(id)

    return this.open.get(piece)?.solo !== true && [...this.#init.peers.values()]
      .some(other => other !== peer && !other.choked && other.offers(piece, now))
  }

  /** A peer left. Returns the pieces that have to begin anew, as only it could go on with them. */
  disown (peer: DownloadPeer): number[] {
    const discarded: number[] = []

    for (const open of this.open.values()) {
      if (open.owner === peer.key && !open.complete) {
        open.owner = undefined

        if (open.solo && open.contributors.size > 0) {
          open.reset()
          discarded.push(open.piece)
        }
      }
    }

    return discarded
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

  /** Opens a piece, if there is memory for it. */
  #begin (piece: number, peer: DownloadPeer): OpenPiece | undefined {
    const size = this.#init.layout.pieceSize(piece)

    if (!this.#init.budget.take(size)) {
      return undefined
    }

    const open = new OpenPiece(piece, size, peer.key, peer.suspect)
    this.open.set(piece, open)
    this.#init.picker.take(piece)

    return open
  }

  /** A block that somebody owes us and this peer could bring much sooner. */
  #takeOver (peer: DownloadPeer, now: number): Range | undefined {
    const mine = peer.flow.eta(BLOCK_SIZE) ?? UNKNOWN_ETA
    let slowest: DownloadPeer | undefined
    let longest = SOONER * mine + MUCH_SOONER
    let owed = 0

    for (const other of this.#init.peers.values()) {
      const eta = other.flow.eta(0) ?? (other.requests.size === 0 ? 0 : now - other.heard)
      owed += other.requests.size

      if (other !== peer && eta > longest && isTakeable(other, mine, now) && this.#lastOwed(other, peer, now) !== undefined) {
        slowest = other
        longest = eta
      }
    }

    if (slowest !== undefined) {
      const id = this.#lastOwed(slowest, peer, now)

      if (id !== undefined) {
        this.#init.take(slowest, id)

        return this.#rangeOf(id)
      }
    }

    return owed <= LAST_BLOCKS && peer.requests.size === 0 ? this.#askTwice(peer, mine, now) : undefined
  }

  /** The block that will come last of what a peer owes, and that another may fetch instead. */
  #lastOwed (from: DownloadPeer, by: DownloadPeer, now: number): BlockId | undefined {
    let last: BlockId | undefined

    for (const id of from.requests.keys()) {
      if (this.#mayFetch(id, by, now)) {
        last = id
      }
    }

    return last
  }

  /** At the very end, one of the last blocks may be asked of a second peer. */
  #askTwice (peer: DownloadPeer, mine: number, now: number): Range | undefined {
    if (this.#duplicates <= 0) {
      return undefined
    }

    for (const other of this.#init.peers.values()) {
      const overdue = (other.flow.eta(0) ?? now - other.heard) > SOONER * mine + MUCH_SOONER

      for (const id of other.requests.keys()) {
        if (other !== peer && overdue && this.#mayFetch(id, peer, now)) {
          this.#duplicates--

          return this.#rangeOf(id)
        }
      }
    }

    return undefined
  }

  #mayFetch (id: BlockId, peer: DownloadPeer, now: number): boolean {
    const open = this.open.get(pieceOf(id))

    return open !== undefined && !open.solo && !peer.suspect && !peer.requests.has(id) && !peer.cancelled.has(id) &&
      peer.offers(open.piece, now)
  }

  #rangeOf (id: BlockId): Range {
    const begin = beginOf(id)
    const piece = pieceOf(id)

    return { piece, begin, length: Math.min(BLOCK_SIZE, this.#init.layout.pieceSize(piece) - begin) }
  }
}

/**
 * `true` if the last block that a peer owes is not under way yet: others come
 * before it for longer than it takes to tell the peer. Or if nothing has come
 * from it for so long that nothing may be under way at all.
 */
function isTakeable (peer: DownloadPeer, mine: number, now: number): boolean {
  const { rate, rtt } = peer.flow
  const blockTime = rate === 0 ? UNKNOWN_ETA : BLOCK_SIZE / rate
  const delay = rtt === Infinity ? UNKNOWN_ETA : rtt

  return peer.requests.size > 1 + Math.ceil(2 * delay / blockTime) ||
    (peer.requests.size > 0 && now - peer.heard > LATE_FACTOR * blockTime + delay + mine + MUCH_SOONER)
}

function beginOf (id: BlockId): number {
  return (id - blockId(pieceOf(id), 0)) * BLOCK_SIZE
}

/** `true` if a peer may be asked for missing blocks of an open piece. */
function canHelp (open: OpenPiece, peer: DownloadPeer, now: number): boolean {
  // a block that was taken back may be under way from this peer: asked for again, it would come twice
  if (!open.wants(peer.cancelled) || !peer.offers(open.piece, now)) {
    return false
  }

  if (open.solo || peer.suspect) {
    const untouched = open.owner === undefined && open.contributors.size === 0

    if (untouched) {
      open.solo = true
    }

    return open.owner === peer.key ? open.solo : untouched
  }

  return true
}
