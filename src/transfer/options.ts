import { PIECE_SIZE } from '../content/index.ts'
import { InvalidParametersError } from '../errors.ts'
import { MAX_PATH_LENGTH, UPLOAD_SLOTS } from './constants.ts'
import type { DownloadOptions, TransferInit } from './index.ts'

/** @throws {InvalidParametersError} transfer cannot be made so */
export function checkInit ({ uploadSlots = UPLOAD_SLOTS, uploadLimit = Infinity, memory = Infinity }: TransferInit): void {
  if (!Number.isInteger(uploadSlots) || uploadSlots < 1) {
    throw new InvalidParametersError(`uploadSlots should be a whole number from 1, not ${uploadSlots}`)
  }

  if (!(uploadLimit > 0)) {
    throw new InvalidParametersError(`uploadLimit should be above 0, not ${uploadLimit}`)
  }

  if (!(memory >= PIECE_SIZE)) {
    throw new InvalidParametersError(`memory should be at least ${PIECE_SIZE} bytes, not ${memory}`)
  }
}

/**
 * @throws {InvalidParametersError} an option cannot be used
 * @throws the reason of `signal`, if it is aborted
 */
export function checkOptions ({ signal, patience, sources, into = 'catalog', background = false, name = '', path = '' }: DownloadOptions): void {
  signal?.throwIfAborted()

  // a longer path would make the record unreadable, and anything else whoever indexes the entry fail
  if (typeof name !== 'string' || typeof path !== 'string' || path.length > MAX_PATH_LENGTH) {
    throw new InvalidParametersError(`name and path should be strings, and path of at most ${MAX_PATH_LENGTH} characters`)
  }

  if (patience != null && !(patience >= 0)) {
    throw new InvalidParametersError(`patience should be 0 or more, not ${patience}`)
  }

  if (into !== 'catalog' && into !== 'kept') {
    throw new InvalidParametersError(`into should be catalog or kept, not ${String(into)}`)
  }

  if (typeof background !== 'boolean') {
    throw new InvalidParametersError('background should be true or false')
  }

  if (sources != null && !Array.isArray(sources)) {
    throw new InvalidParametersError('sources should be a list')
  }
}
