/**
 * Asking one peer for what another owes: a slow peer must not hold up the
 * others at the end, and little may come twice.
 *
 * A block can be taken back as long as it is not under way. How long the
 * answer to a cancel takes tells what is: all that comes sooner. Where that
 * fails all the same, as on a line whose buffers fill up, blocks come twice;
 * so how many may is limited.
 *
 * @module
 */

import { BLOCK_SIZE, LATE_FACTOR } from '../constants.ts'
import { beginOf, pieceOf } from './pieces.ts'
import type { Layout } from './download.ts'
import type { Range } from './messages.ts'
import type { DownloadPeer } from './peer.ts'
import type { Picker } from './picker.ts'
import type { BlockId, OpenPiece } from './pieces.ts'
import type { PeerKey } from '../../core.ts'

/** What a block that somebody owes us is taken over for: this many times sooner, and by more than so many ms. */
const SOONER = 3
const MUCH_SOONER = 250

/** How much longer than usual it may take to tell a peer that a block is not wanted any more. */
const DELAY_MARGIN = 1.25

/** What a peer whose speed is unknown is thought to need for a block, in ms. */
const UNKNOWN_ETA = 300

/** At the very end, when so few blocks are left, each may be asked of two peers if that saves more than so many ms. */
const LAST_BLOCKS = 8
const MUCH_SOONER_AT_END = 50

/** Share of a content that may be asked for twice at the very end. */
const MAX_TWICE = 0.004

/** Share of the blocks that may have come in vain from whom they were taken over, while there are pieces to begin. */
const MAX_WASTE = 0.002

export interface TakeoverInit {
  layout: Layout
  picker: Picker
  open: ReadonlyMap<number, OpenPiece>
  peers: ReadonlyMap<PeerKey, DownloadPeer>

  /** Takes a block back from a peer. */
  take (peer: DownloadPeer, id: BlockId, now: number): void
}

/** Finds work for peers for whom nothing is left to ask. */
export class Takeover {
  /** Blocks that are here. */
  arrived = 0

  readonly #init: TakeoverInit

  /** Blocks taken over, by whose they were, that may come from there all the same. */
  readonly #risked = new Map<BlockId, PeerKey>()

  /** Blocks that did. */
  #wasted = 0

  /** Blocks that may yet be asked for twice. */
  #twice: number

  constructor (init: TakeoverInit) {
    this.#init = init
    this.#twice = Math.floor(init.layout.size * MAX_TWICE / BLOCK_SIZE)
  }

  /** A peer answered about a block that had been taken back: `wasted` if it sent what was here already. */
  answered (id: BlockId, peer: DownloadPeer, wasted = false): void {
    if (this.#risked.get(id) === peer.key) {
      this.#risked.delete(id)
    }

    this.#wasted += wasted ? 1 : 0
  }

  /** A block that somebody owes us and this peer could bring much sooner. */
  next (peer: DownloadPeer, now: number): Range | undefined {
    const mine = peer.flow.eta(BLOCK_SIZE) ?? UNKNOWN_ETA
    const daring = this.#risked.size + this.#wasted < 1 + this.arrived * (this.#init.picker.left > 0 ? MAX_WASTE : 2 * MAX_WASTE)
    let chosen: { from: DownloadPeer, id: BlockId, silent: boolean } | undefined
    let longest = SOONER * mine + MUCH_SOONER
    let owed = 0

    for (const from of this.#init.peers.values()) {
      const eta = etaOf(from, now)
      const silent = isSilent(from, mine, now)
      owed += from.requests.size

      if (from !== peer && eta > longest && (silent || (daring && isDeep(from)))) {
        const id = this.#lastOwed(from, peer, now)

        if (id !== undefined) {
          chosen = { from, id, silent }
          longest = eta
        }
      }
    }

    if (chosen === undefined) {
      return owed <= LAST_BLOCKS && peer.requests.size === 0 ? this.#askTwice(peer, mine, now) : undefined
    }

    if (!chosen.silent) {
      this.#risked.set(chosen.id, chosen.from.key)
    }

    this.#init.take(chosen.from, chosen.id, now)

    return this.#rangeOf(chosen.id)
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

  /** At the very end, the block that is expected last may be asked of a second peer, though it be under way. */
  #askTwice (peer: DownloadPeer, mine: number, now: number): Range | undefined {
    let last: BlockId | undefined
    let longest = MUCH_SOONER_AT_END + mine

    for (const other of this.#init.peers.values()) {
      const eta = etaOf(other, now)

      if (other !== peer && eta > longest) {
        const id = this.#lastOwed(other, peer, now)

        if (id !== undefined && this.#owing(id) === 1) {
          last = id
          longest = eta
        }
      }
    }

    if (last === undefined || this.#twice <= 0) {
      return undefined
    }

    this.#twice--

    return this.#rangeOf(last)
  }

  /** How many peers owe a block. */
  #owing (id: BlockId): number {
    let owing = 0

    for (const peer of this.#init.peers.values()) {
      owing += peer.requests.has(id) ? 1 : 0
    }

    return owing
  }

  #mayFetch (id: BlockId, peer: DownloadPeer, now: number): boolean {
    const open = this.#init.open.get(pieceOf(id))

    return open !== undefined && !open.solo && !peer.suspect && !peer.requests.has(id) && !peer.cancelled.has(id) &&
      peer.offers(open.piece, now)
  }

  #rangeOf (id: BlockId): Range {
    const begin = beginOf(id)
    const piece = pieceOf(id)

    return { piece, begin, length: Math.min(BLOCK_SIZE, this.#init.layout.pieceSize(piece) - begin) }
  }
}

/** Ms until a peer has sent all it owes, or since it was heard if its speed is unknown. */
function etaOf ({ flow, requests, heard }: DownloadPeer, now: number): number {
  return requests.size === 0 ? 0 : flow.eta(0) ?? now - heard
}

/** `true` if so much is to come from a peer before the last block it owes, that it can be told in time not to send that one. */
function isDeep ({ flow, requests, cancelled }: DownloadPeer): boolean {
  const blockTime = flow.rate === 0 ? UNKNOWN_ETA : BLOCK_SIZE / flow.rate
  // as long as it was never told anything, one block is tried
  const delay = flow.delay ?? (cancelled.size > 0 ? Infinity : 2 * Math.min(flow.rtt, UNKNOWN_ETA))

  return requests.size > 1 + Math.ceil(DELAY_MARGIN * delay / blockTime)
}

/** `true` if nothing has come from a peer for so long that nothing may be under way at all. */
function isSilent ({ flow, requests, heard }: DownloadPeer, mine: number, now: number): boolean {
  const blockTime = flow.rate === 0 ? UNKNOWN_ETA : BLOCK_SIZE / flow.rate

  return requests.size > 0 && now - heard > LATE_FACTOR * blockTime + Math.min(flow.rtt, UNKNOWN_ETA) + mine + MUCH_SOONER
}
