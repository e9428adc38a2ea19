/**
 * Messages of the membership protocol, as they go over the wire. What is
 * signed stays as it is: whether it is worth checking is decided above.
 *
 * @module
 */

import { encode } from '@msgpack/msgpack'
import { parseBytes, parseFields, parseInteger, parseList, parseOptional, parseString } from '../wire/parse.ts'
import { BUCKETS, MAX_ENVELOPE_SIZE, MAX_VERSIONS } from './constants.ts'
import type { Doubt, Message, News, Version } from './core/messages.ts'
import type { Fields } from '../wire/parse.ts'
import type { PeerKey } from '../core.ts'

/** News that was read, with what is signed still closed. */
export interface SealedNews {
  records: Uint8Array[]
  claims: Uint8Array[]
  doubts: Doubt[]
}

/** A message with news. */
export type NewsMessage =
  | { type: 'ping', seq: number, news: SealedNews }
  | { type: 'ack', seq: number, news: SealedNews }
  | { type: 'gossip', news: SealedNews }

/** A message that was read, with what is signed still closed; `bye` ends a link in good order. */
export type WireMessage =
  | NewsMessage
  | { type: 'hello', record: Uint8Array }
  | Exclude<Message, { type: 'hello' | 'ping' | 'ack' | 'gossip' }>
  | { type: 'bye' }

const MAX_PEER_LENGTH = 128

/** Pieces of news in one message: more than fit it of any that are real. */
const MAX_NEWS = 512

/** A message as bytes. */
export function encodeMessage (message: Message | { type: 'bye' }): Uint8Array {
  return encode(toWire(message), { ignoreUndefined: true })
}

function toWire (message: Message | { type: 'bye' }): object {
  switch (message.type) {
    case 'hello': return { type: 'hello', record: message.signed.envelope }
    case 'ping':
    case 'ack': return { type: message.type, seq: message.seq, ...sealed(message.news) }
    case 'gossip': return { type: 'gossip', ...sealed(message.news) }
    case 'versions': return { ...message, members: message.members.map(({ peer, epoch, counter, down }) => [peer, epoch, counter, down]) }
    default: return message
  }
}

/** Empty lists are left out: most pings carry nothing. */
function sealed (news: News[]): Partial<SealedNews> {
  const records = news.flatMap(item => item.type === 'record' ? [item.signed.envelope] : [])
  const claims = news.flatMap(item => item.type === 'claim' ? [item.claim.envelope] : [])
  const doubts = news.flatMap(item => item.type === 'doubt' ? [item.doubt] : [])

  return {
    records: records.length > 0 ? records : undefined,
    claims: claims.length > 0 ? claims : undefined,
    doubts: doubts.length > 0 ? doubts : undefined
  }
}

/**
 * Reads a decoded message.
 *
 * @throws {TypeError} it is none
 */
export function parseMessage (value: unknown): WireMessage {
  const fields = parseFields(value, 'message')

  switch (fields.type) {
    case 'hello': return { type: 'hello', record: parseSealed(fields.record) }
    case 'ping': return { type: 'ping', seq: parseSeq(fields), news: parseNews(fields) }
    case 'ack': return { type: 'ack', seq: parseSeq(fields), news: parseNews(fields) }
    case 'probe': return { type: 'probe', seq: parseSeq(fields), target: parsePeer(fields.target) }
    case 'report': return { type: 'report', seq: parseSeq(fields), reached: fields.reached === true }
    case 'gossip': return { type: 'gossip', news: parseNews(fields) }
    case 'sync': return { type: 'sync', buckets: parseBytes(fields.buckets, 'buckets', 4 * BUCKETS, 4 * BUCKETS) }
    case 'versions': return {
      type: 'versions',
      buckets: parseList(fields.buckets, 'buckets', BUCKETS, bucket => parseInteger(bucket, 'bucket', 0, BUCKETS - 1)),
      members: parseList(fields.members, 'members', 2 * MAX_VERSIONS, parseVersion)
    }
    case 'want': return { type: 'want', peers: parseList(fields.peers, 'peers', 2 * MAX_VERSIONS, parsePeer) }
    case 'bye': return { type: 'bye' }
    default: throw new TypeError('type should be that of a message')
  }
}

/** The key of a peer. */
export function parsePeer (value: unknown): PeerKey {
  const peer = parseString(value, 'peer', MAX_PEER_LENGTH)

  // ids of timers have a space in them
  if (!/^[1-9A-Za-z]+$/.test(peer)) {
    throw new TypeError('peer should be a PeerId')
  }

  return peer
}

function parseSeq (fields: Fields): number {
  return parseInteger(fields.seq, 'seq')
}

function parseSealed (value: unknown): Uint8Array {
  // a view would keep the whole message
  return parseBytes(value, 'envelope', 1, MAX_ENVELOPE_SIZE).slice()
}

function parseNews (fields: Fields): SealedNews {
  return {
    records: parseOptional(fields.records, records => parseList(records, 'records', MAX_NEWS, parseSealed)) ?? [],
    claims: parseOptional(fields.claims, claims => parseList(claims, 'claims', MAX_NEWS, parseSealed)) ?? [],
    doubts: parseOptional(fields.doubts, doubts => parseList(doubts, 'doubts', MAX_NEWS, parseDoubt)) ?? []
  }
}

function parseDoubt (value: unknown): Doubt {
  const fields = parseFields(value, 'doubt')

  return { peer: parsePeer(fields.peer), epoch: parseInteger(fields.epoch, 'epoch'), counter: parseInteger(fields.counter, 'counter') }
}

function parseVersion (value: unknown): Version {
  const [peer, epoch, counter, down] = parseList<unknown>(value, 'version', 4, item => item)

  return { peer: parsePeer(peer), epoch: parseInteger(epoch, 'epoch'), counter: parseInteger(counter, 'counter'), down: down === true }
}
