/**
 * What members say to each other.
 *
 * @module
 */

import type { PeerKey } from '../../core.ts'

/** How new what is known of a member is: compared by epoch first. */
export interface Incarnation {
  /** Set when the member started; a restart has a larger one. */
  epoch: number

  /** Counts the records of one epoch. */
  counter: number
}

/** The core's part of a record; the rest is for those above. */
export interface MemberRecord extends Incarnation {
  peer: PeerKey

  /** Keeps few connections. */
  light?: boolean

  /** Its timers may run once a minute, as those of a browser's tab that nobody sees. */
  hidden?: boolean

  /** It has said goodbye. */
  left?: boolean
}

/** A record and its signature, which only the service understands. */
export interface SignedRecord<Record extends MemberRecord = MemberRecord> {
  record: Record
  envelope: Uint8Array
}

/** Somebody could not reach somebody; signed, so that nobody can speak for others. */
export interface Claim extends Incarnation {
  /** Who is suspected, at which incarnation. */
  target: PeerKey

  /** Who says so. */
  from: PeerKey

  /** Its link with the suspect broke: more than silence. */
  broken?: boolean
  envelope: Uint8Array
}

/** Somebody takes a member for dead that the teller takes for alive; it will want to say that it lives. */
export interface Doubt extends Incarnation {
  peer: PeerKey
}

/** Something worth passing on. */
export type News =
  | { type: 'record', signed: SignedRecord }
  | { type: 'claim', claim: Claim }
  | { type: 'doubt', doubt: Doubt }

/** What is known of a member, without its record. */
export interface Version extends Incarnation {
  peer: PeerKey
  down: boolean
}

/** Everything that travels; see the protocol's doc for what each means. */
export type Message =
  | { type: 'hello', signed: SignedRecord }
  | { type: 'ping', seq: number, news: News[] }
  | { type: 'ack', seq: number, news: News[] }
  | { type: 'probe', seq: number, target: PeerKey }
  | { type: 'report', seq: number, reached: boolean }
  | { type: 'gossip', news: News[] }
  | { type: 'sync', buckets: Uint8Array }
  | { type: 'versions', buckets: number[], members: Version[] }
  | { type: 'want', peers: PeerKey[] }

/** Positive if `a` is newer than `b`, negative if it is older. */
export function compareIncarnations (a: Incarnation, b: Incarnation): number {
  return a.epoch - b.epoch || a.counter - b.counter
}
