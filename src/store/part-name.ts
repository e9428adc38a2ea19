/**
 * The names of part files: `<name>.<key>.part`. Pure.
 *
 * @module
 */

import { cutName } from './safe-name.ts'
import { hashSync } from '../content/hash.ts'
import { PIECE_SIZE } from '../content/constants.ts'
import type { PartInfo } from './index.ts'

/** What file systems allow, in bytes. */
const MAX_FILE_NAME_SIZE = 255

/** Keys that can be in a file name as they are, on any platform; CIDs can. */
const PLAIN = /^[a-z0-9]{1,100}$/

/** The key as it is in the names of files: itself, or its hash behind a `~`. */
export function toFileKey (key: string): string {
  if (PLAIN.test(key)) {
    return key
  }

  return `~${hexHash(key)}`
}

/** The SHA-256 of a text: 64 hexadecimal digits, whoever chose the text. */
export function hexHash (text: string): string {
  return Array.from(hashSync(new TextEncoder().encode(text)), byte => byte.toString(16).padStart(2, '0')).join('')
}

/** The file of a part; the name of its state file has room as well. */
export function partName (name: string, fileKey: string): string {
  return `${cutName(name, MAX_FILE_NAME_SIZE - `.${fileKey}.part.state`.length)}.${fileKey}.part`
}

/** What a file of this size and name is a part of; `undefined` if the name does not say it. */
export function infoOf (fileName: string, size: number): PartInfo | undefined {
  const [, name, key] = /^(.+)\.([a-z0-9]+)\.part$/s.exec(fileName) ?? []

  return key == null ? undefined : { key, name, size }
}

/** The file of what is kept with a part: found without its name. */
export function keptName (fileKey: string): string {
  return `${fileKey}.kept`
}

/** The file key of a part file, of a state file, or of a file of what is kept. */
export function fileKeyOf (fileName: string): string | undefined {
  return (/\.(~?[a-z0-9]+)\.part(?:\.state)?$/.exec(fileName) ?? KEPT.exec(fileName))?.[1]
}

/** `true` for a file of what is kept, or one that is to become it. */
export function isKeptName (fileName: string): boolean {
  return KEPT.test(fileName)
}

const KEPT = /^(~?[a-z0-9]+)\.kept(?:\.new)?$/

/** `true` if a part has marks to keep: hashing one piece again takes less. */
export function needsState ({ key, name, size }: PartInfo): boolean {
  return size > PIECE_SIZE || !PLAIN.test(key) || partName(name, key) !== `${name}.${key}.part`
}
