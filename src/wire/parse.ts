/**
 * Checkers for values decoded from bytes of a peer: each returns the value
 * with its type, or throws a `TypeError` that says which field is wrong.
 *
 * @module
 */

/** Turns a decoded value into a `T`, or throws an error that says what is wrong with it. */
export type Parse<T> = (value: unknown) => T

/** A decoded map; fields nobody asks for are dropped simply by not being read. */
export type Fields = Readonly<Record<string, unknown>>

/** A map, as MessagePack decodes it. */
export function parseFields (value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new TypeError(`${what} should be a map`)
  }

  return value as Fields
}

/** A whole number from `min` to `max`, both included; at most 2^53 - 1. */
export function parseInteger (value: unknown, what: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new TypeError(`${what} should be a whole number from ${min} to ${max}`)
  }

  return value
}

/** A string of at most `maxLength` UTF-16 code units. */
export function parseString (value: unknown, what: string, maxLength: number): string {
  if (typeof value !== 'string' || value.length > maxLength) {
    throw new TypeError(`${what} should be a string of at most ${maxLength} characters`)
  }

  return value
}

/** Bytes, from `min` to `max` of them. */
export function parseBytes (value: unknown, what: string, min: number, max: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.byteLength < min || value.byteLength > max) {
    throw new TypeError(`${what} should be ${min} to ${max} bytes`)
  }

  return value
}

/** An array of at most `maxLength` values, each read by `parse`. */
export function parseList<T> (value: unknown, what: string, maxLength: number, parse: Parse<T>): T[] {
  if (!Array.isArray(value) || value.length > maxLength) {
    throw new TypeError(`${what} should be a list of at most ${maxLength}`)
  }

  return value.map(parse)
}

/** `undefined` for a field that is missing or nil, otherwise what `parse` makes of it. */
export function parseOptional<T> (value: unknown, parse: Parse<T>): T | undefined {
  return value == null ? undefined : parse(value)
}
