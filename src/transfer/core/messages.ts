/**
 * Every message of the transfer protocol: shape, limits and how it is read.
 *
 * @module
 */

import { isUint8ArrayList } from 'uint8arraylist'
import { MAX_CONTENT_SIZE, MAX_NODE_SIZE, PIECE_SIZE } from '../../content/constants.ts'
import { parseBytes, parseFields, parseInteger, parseOptional } from '../../wire/parse.ts'
import { BLOCK_SIZE } from '../constants.ts'
import type { Fields, Parse } from '../../wire/parse.ts'

/** Bytes, in one part or several; only the driver looks into them. */
export interface Bytes {
  readonly byteLength: number
}

/** A stretch of a piece, in bytes from its beginning. */
export interface Range {
  piece: number
  begin: number
  length: number
}

/** First on a stream, both ways. */
export interface Hello {
  type: 'hello'

  /** The CID of the content, as bytes. */
  root: Uint8Array

  /** Which pieces the sender has; as bytes, a bitfield. */
  have: 'all' | 'none' | Uint8Array

  /** Bytes in the content, if the sender knows. Needed where the root is the only block, which does not tell. */
  size?: number

  /** `true` if what the sender fetches may wait for what others fetch. */
  background?: boolean
}

/** What travels after the hello. */
export type Message =
  | { type: 'have', piece: number }
  | { type: 'interested' }
  | { type: 'not-interested' }
  | { type: 'choke' }
  | { type: 'unchoke' }
  | Request
  | Reject
  | Cancel
  | Block
  | { type: 'manifest', cid: Uint8Array }
  | Node
  | { type: 'end' }

/** Asks for a stretch of a piece; answered exactly once for each block in it, by a `block` or a `reject`. */
export interface Request extends Range { type: 'request' }

/** The answer to a request, or part of one, that will not be met now. */
export interface Reject extends Range { type: 'reject' }

/** Takes a request back; blocks already under way still come, the rest is rejected. */
export interface Cancel extends Range { type: 'cancel' }

/** Bytes of a piece, 64 KiB but for the last of the content. */
export interface Block { type: 'block', piece: number, begin: number, bytes: Bytes }

/** An interior node of the manifest; without bytes if the sender does not have it. */
export interface Node { type: 'node', cid: Uint8Array, bytes?: Uint8Array }

/** Anything that is read from a stream. */
export type AnyMessage = Hello | Message

/** Most pieces a content can have. */
const MAX_PIECES = MAX_CONTENT_SIZE / PIECE_SIZE

/** A CIDv1 with SHA-256 has 36 bytes; leave room for other hashes, which are refused later with a better message. */
const MAX_CID_SIZE = 128

function parsePiece (fields: Fields): number {
  return parseInteger(fields.piece, 'piece', 0, MAX_PIECES - 1)
}

function parseBegin (fields: Fields): number {
  return parseInteger(fields.begin, 'begin', 0, PIECE_SIZE)
}

function parseRange (fields: Fields): Range {
  const begin = parseBegin(fields)

  return { piece: parsePiece(fields), begin, length: parseInteger(fields.length, 'length', 0, PIECE_SIZE - begin) }
}

function parseCid (fields: Fields): Uint8Array {
  return parseBytes(fields.cid, 'cid', 1, MAX_CID_SIZE)
}

function parseHave (value: unknown): Hello['have'] {
  if (value === 'all' || value === 'none') {
    return value
  }

  return parseBytes(value, 'have', 1, MAX_PIECES / 8)
}

function parseBackground (value: unknown): Pick<Hello, 'background'> {
  if (value != null && typeof value !== 'boolean') {
    throw new TypeError('background should be true or false')
  }

  return value == null ? {} : { background: value }
}

const parsers: Record<AnyMessage['type'], (fields: Fields) => AnyMessage> = {
  hello: fields => ({
    type: 'hello',
    root: parseBytes(fields.root, 'root', 1, MAX_CID_SIZE),
    have: parseHave(fields.have),
    size: parseOptional(fields.size, value => parseInteger(value, 'size', 0, MAX_CONTENT_SIZE)),
    ...parseBackground(fields.background)
  }),
  have: fields => ({ type: 'have', piece: parsePiece(fields) }),
  interested: () => ({ type: 'interested' }),
  'not-interested': () => ({ type: 'not-interested' }),
  choke: () => ({ type: 'choke' }),
  unchoke: () => ({ type: 'unchoke' }),
  request: fields => ({ type: 'request', ...parseRange(fields) }),
  reject: fields => ({ type: 'reject', ...parseRange(fields) }),
  cancel: fields => ({ type: 'cancel', ...parseRange(fields) }),
  block: fields => ({ type: 'block', piece: parsePiece(fields), begin: parseBegin(fields), bytes: parseBlockBytes(fields.bytes) }),
  manifest: fields => ({ type: 'manifest', cid: parseCid(fields) }),
  node: fields => ({
    type: 'node',
    cid: parseCid(fields),
    bytes: parseOptional(fields.bytes, value => parseBytes(value, 'bytes', 1, MAX_NODE_SIZE))
  }),
  end: () => ({ type: 'end' })
}

/** The codec may leave a block's bytes in the parts they arrived in, which are as good. */
function parseBlockBytes (value: unknown): Bytes {
  if (!(value instanceof Uint8Array || isUint8ArrayList(value)) || value.byteLength > BLOCK_SIZE) {
    throw new TypeError(`bytes should be at most ${BLOCK_SIZE} bytes`)
  }

  return value
}

/** Reads a decoded message; unknown fields are dropped. */
export const parseMessage: Parse<AnyMessage> = value => {
  const fields = parseFields(value, 'message')
  const parse = typeof fields.type === 'string' && Object.hasOwn(parsers, fields.type)
    ? parsers[fields.type as AnyMessage['type']]
    : undefined

  if (parse === undefined) {
    throw new TypeError('type should be one of the protocol')
  }

  return parse(fields)
}

/** Blocks in a piece of so many bytes; an empty piece has one, which is empty. */
export function blockCount (pieceSize: number): number {
  return Math.max(1, Math.ceil(pieceSize / BLOCK_SIZE))
}
