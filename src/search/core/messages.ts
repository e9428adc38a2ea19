/**
 * Every message of the search protocol: shape, limits and how it is read.
 *
 * @module
 */

import { CID } from 'multiformats/cid'
import { decode as decodeDigest } from 'multiformats/hashes/digest'
import { MAX_NAME_SIZE, nameFault } from '../../content/names.ts'
import { parseBytes, parseFields, parseInteger, parseList, parseOptional, parseString } from '../../wire/parse.ts'
import { MAX_ADDRESS_SIZE, MAX_ADDRESSES, MAX_ASKED, MAX_COST, MAX_EXTENSION_LENGTH, MAX_HITS_PER_MESSAGE, MAX_HOPS, MAX_LIMIT, MAX_MEDIA_TYPE_LENGTH, MAX_PATH_LENGTH, MAX_TIMEOUT, QUERY_ID_SIZE } from '../constants.ts'
import { MARK_SIZE } from './asked.ts'
import { queryFault } from './query.ts'
import type { SearchFilter } from './filter.ts'
import type { Fields, Parse } from '../../wire/parse.ts'

/** Asks a neighbour, and all that it can reach; the only message of who opens the stream. */
export interface Query {
  type: 'query'

  /** Random; the same at every member the query comes to. */
  id: Uint8Array

  /** As the user typed it. */
  text: string

  /** How many more hops it may travel. */
  hops: number

  /** How many hits are wanted at most. */
  limit: number

  /** Ms until nobody waits for an answer any more. */
  timeout: number

  filter: SearchFilter

  /** Members that have the query already, as 4 bytes each; see `asked.ts`. */
  asked: Uint8Array
}

/** An entry and who holds it, as it travels. */
export interface WireHit {
  /** The CID, as bytes. */
  cid: Uint8Array
  name: string
  path: string
  size: number
  mediaType?: string
  modified?: number

  /** The PeerId of the holder, as the bytes of its multihash. */
  holder: Uint8Array

  /** Multiaddrs of the holder, as bytes. */
  addresses: Uint8Array[]

  /** The PeerId of who shared it, if that member is gone and the holder keeps it in its place; bytes likewise. */
  ward?: Uint8Array
  score: number
}

/** Some hits; there may be more. */
export interface Hits { type: 'hits', hits: WireHit[] }

/** What a query has cost, seen from one member: itself and all it passed the query on to. */
export interface Cost {
  /** Queries that were sent on. */
  messages: number

  /** Members that looked into their index. */
  members: number

  /** Most hops that a query went on. */
  hops: number

  /** Queries that were refused, or not answered in time. */
  unanswered: number
}

/** There are no more hits; the last message of who answers. */
export interface Done extends Cost { type: 'done' }

/** What comes back for a query. */
export type Answer = Hits | Done

/** A CIDv1 with SHA-256 has 36 bytes; leave room for longer hashes. */
const MAX_CID_SIZE = 72

/** The PeerId of an Ed25519 key has 38 bytes, that of an RSA key 34. */
const MAX_PEER_ID_SIZE = 64

/** Largest score; ours are below 8. */
const MAX_SCORE = 1_000_000

/** The year 275760, the last that a `Date` knows. */
const MAX_TIME = 8_640_000_000_000_000

const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/

