/**
 * What a member says of itself and of others, signed with its key.
 *
 * A signed envelope of libp2p (RFC 0002) holds a MessagePack map. The name of
 * the colony is part of what is signed, so nothing that was said in one colony
 * counts in another.
 *
 * @module
 */

import { RecordEnvelope } from '@libp2p/peer-record'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { encode } from '@msgpack/msgpack'
import { decodeValue } from '../wire/channel.ts'
import { parseBytes, parseFields, parseInteger, parseList, parseOptional, parseString } from '../wire/parse.ts'
import { MAX_ADDRESS_SIZE, MAX_ADDRESSES, MAX_METADATA_SIZE, MAX_NAME_LENGTH, MAX_ROLES, MAX_TEXT_LENGTH } from './constants.ts'
import { parsePeer } from './codec.ts'
import type { Claim, Incarnation, MemberRecord, SignedRecord } from './core/messages.ts'
import type { PeerKey } from '../core.ts'
import type { PrivateKey } from '@libp2p/interface'

/** Everything a member says of itself. */
export interface Card extends MemberRecord {
  name: string

  /** Where it can be dialled, as bytes of multiaddrs. */
  addresses: Uint8Array[]

  /** What it is for others, e.g. `hub` or `relay`. */
  roles: string[]

  /** Bytes it would keep for others. */
  storage: number

  /** Which version of its index it has. */
  digest: number
  metadata?: Uint8Array

  /** Why it left, and who takes over. */
  reason?: string
  successor?: PeerKey
}

/** Types of payloads, as the envelope has them; not in the table of multicodecs. */
const RECORD_TYPE = Uint8Array.from([0x46, 0x01])
const CLAIM_TYPE = Uint8Array.from([0x46, 0x02])

/** Something signed that was read, and not yet checked. */
export interface Unchecked<T> {
  value: T

  /** `true` if the signature is right. */
  check (): Promise<boolean>
}

/** Signs what this node says of itself. */
export async function sealRecord (card: Omit<Card, 'peer'>, key: PrivateKey, network: string): Promise<SignedRecord<Card>> {
  // what is seldom so is not said
  const payload = encode({ ...card, hidden: card.hidden === true ? true : undefined }, { ignoreUndefined: true })
  const envelope = await seal(payload, RECORD_TYPE, recordDomain(network), key)

  return { record: { ...card, peer: String(peerIdFromPublicKey(key.publicKey)) }, envelope }
}

/**
 * Reads what a member says of itself; the signature is not checked.
 *
 * @throws {TypeError} this is not a record
 */
export function readRecord (bytes: Uint8Array, network: string): Unchecked<SignedRecord<Card>> {
  const { peer, payload, check } = open(bytes, RECORD_TYPE, recordDomain(network))

  return { value: { record: { ...parseCard(payload), peer }, envelope: bytes }, check }
}

/** Signs that a member cannot be reached. */
export async function sealClaim (said: Pick<Claim, 'target' | 'epoch' | 'counter' | 'broken'>, key: PrivateKey, network: string): Promise<Claim> {
  const { target, epoch, counter } = said
  const broken = said.broken === true ? true : undefined
  const envelope = await seal(encode({ target, epoch, counter, broken }, { ignoreUndefined: true }), CLAIM_TYPE, claimDomain(network), key)

  return { target, epoch, counter, broken, from: String(peerIdFromPublicKey(key.publicKey)), envelope }
}

/**
 * Reads what somebody says of another; the signature is not checked.
 *
 * @throws {TypeError} this is not a claim
 */
export function readClaim (bytes: Uint8Array, network: string): Unchecked<Claim> {
  const { peer, payload, check } = open(bytes, CLAIM_TYPE, claimDomain(network))
  const fields = parseFields(payload, 'claim')

  return { value: { target: parsePeer(fields.target), ...parseIncarnation(fields), from: peer, broken: fields.broken === true || undefined, envelope: bytes }, check }
}

function recordDomain (network: string): string {
  return `formicary/${network}/member`
}

function claimDomain (network: string): string {
  return `formicary/${network}/claim`
}

async function seal (payload: Uint8Array, codec: Uint8Array, domain: string, key: PrivateKey): Promise<Uint8Array> {
  const envelope = await RecordEnvelope.seal({ domain, codec, marshal: () => payload, equals: () => false }, key)

  return envelope.marshal()
}

function open (bytes: Uint8Array, type: Uint8Array, domain: string): { peer: PeerKey, payload: unknown, check: () => Promise<boolean> } {
  const envelope = RecordEnvelope.createFromProtobuf(bytes)

  if (!type.every((byte, i) => envelope.payloadType[i] === byte)) {
    throw new TypeError('The envelope holds something else')
  }

  return {
    peer: String(peerIdFromPublicKey(envelope.publicKey)),
    payload: decodeValue(envelope.payload),
    check: async () => envelope.validate(domain)
  }
}

/** An incarnation, of a value that was decoded. */
function parseIncarnation (fields: { epoch?: unknown, counter?: unknown }): Incarnation {
  return { epoch: parseInteger(fields.epoch, 'epoch'), counter: parseInteger(fields.counter, 'counter', 0, 2 ** 32) }
}

function parseCard (value: unknown): Omit<Card, 'peer'> {
  const fields = parseFields(value, 'record')

  return {
    ...parseIncarnation(fields),
    name: parseString(fields.name, 'name', MAX_NAME_LENGTH),
    addresses: parseList(fields.addresses, 'addresses', MAX_ADDRESSES, address => parseBytes(address, 'address', 1, MAX_ADDRESS_SIZE)),
    roles: parseList(fields.roles, 'roles', MAX_ROLES, role => parseString(role, 'role', MAX_TEXT_LENGTH)),
    storage: parseInteger(fields.storage, 'storage'),
    digest: parseInteger(fields.digest, 'digest'),
    metadata: parseOptional(fields.metadata, metadata => parseBytes(metadata, 'metadata', 0, MAX_METADATA_SIZE)),
    light: fields.light === true,
    hidden: fields.hidden === true,
    left: fields.left === true,
    reason: parseOptional(fields.reason, reason => parseString(reason, 'reason', MAX_TEXT_LENGTH)),
    successor: parseOptional(fields.successor, parsePeer)
  }
}
