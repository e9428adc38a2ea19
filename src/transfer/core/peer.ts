import { BLOCK_SIZE } from '../constants.ts'
import { Flow } from './flow.ts'
import { blockId } from './pieces.ts'
import type { Bitfield } from './bitfield.ts'
import type { Range } from './messages.ts'
import type { BlockId } from './pieces.ts'
import type { PeerKey } from '../../core.ts'

/**
 * How long a piece that a peer rejected is not asked of it again, in ms;
 * doubles with every further reject. A seed that is busy rejects what others
 * of the swarm will have soon.
 */
const AVOID_TIME = 250
const MAX_AVOID_TIME = 8_000

/** Blocks taken back that a peer may owe an answer for, before it is asked for nothing more. */
const MAX_CANCELLED = 256

/** A peer is asked for as much as this at once where its window allows: few large reads and requests cost least. */
const REQUEST_SIZE = 16 * BLOCK_SIZE

/** One peer of a download, as the rules see it. */
export class DownloadPeer {
  readonly key: PeerKey
  readonly flow: Flow
  have: Bitfield

  /** It will not serve us now. */
  choked = true

  /** We told it that it has something for us. */
  interested = false

  /** Pieces it has and we lack. */
  useful = 0

  /** It took part in a piece that came out wrong: it gets whole pieces only, until one of them comes out right. */
  suspect = false

  /** When it last sent a block, or began to owe one. */
  heard = 0

  /** Blocks asked for, in that order, with the time after which each is late. */
  readonly requests = new Map<BlockId, number>()

  /** Blocks taken back and not yet answered, with when that was: they may still come. */
  readonly cancelled = new Map<BlockId, number>()

  readonly #avoid = new Map<number, { until: number, time: number }>()

  constructor (key: PeerKey, have: Bitfield, maxWindow: number) {
    this.key = key
    this.have = have
    this.flow = new Flow(maxWindow)
  }

  /** `true` if it may be asked for something now. */
  get ready (): boolean {
    return !this.choked && this.useful > 0 && this.cancelled.size < MAX_CANCELLED &&
      (this.flow.inFlight === 0 || this.flow.room >= Math.min(REQUEST_SIZE, this.flow.window / 2))
  }

  /** `true` if it has yet to answer about a block. */
  get owes (): boolean {
    return this.requests.size > 0 || this.cancelled.size > 0
  }

  /** `true` if it has the piece and would give it. */
  offers (piece: number, now: number): boolean {
    return this.have.has(piece) && (this.#avoid.get(piece)?.until ?? 0) <= now
  }

  /** The blocks of a range were asked for. */
  asked (range: Range, now: number): void {
    if (!this.owes) {
      this.heard = now
    }

    const late = this.flow.asked(range.length, now)

    for (let begin = range.begin; begin === range.begin || begin < range.begin + range.length; begin += BLOCK_SIZE) {
      this.requests.set(blockId(range.piece, begin), late)
    }
  }

  /** It answered about a block that may have been taken back; `false` if it was not. */
  answered (id: BlockId, now: number): boolean {
    const since = this.cancelled.get(id)

    if (since !== undefined) {
      this.flow.cancelAnswered(now - since)
    }

    return this.cancelled.delete(id)
  }

  /** It will not give a piece for a while. */
  rejected (piece: number, now: number): void {
    const { until, time } = this.#avoid.get(piece) ?? { until: -Infinity, time: AVOID_TIME / 2 }

    // several rejects of one piece at a time count once
    if (until <= now) {
      const longer = Math.min(MAX_AVOID_TIME, 2 * time)
      this.#avoid.set(piece, { until: now + longer, time: longer })
    }
  }

  /** A piece is here: what was remembered of it is of no use any more. */
  forget (piece: number): void {
    this.#avoid.delete(piece)
  }
}
