/**
 * What is left of a part, by its state file and the size of its data.
 *
 * @module
 */

import { lstat, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { both, firstBits } from './bits.ts'
import { hasCode } from './disk-files.ts'
import { decodeState } from './disk-state.ts'
import { infoOf } from './part-name.ts'
import { pieceCount } from './range.ts'
import { PIECE_SIZE } from '../content/constants.ts'
import { StoreWriteError } from '../errors.ts'
import type { PartState } from './disk-state.ts'
import type { PartInfo } from './index.ts'

/** Largest state file to read, in bytes: that of a content of 64 TiB. */
const MAX_STATE_SIZE = 16 * 1024 * 1024 + 4096

/** What is known of a part that is opened. */
export interface Recovered {
  state: PartState

  /** `true` if it is what the state file says. */
  saved: boolean
}

/**
 * Reads the state file of a part.
 *
 * @returns `'none'` if there is no such file, `'torn'` if nothing can be made of it
 */
export async function readState (statePath: string): Promise<PartState | 'torn' | 'none'> {
  try {
    const stats = await lstat(statePath)

    return (stats.isFile() && stats.size <= MAX_STATE_SIZE ? decodeState(await readFile(statePath)) : undefined) ?? 'torn'
  } catch (err) {
    if (hasCode(err, 'ENOENT')) {
      return 'none'
    }

    throw err
  }
}

/**
 * Finds out what is left of a part whose file at `path` has `fileSize` bytes.
 * Pieces past its end are gone. Without a state that can be read all others
 * are in doubt.
 *
 * @throws {StoreWriteError} the part was begun with another size
 */
export async function recover (path: string, info: PartInfo, fileSize: number): Promise<Recovered> {
  const found = await readState(`${path}.state`)
  const whole = fileSize >= info.size
  const count = pieceCount(info.size)
  const within = firstBits(whole && fileSize > 0 ? count : Math.floor(fileSize / PIECE_SIZE), count)

  if (found instanceof Object && found.key === info.key) {
    assertSame(found.size, info)

    return {
      state: { ...found, written: both(found.written, within), durable: both(found.durable, within) },
      saved: fileSize === info.size
    }
  }

  if (found === 'none' && fileSize > 0) {
    assertSame(fileSize, info)
  }

  const name = found === 'none' && fileSize > 0 ? infoOf(basename(path), fileSize)?.name : undefined

  return { state: { ...info, name: name ?? info.name, written: within, durable: firstBits(0, count) }, saved: false }
}

function assertSame (size: number, info: PartInfo): void {
  if (size !== info.size) {
    throw new StoreWriteError(`Part ${info.key} was begun with ${size} bytes, not ${info.size}`)
  }
}
