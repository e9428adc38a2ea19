import { FETCH_PATIENCE, FETCH_RATE, OFFER_PATIENCE, PROOF_TIME, SILENT_OFFERS } from '../constants.ts'
import type { Receipt } from './messages.ts'

/** Somebody who keeps, or should keep, what a ward has. */
export interface Contingent {
  /** What it keeps at most, in bytes, once it has accepted. */
  quota?: number
  acceptedAt?: number

  /** That it has everything of the newest root, and when that was told, in ms. */
  receipt?: Receipt
  provedAt: number

  /** It says that it has something, which is proved when it is asked. */
  claims: boolean

  /** When it is asked next, how many times it was without an answer, and since when. */
  askAt: number
  asked: number
  askedSince: number

  /** Until when it counts as about to go, in ms; who waits until others have what it has says so again. */
  leavingUntil: number

  /** It has wards enough, but nobody else was there to be asked. */
  urgent: boolean
}

/** Somebody of whom nothing is known yet, who is asked at once. */
export function newContingent (now: number): Contingent {
  return { askAt: now, asked: 0, askedSince: now, provedAt: -Infinity, claims: false, leavingUntil: -Infinity, urgent: false }
}

/** Until when it is waited for, in ms. One silence is none: the clock may have jumped. */
export function patienceOf ({ askedSince, acceptedAt, receipt, asked, quota }: Contingent, size: number, grace: number): number {
  if (asked >= SILENT_OFFERS) {
    // who has kept something may come back with it
    return askedSince + (quota == null ? OFFER_PATIENCE : Math.max(OFFER_PATIENCE, grace))
  }

  return receipt != null || acceptedAt == null ? Infinity : acceptedAt + FETCH_PATIENCE + size / FETCH_RATE
}

/** `true` if it has signed just now, for this epoch, that it has everything. */
export function hasProved ({ receipt, provedAt }: Contingent, epoch: number, now: number): boolean {
  return receipt?.envelope != null && receipt.epoch === epoch && provedAt > now - PROOF_TIME
}

/** `true` for who said that it is about to go. */
export function isLeaving (contingent: Contingent | undefined, now: number): boolean {
  return contingent != null && contingent.leavingUntil > now
}
