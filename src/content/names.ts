/**
 * Which names an entry may have, and the folders on its path.
 *
 * @module
 */

/** Bytes of UTF-8 in a name, at most: what ext4, APFS and NTFS take. */
export const MAX_NAME_SIZE = 255

/** C0 and C1 controls and DEL, which terminals obey; NUL among them. */
const CONTROL = /\p{Cc}/u

/** Says what is wrong with the name of a file or folder; `undefined` if it can be used. */
export function nameFault (name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') {
    return 'it names nothing'
  }

  if (name.includes('/')) {
    return 'it has a /'
  }

  if (CONTROL.test(name)) {
    return 'it has control characters'
  }

  if (!name.isWellFormed()) {
    return 'it is not Unicode'
  }

  // a UTF-16 code unit makes 1 to 3 bytes
  if (name.length > MAX_NAME_SIZE || (name.length > MAX_NAME_SIZE / 3 && sizeInUtf8(name) > MAX_NAME_SIZE)) {
    return `it is longer than ${MAX_NAME_SIZE} bytes`
  }
}

/** Bytes of UTF-8 in a well-formed string; what is pure has no `TextEncoder`. */
function sizeInUtf8 (text: string): number {
  let size = 0

  for (const character of text) {
    const code = character.codePointAt(0) as number
    size += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }

  return size
}
