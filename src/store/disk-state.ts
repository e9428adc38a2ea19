/**
 * The state file beside a part: what the part is, and which of its pieces
 * are there.
 *
 * ```
 * 'formicary part\n'   magic, 15 bytes
 * uint8                version of this format
 * uint32be             piece size
 * uint64be             content size
 * uint16be, bytes      name, UTF-8
 * uint16be, bytes      key, UTF-8
 * bytes                written: pieces that were marked
 * bytes                durable: those whose bytes were then flushed to the disk
 * ```
 *
 * Pure.
 *
 * @module
 */

import { pieceCount } from './range.ts'
import { PIECE_SIZE } from '../content/constants.ts'
import type { PartInfo } from './index.ts'

/** What a state file says. */
export interface PartState extends PartInfo {
  /** Pieces that were marked. */
  written: Uint8Array

  /** Marked pieces whose bytes were flushed to the disk after. */
  durable: Uint8Array
}

const MAGIC = new TextEncoder().encode('formicary part\n')
const VERSION = 1

/** Magic, version, piece size, size, and the lengths of name and key. */
const FIXED = MAGIC.byteLength + 1 + 4 + 8 + 2 + 2

/** Longest key, in bytes of UTF-8. */
export const MAX_KEY_SIZE = 1024

/** Where the two bitfields begin. */
export function stateOffsets ({ key, name, written }: PartState): { written: number, durable: number } {
  const start = FIXED + byteLength(name) + byteLength(key)

  return { written: start, durable: start + written.byteLength }
}

/** The whole file. */
export function encodeState (state: PartState): Uint8Array {
  const name = new TextEncoder().encode(state.name)
  const key = new TextEncoder().encode(state.key)
  const { written, durable } = stateOffsets(state)
  const bytes = new Uint8Array(durable + state.durable.byteLength)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC)
  let at = MAGIC.byteLength
  view.setUint8(at, VERSION)
  view.setUint32(at += 1, PIECE_SIZE)
  view.setBigUint64(at += 4, BigInt(state.size))
  view.setUint16(at += 8, name.byteLength)
  bytes.set(name, at += 2)
  view.setUint16(at += name.byteLength, key.byteLength)
  bytes.set(key, at + 2)
  bytes.set(state.written, written)
  bytes.set(state.durable, durable)

  return bytes
}

/** The state in a file, or `undefined` if it is torn, of another version, or no state at all. */
export function decodeState (bytes: Uint8Array): PartState | undefined {
  if (bytes.byteLength < FIXED || !MAGIC.every((byte, i) => bytes[i] === byte)) {
    return undefined
  }

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = MAGIC.byteLength
  const version = view.getUint8(at)
  const pieceSize = view.getUint32(at += 1)
  const size = Number(view.getBigUint64(at += 4))
  const nameSize = view.getUint16(at += 8)
  const name = bytes.subarray(at += 2, at += nameSize)

  if (version !== VERSION || pieceSize !== PIECE_SIZE || !Number.isSafeInteger(size) || FIXED + nameSize > bytes.byteLength) {
    return undefined
  }

  const keySize = view.getUint16(at)
  const key = bytes.subarray(at += 2, at += keySize)
  const fields = Math.ceil(pieceCount(size) / 8)

  if (bytes.byteLength !== at + 2 * fields) {
    return undefined
  }

  return {
    key: new TextDecoder().decode(key),
    name: new TextDecoder().decode(name),
    size,
    // not slice(), which gives a view if this is a Buffer
    written: Uint8Array.from(bytes.subarray(at, at + fields)),
    durable: Uint8Array.from(bytes.subarray(at + fields))
  }
}

function byteLength (text: string): number {
  return new TextEncoder().encode(text).byteLength
}
