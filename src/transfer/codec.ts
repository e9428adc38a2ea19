/**
 * Frames of the transfer protocol, as they go over the wire.
 *
 * Blocks are nearly all of the traffic, so they take a short way: the head is
 * written from a template, and the bytes are neither copied nor joined on
 * either side. Any other way to write the same MessagePack is read as well.
 *
 * @module
 */

import { Encoder } from '@msgpack/msgpack'
import type { Uint8ArrayList } from 'uint8arraylist'
import { decodeValue } from '../wire/channel.ts'
import { HEADER_SIZE } from '../wire/frame.ts'
import type { AnyMessage } from './core/messages.ts'

const encoder = new Encoder({ ignoreUndefined: true })

/** A message as a frame, in one part. */
export function encodeMessage (message: AnyMessage): Uint8Array {
  const body = encoder.encodeSharedRef(message)
  const frame = new Uint8Array(HEADER_SIZE + body.byteLength)
  new DataView(frame.buffer).setUint32(0, body.byteLength)
  frame.set(body, HEADER_SIZE)

  return frame
}

/** MessagePack's mark of a 32-bit whole number, and of bytes with a 32-bit length. */
const UINT32 = 0xce
const BIN32 = 0xc6

/** The head of a block's body: a map of `type`, `piece`, `begin` and `bytes`, whose numbers have four bytes each. */
const BLOCK_HEAD = Uint8Array.from([
  0x84,
  ...text('type'), ...text('block'),
  ...text('piece'), UINT32, 0, 0, 0, 0,
  ...text('begin'), UINT32, 0, 0, 0, 0,
  ...text('bytes'), BIN32, 0, 0, 0, 0
])

/** Where the numbers stand in {@link BLOCK_HEAD}. */
const BYTES_AT = BLOCK_HEAD.byteLength - 4
const BEGIN_AT = BYTES_AT - 1 - text('bytes').length - 4
const PIECE_AT = BEGIN_AT - 1 - text('begin').length - 4

/** A short string in MessagePack. */
function text (string: string): number[] {
  return [0xa0 | string.length, ...Array.from(string, character => character.charCodeAt(0))]
}

/** The frame of a block; `bytes` are not copied. Returns its two parts. */
export function encodeBlock (piece: number, begin: number, bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const head = new Uint8Array(HEADER_SIZE + BLOCK_HEAD.byteLength)
  const view = new DataView(head.buffer)
  head.set(BLOCK_HEAD, HEADER_SIZE)
  view.setUint32(0, BLOCK_HEAD.byteLength + bytes.byteLength)
  view.setUint32(HEADER_SIZE + PIECE_AT, piece)
  view.setUint32(HEADER_SIZE + BEGIN_AT, begin)
  view.setUint32(HEADER_SIZE + BYTES_AT, bytes.byteLength)

  return [head, bytes]
}

/** Decodes a body; the bytes of a block stay in the parts they arrived in. */
export function decodeMessage (body: Uint8ArrayList): unknown {
  if (!isBlock(body)) {
    return decodeValue(body)
  }

  return {
    type: 'block',
    piece: body.getUint32(PIECE_AT),
    begin: body.getUint32(BEGIN_AT),
    bytes: body.sublist(BLOCK_HEAD.byteLength)
  }
}

/** `true` if a body is written as {@link encodeBlock} does it. */
function isBlock (body: Uint8ArrayList): boolean {
  if (body.byteLength < BLOCK_HEAD.byteLength) {
    return false
  }

  const head = body.subarray(0, BLOCK_HEAD.byteLength)

  for (let i = 0; i < BYTES_AT; i++) {
    const isNumber = (i >= PIECE_AT && i < PIECE_AT + 4) || (i >= BEGIN_AT && i < BEGIN_AT + 4)

    if (!isNumber && head[i] !== BLOCK_HEAD[i]) {
      return false
    }
  }

  return body.getUint32(BYTES_AT) === body.byteLength - BLOCK_HEAD.byteLength
}

/** Copies bytes, in one part or several, to an offset. */
export function copyBytes (bytes: Uint8Array | Uint8ArrayList, target: Uint8Array, offset: number): void {
  if (bytes instanceof Uint8Array) {
    target.set(bytes, offset)

    return
  }

  for (const part of bytes) {
    target.set(part, offset)
    offset += part.byteLength
  }
}
