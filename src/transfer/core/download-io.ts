/**
 * What a download is told, and what it asks for.
 *
 * @module
 */

import type { Allowance } from './allowance.ts'
import type { Bitfield } from './bitfield.ts'
import type { Bytes, Message } from './messages.ts'
import type { CoreInput, PeerKey } from '../../core.ts'
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
  /** Whether it has to give way to other downloads from now on. */
  | { type: 'background', background: boolean }
  /** What readers wait for, most urgent first; replaces what they waited for before. */
  | { type: 'want', spans: Span[] }

/** A peer is ready. */
export type Joining = Extract<DownloadInput, { type: 'peer' }>

export type DownloadOutput =
  | { type: 'send', to: PeerKey, message: Message }
  | { type: 'timer', id: string, after: number }
  /** Keep these bytes of a piece. */
  | { type: 'block', piece: number, begin: number, bytes: Bytes }
  /** Hash the piece, which these peers sent, store it if it is right, and say how it went. */
  | { type: 'complete', piece: number, from: PeerKey[] }
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

  /**
   * What downloads in the background may have, all together.
   *
   * @default as much as they like
   */
  allowance?: Allowance
}
