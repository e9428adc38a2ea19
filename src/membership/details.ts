import { InvalidParametersError } from '../errors.ts'
import { MAX_METADATA_SIZE, MAX_NAME_LENGTH, MAX_ROLES, MAX_TEXT_LENGTH } from './constants.ts'
import type { MemberDetails } from './index.ts'

/**
 * Checks what a member is to say of itself; returns it whole, as a copy.
 *
 * @throws {InvalidParametersError} others would not take it
 */
export function checkDetails ({ name = '', roles = [], storage = 0, digest = 0, light = false, hidden = false, metadata }: Partial<MemberDetails>): MemberDetails {
  assert(typeof name === 'string' && name.length <= MAX_NAME_LENGTH && name.isWellFormed(), `name should be a string of at most ${MAX_NAME_LENGTH} characters`)
  assert(Array.isArray(roles) && roles.length <= MAX_ROLES && roles.every(role => typeof role === 'string' && role.length <= MAX_TEXT_LENGTH), `roles should be at most ${MAX_ROLES} strings of at most ${MAX_TEXT_LENGTH} characters`)
  assert(Number.isSafeInteger(storage) && storage >= 0, 'storage should be a number of bytes')
  assert(Number.isSafeInteger(digest) && digest >= 0, 'digest should be a whole number')
  assert(typeof light === 'boolean', 'light should be true or false')
  assert(typeof hidden === 'boolean', 'hidden should be true or false')
  assert(metadata == null || (metadata instanceof Uint8Array && metadata.byteLength <= MAX_METADATA_SIZE), `metadata should be at most ${MAX_METADATA_SIZE} bytes`)

  return { name, roles: [...roles], storage, digest, light, hidden, metadata: metadata?.slice() }
}

/** @throws {InvalidParametersError} others would not take why this member leaves */
export function checkReason (reason = ''): void {
  assert(typeof reason === 'string' && reason.length <= MAX_TEXT_LENGTH && reason.isWellFormed(), `reason should be a string of at most ${MAX_TEXT_LENGTH} characters`)
}

function assert (right: boolean, message: string): void {
  if (!right) {
    throw new InvalidParametersError(message)
  }
}
