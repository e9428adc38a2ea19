/**
 * What wards and contingents say to each other.
 *
 * @module
 */

import type { PeerKey } from '../../core.ts'

/** Who keeps what of a member, as it says itself. */
export interface Assignment {
  /** Whose data it is, and who signed this. */
  ward: PeerKey

  /** Counts its assignments; those who store refuse a lower one. */
  epoch: number

  /** Who should keep it. */
  contingents: PeerKey[]

  /** The name of everything that is to be kept: the CID of the root of a snapshot. */
  root: string

  /** Bytes of the root itself. */
  rootSize: number

  /** Bytes of all there is to keep. */
  size: number

  /** The same, signed by the ward. */
  envelope: Uint8Array
}

/** Who keeps it instead while the ward is gone, as one of those says who keep it. It names no other data. */
export interface Takeover {
  ward: PeerKey

  /** Of the assignment it goes with. */
  epoch: number

  /** Counts the takeovers of one epoch. */
  generation: number

  /** Who says so. */
  by: PeerKey
  contingents: PeerKey[]

  /** The same, signed by `by`. */
  envelope: Uint8Array
}

/** Who should keep what, in all. */
export interface Appointment {
  assignment: Assignment
  takeover?: Takeover
}

/** "I have all of it, up to my quota, and have checked it." */
export interface Receipt {
  by: PeerKey
  ward: PeerKey
  epoch: number
  root: string

  /** Bytes it keeps of this ward at most; what that leaves out follows from the snapshot. */
  quota: number

  /** The same, signed by `by`; what is on its way to be sent is signed then. */
  envelope?: Uint8Array
}

/** Why somebody does not keep something. */
export type Refusal =
  /** It knows of a newer appointment. */
  | 'stale'
  /** It has no room. */
  | 'full'
  /** It has enough wards, and takes this one only if nobody else does. */
  | 'busy'
  /** It keeps nothing for others, or not for this one. */
  | 'unwilling'

/** Everything that travels; see the protocol's doc for what each means. */
export type Message =
  | { type: 'offer', appointment: Appointment, sources: PeerKey[], urgent: boolean }
  | { type: 'accept', ward: PeerKey, epoch: number, quota: number }
  | { type: 'refuse', ward: PeerKey, epoch: number, reason: Refusal, appointment?: Appointment }
  | { type: 'receipt', receipt: Receipt }
  | { type: 'keep', appointment: Appointment, held?: Assignment }
  | { type: 'leaving', ward: PeerKey, epoch: number }
  | { type: 'release', appointment: Appointment, receipts: Receipt[] }
  | { type: 'released', ward: PeerKey, epoch: number }

/**
 * Positive if `a` is newer than `b`, negative if it is older. Two of one epoch
 * that are not the same come from two nodes with one key, and none is newer:
 * whoever has one refuses the other, until a higher epoch has both.
 */
export function compareAppointments (a: Appointment, b: Appointment): number {
  return a.assignment.epoch - b.assignment.epoch ||
    (a.takeover?.generation ?? 0) - (b.takeover?.generation ?? 0) ||
    compareText(a.takeover?.by ?? '', b.takeover?.by ?? '')
}

/** `true` if one says what the other does. */
export function isSameAssignment (a: Assignment, b: Assignment): boolean {
  return a.epoch === b.epoch && a.root === b.root && isSameSet(a.contingents, b.contingents)
}

export function isSameSet (a: PeerKey[], b: PeerKey[]): boolean {
  return a.length === b.length && a.every(peer => b.includes(peer))
}

/** Who should keep it. */
export function keepersOf ({ assignment, takeover }: Appointment): PeerKey[] {
  return takeover?.contingents ?? assignment.contingents
}

function compareText (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
