/**
 * What serving is told, and what it asks for.
 *
 * @module
 */

import type { Message, Range } from './messages.ts'
import type { UploadPeerInit } from './upload-peer.ts'
import type { CoreOutput } from '../../core.ts'
import type { Random } from '../../random.ts'

/** A peer that fetches one content: two contents make two sessions. */
export type SessionKey = string

export type UploadInput =
  /**
   * A session begins; `content` is the same string for all sessions of one
   * content. `complete` if we have all of it, `background` if it may wait.
   */
  | { type: 'peer' } & UploadPeerInit
  | { type: 'gone', session: SessionKey }
  | { type: 'message', session: SessionKey, message: Message }
  /** A range that was to be served has been sent, or could not be (and was rejected). */
  | { type: 'served', session: SessionKey, range: Range }
  /** A peer sent us bytes we asked for. */
  | { type: 'received', session: SessionKey, bytes: number }
  | { type: 'timer', id: string }

export type UploadOutput =
  | { type: 'send', to: SessionKey, message: Message }
  | Extract<CoreOutput<never, never>, { type: 'timer' }>
  /** Read this range and send it as blocks, then say `served`. */
  | { type: 'serve', session: SessionKey, range: Range }
  /** Reject what lies in this range instead of sending it, as far as it has not been sent. */
  | { type: 'skip', session: SessionKey, range: Range }
  /** Break off with a peer, which asks for too much. */
  | { type: 'drop', session: SessionKey, reason: string }

export interface UploadInit {
  /** Peers that are served at once; as many again in the background. */
  slots: number
  random: Random
}
