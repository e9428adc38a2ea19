/**
 * File names that are safe on every platform, whoever chose them.
 *
 * @module
 */

/** Bytes of UTF-8 in a safe name, at most; leaves room for ` (2)` and a key within the 255 that file systems allow. */
export const MAX_NAME_SIZE = 200

/** A longer "extension" is more likely the end of a sentence. */
const MAX_EXTENSION_SIZE = 20

/** Control characters, line separators, and those that turn the direction of text around, so that `gpj.exe` reads as `exe.jpg`. */
const INVISIBLE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Illegal on Windows; the slashes are gone by then. */
const ILLEGAL = /[<>:"|?*]/g

/** Devices, as Windows sees them: in any case, whatever follows the first dot. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³]) *(?:\.|$)/i

/**
 * Makes a file name of any string: what follows the last slash, without
 * what cannot or should not be in a name on Linux, macOS or Windows. A name
 * that is safe stays as it is, in Unicode NFC.
 *
 * @example
 *
 * ```ts
 * safeName('../../etc/passwd') // 'passwd'
 * safeName('con.txt') // '_con.txt'
 * ```
 */
export function safeName (name: string): string {
  const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1)
    .toWellFormed()
    .replace(INVISIBLE, '')
    .normalize('NFC')
    .replace(ILLEGAL, '_')
  // a leading dot would hide the file
  const visible = trimEnd(base.trimStart()).replace(/^\./, '_')
  const free = RESERVED.test(visible) ? `_${visible}` : visible

  return cutName(free, MAX_NAME_SIZE) || 'unnamed'
}

/**
 * Shortens a name to so many bytes of UTF-8, between characters, and before
 * its extension if it has one.
 */
export function cutName (name: string, size: number): string {
  if (byteLength(name) <= size) {
    return name
  }

  const [stem, extension] = splitName(name)
  const room = size - byteLength(extension)
  const bytes = new Uint8Array(Math.max(0, room))
  const { read } = new TextEncoder().encodeInto(stem, bytes)

  return trimEnd(stem.slice(0, read)) + extension
}

/** The name that is tried when `name` is taken for the n-th time: `name (2).ext`. */
export function numberedName (name: string, n: number): string {
  const [stem, extension] = splitName(name)

  return `${stem} (${n})${extension}`
}

/** Windows drops dots and spaces from the end, so that two names would be one. */
function trimEnd (name: string): string {
  let end = name.length

  while (end > 0 && (name[end - 1] === '.' || name[end - 1].trim() === '')) {
    end--
  }

  return name.slice(0, end)
}

function splitName (name: string): [stem: string, extension: string] {
  const dot = name.lastIndexOf('.')

  if (dot <= 0 || byteLength(name.slice(dot)) > MAX_EXTENSION_SIZE) {
    return [name, '']
  }

  return [name.slice(0, dot), name.slice(dot)]
}

function byteLength (text: string): number {
  return new TextEncoder().encode(text).byteLength
}
