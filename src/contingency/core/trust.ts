/**
 * Whom to believe about who should keep what.
 *
 * @module
 */

import { compareAppointments, isSameAssignment, keepersOf } from './messages.ts'
import type { Appointment, Receipt } from './messages.ts'
import type { PeerKey } from '../../core.ts'

/** `true` for an appointment that is newer than the one that is known, or the same, and by those who may say so. */
export function isAcceptable (appointment: Appointment, known: Appointment, self: PeerKey): boolean {
  const { assignment } = appointment
  const isOther = assignment.epoch === known.assignment.epoch && !isSameAssignment(assignment, known.assignment)

  return compareAppointments(appointment, known) >= 0 && !isOther && isTrusted(appointment, known, self)
}

/**
 * `true` for what the ward signed, and for a takeover by one of those who keep
 * its data as far as is known. Anybody could sign another; it counts only for
 * whom it asks to keep something, and takes nothing from it.
 */
function isTrusted ({ assignment, takeover }: Appointment, known: Appointment, self: PeerKey): boolean {
  const isNewer = assignment.epoch > known.assignment.epoch
  const keepers = [...assignment.contingents, ...isNewer ? [] : keepersOf(known)]

  return takeover == null || keepers.includes(takeover.by) || (takeover.contingents.includes(self) && (isNewer || assignment.contingents.includes(self)))
}

/** `true` if all who should keep it have signed, for this epoch, that they have everything. */
export function isProved (appointment: Appointment, receipts: Receipt[]): boolean {
  const { ward, root, epoch } = appointment.assignment
  const keepers = keepersOf(appointment)

  return keepers.length > 0 && keepers.every(peer => receipts.some(receipt =>
    receipt.by === peer && receipt.ward === ward && receipt.root === root && receipt.epoch === epoch))
}