const MEDIA_TYPE_FILTER = /^[\w!#$&^.+-]+\/([\w!#$&^.+-]+|\*)$/

/** Reads the message of who asks. */
export const parseQuery: Parse<Query> = value => {
  const fields = parseFields(value, 'message')

  if (fields.type !== 'query') {
    throw new TypeError('type should be query')
  }

  const text = parseString(fields.text, 'text', Infinity)
  const fault = queryFault(text)

  if (fault != null) {
    throw new TypeError(fault)
  }

  return {
    type: 'query',
    id: parseBytes(fields.id, 'id', QUERY_ID_SIZE, QUERY_ID_SIZE),
    text,
    hops: parseInteger(fields.hops, 'hops', 0, MAX_HOPS),
    limit: parseInteger(fields.limit, 'limit', 1, MAX_LIMIT),
    timeout: parseInteger(fields.timeout, 'timeout', 1, MAX_TIMEOUT),
    filter: parseOptional(fields.filter, parseFilter) ?? {},
    asked: parseOptional(fields.asked, parseAsked) ?? new Uint8Array()
  }
}

/** Reads what comes back for a query. */
export const parseAnswer: Parse<Answer> = value => {
  const fields = parseFields(value, 'message')

  switch (fields.type) {
    case 'hits':
      return { type: 'hits', hits: parseList(fields.hits, 'hits', MAX_HITS_PER_MESSAGE, parseHit) }
    case 'done':
      return {
        type: 'done',
        messages: parseInteger(fields.messages, 'messages', 0, MAX_COST),
        members: parseInteger(fields.members, 'members', 0, MAX_COST),
        hops: parseInteger(fields.hops, 'hops', 0, MAX_HOPS),
        unanswered: parseInteger(fields.unanswered, 'unanswered', 0, MAX_COST)
      }
    default:
      throw new TypeError('type should be hits or done')
  }
}

/** Reads a filter, also that of a user. */
export const parseFilter: Parse<SearchFilter> = value => {
  const fields = parseFields(value, 'filter')

  return withoutUndefined({
    minSize: parseOptional(fields.minSize, size => parseInteger(size, 'minSize')),
    maxSize: parseOptional(fields.maxSize, size => parseInteger(size, 'maxSize')),
    mediaType: parseOptional(fields.mediaType, type => parseMediaType(type, MEDIA_TYPE_FILTER)),
    extension: parseOptional(fields.extension, extension => parseString(extension, 'extension', MAX_EXTENSION_LENGTH))
  })
}

/** Which hits are the same: those of one content and one holder. */
export function hitKey ({ cid, holder }: WireHit): string {
  return `${keyOf(cid)}/${keyOf(holder)}`
}

/** Bytes as a key of a map. */
export function keyOf (bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

const parseHit: Parse<WireHit> = value => {
  const fields = parseFields(value, 'hit')

  return withoutUndefined({
    cid: parseCid(fields),
    name: parseName(fields.name, 'name'),
    path: parsePath(fields),
    size: parseInteger(fields.size, 'size'),
    mediaType: parseOptional(fields.mediaType, type => parseMediaType(type, MEDIA_TYPE)),
    modified: parseOptional(fields.modified, parseTime),
    holder: parsePeerId(fields.holder, 'holder'),
    addresses: parseList(fields.addresses, 'addresses', MAX_ADDRESSES, address => parseBytes(address, 'address', 1, MAX_ADDRESS_SIZE)),
    ward: parseOptional(fields.ward, ward => parsePeerId(ward, 'ward')),
    score: parseNumber(fields.score, 'score', 0, MAX_SCORE)
  })
}

function parseAsked (value: unknown): Uint8Array {
  const bytes = parseBytes(value, 'asked', 0, MAX_ASKED * MARK_SIZE)

  if (bytes.byteLength % MARK_SIZE !== 0) {
    throw new TypeError(`asked should be marks of ${MARK_SIZE} bytes`)
  }

  return bytes
}

function parseCid (fields: Fields): Uint8Array {
  const bytes = parseBytes(fields.cid, 'cid', 1, MAX_CID_SIZE)
  CID.decode(bytes)

  return bytes
}

function parsePeerId (value: unknown, what: string): Uint8Array {
  const bytes = parseBytes(value, what, 1, MAX_PEER_ID_SIZE)
  decodeDigest(bytes)

  return bytes
}

function parseName (value: unknown, what: string): string {
  const name = parseString(value, what, MAX_NAME_SIZE)
  const fault = nameFault(name)

  if (fault != null) {
    throw new TypeError(`${what} cannot be used: ${fault}`)
  }

  return name
}

function parsePath (fields: Fields): string {
  const path = parseString(fields.path, 'path', MAX_PATH_LENGTH)

  if (path !== '') {
    path.split('/').forEach(name => parseName(name, 'a folder of path'))
  }

  return path
}

function parseMediaType (value: unknown, shape: RegExp): string {
  const type = parseString(value, 'mediaType', MAX_MEDIA_TYPE_LENGTH)

  if (!shape.test(type)) {
    throw new TypeError('mediaType should be like video/mp4')
  }

  return type
}

/** A file system may know fractions of a ms, and times before 1970. */
function parseTime (value: unknown): number {
  return parseNumber(value, 'modified', -MAX_TIME, MAX_TIME)
}

function parseNumber (value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw new TypeError(`${what} should be a number from ${min} to ${max}`)
  }

  return value
}

/** So that what was read is equal to what was sent. */
function withoutUndefined<T extends object> (fields: T): T {
  for (const key of Object.keys(fields) as Array<keyof T>) {
    if (fields[key] === undefined) {
      delete fields[key]
    }
  }

  return fields
}
