import { InvalidParametersError } from '../errors.ts'
import { CHALLENGE_INTERVAL, COPIES, GRACE, HANDOVER_TIMEOUT, MAX_COPIES } from './constants.ts'
import { VAULT_LIMIT } from './vault.ts'
import type { ContingencyInit } from './index.ts'

/** Bytes kept for others, unless told otherwise. */
const ROOM = 1024 ** 3

/** Members whose data is kept, unless told otherwise. */
const MAX_WARDS = 1_000

/** Longest time that a timer can be set for, in ms. */
const MAX_TIME = 2 ** 31 - 1

/**
 * Checks options, and fills in what was left out.
 *
 * @throws {InvalidParametersError} one of them cannot be used
 */
export function checkInit (init: ContingencyInit): Required<ContingencyInit> {
  const filled = {
    network: init.network ?? 'formicary',
    copies: init.copies ?? COPIES,
    filter: init.filter ?? (() => true),
    room: init.room ?? ROOM,
    maxWards: init.maxWards ?? MAX_WARDS,
    grace: init.grace ?? GRACE,
    handoverTimeout: init.handoverTimeout ?? HANDOVER_TIMEOUT,
    challengeInterval: init.challengeInterval ?? CHALLENGE_INTERVAL,
    vaultLimit: init.vaultLimit ?? VAULT_LIMIT
  }

  assertWhole('copies', filled.copies, 1, MAX_COPIES)
  assertWhole('room', filled.room, 0, Number.MAX_SAFE_INTEGER)
  assertWhole('maxWards', filled.maxWards, 0, 100_000)
  assertWhole('grace', filled.grace, 0, MAX_TIME)
  assertWhole('handoverTimeout', filled.handoverTimeout, 0, MAX_TIME)
  assertWhole('challengeInterval', filled.challengeInterval, 1_000, MAX_TIME / 2)
  assertWhole('vaultLimit', filled.vaultLimit, 0, Number.MAX_SAFE_INTEGER)

  if (typeof filled.filter !== 'function') {
    throw new InvalidParametersError('filter should be a function')
  }

  return filled
}

function assertWhole (what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidParametersError(`${what} should be a whole number from ${min} to ${max}`)
  }
}
