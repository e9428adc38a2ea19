import type { Range } from './messages.ts'
import type { SessionKey } from './upload-io.ts'
import type { PeerKey } from '../../core.ts'

/**
 * How often a peer is sent elsewhere for a piece, before it gets it from us
 * all the same: patiently if it did find others there, which is not so where
 * the others cannot reach each other.
 */
const MAX_REFUSALS = 6
const FIRST_REFUSALS = 3

/** A piece that was last sent so long ago, and was not announced by who got it, is not on its way any more, in ms. */
const SPREAD_TIME = 10_000

/** What is known of a session when it begins. */
export interface UploadPeerInit {
  session: SessionKey
  peer: PeerKey
  content: string
  complete: boolean
  background?: boolean
}

/** One session, as the rules of serving see it. */
export class UploadPeer {
  readonly session: SessionKey
  readonly peer: PeerKey
  readonly content: string

  /** We have all of the content, so that it may fetch elsewhere what others got from us. */
  readonly complete: boolean

  /** What it fetches may wait for what others fetch. */
  readonly background: boolean

  /** When something was last sent to it, or began to be, in ms. */
  served = -Infinity
  choked = true
  interested = false

  /** When it became interested, or was last let in or choked. */
  waiting = 0

  /** Bytes it gave us since the last rechoke. */
  received = 0

  /** Bytes it asked for and was not sent. */
  queued = 0

  /** Bytes of it that are being sent. */
  serving = 0

  /** What is to be sent, in the order it was asked for. */
  readonly queue: Range[] = []

  /** What is being sent. */
  underway: Range[] = []

  /** Pieces we sent some of, and when last. */
  readonly given = new Map<number, number>()

  readonly #announced = new Set<number>()

  /** It got pieces from others. */
  #findsOthers = false

  readonly #refused = new Map<number, number>()

  constructor ({ session, peer, content, complete, background = false }: UploadPeerInit) {
    this.session = session
    this.peer = peer
    this.content = content
    this.complete = complete
    this.background = background
  }

  /** It says that it has got a piece. */
  announce (piece: number): void {
    this.#announced.add(piece)
    this.#findsOthers ||= !this.given.has(piece)
  }

  /** `true` if others can get a piece from this peer, now or soon. */
  isSpreading (piece: number, now: number): boolean {
    const given = this.given.get(piece)

    return given !== undefined && (this.#announced.has(piece) || now - given < SPREAD_TIME)
  }

  /** Sends it elsewhere for a piece; `false` if that was done often enough. */
  refuse (piece: number): boolean {
    const times = this.#refused.get(piece) ?? 0
    this.#refused.set(piece, times + 1)

    return times < (this.#findsOthers ? MAX_REFUSALS : FIRST_REFUSALS)
  }

  /** Takes the next range to send: what lies together in one piece goes out in one, up to `most` bytes; of what is longer, the beginning. */
  next (most: number): Range | undefined {
    const first = this.queue.shift()

    if (first === undefined) {
      return undefined
    }

    if (first.length > most) {
      this.queue.unshift({ ...first, begin: first.begin + most, length: first.length - most })

      return { ...first, length: most }
    }

    const range = { ...first }

    for (let more = this.queue[0]; more !== undefined; more = this.queue[0]) {
      if (more.piece !== range.piece || more.begin !== range.begin + range.length || range.length + more.length > most) {
        break
      }

      range.length += more.length
      this.queue.shift()
    }

    return range
  }

  /** Takes back what lies in a range and is not being sent yet; returns what was taken back. */
  cancel (range: Range): Range[] {
    const end = range.begin + range.length
    const cancelled: Range[] = []

    for (const queued of this.queue.splice(0)) {
      const from = Math.max(queued.begin, range.begin)
      const to = Math.min(queued.begin + queued.length, end)

      if (queued.piece !== range.piece || from > to || (from === to && queued.length > 0)) {
        this.queue.push(queued)
        continue
      }

      cancelled.push({ piece: queued.piece, begin: from, length: to - from })
      this.queued -= to - from

      if (from > queued.begin) {
        this.queue.push({ ...queued, length: from - queued.begin })
      }

      if (to < queued.begin + queued.length) {
        this.queue.push({ ...queued, begin: to, length: queued.begin + queued.length - to })
      }
    }

    return cancelled
  }

  /** `true` if something that lies in a range is being sent. */
  isServing ({ piece, begin, length }: Range): boolean {
    return this.underway.some(range => range.piece === piece && range.begin < begin + length && begin < range.begin + range.length)
  }

  /** Takes back everything that is not being sent yet. */
  clear (): Range[] {
    const ranges = this.queue.splice(0)

    for (const range of ranges) {
      this.queued -= range.length
    }

    return ranges
  }
}
