/**
 * Messages of the contingency protocol, as they go over the wire. What is
 * signed goes in its envelope, and nowhere else.
 *
 * @module
 */

import { encode } from '@msgpack/msgpack'
import { CID } from 'multiformats/cid'
import { parseBytes, parseFields, parseInteger, parseList, parseOptional } from '../wire/parse.ts'
import { MAX_CONTINGENTS, MAX_ENVELOPE_SIZE, parseEpoch, parsePeer, parsePeers } from './sealed.ts'
import type { Seals, Unchecked } from './sealed.ts'
import type { Appointment, Message, Refusal } from './core/messages.ts'
import type { Fields } from '../wire/parse.ts'

/** "Prove that you have this": the hash of `nonce` and these bytes. */
export interface Challenge {
  type: 'challenge'
  id: number
  cid: string
  offset: number
  length: number
  nonce: Uint8Array
}

/** SHA-256 of the nonce and the bytes; nothing if it does not have them. */
export interface Proof {
  type: 'proof'
  id: number
  digest?: Uint8Array
}

/** Everything that is sent. */
export type AnyMessage = Message | Challenge | Proof

/** A message whose signatures are still to be checked. */
export type UncheckedMessage = () => Promise<AnyMessage | undefined>

const MAX_CID_SIZE = 64
const NONCE_SIZE = 16
const HASH_SIZE = 32

/** Bytes of one challenge, at most. */
export const MAX_CHALLENGE = 64 * 1024

const REFUSALS: Refusal[] = ['stale', 'full', 'busy', 'unwilling']

/** A message as bytes; a receipt that is not signed yet is signed. */
export async function encodeMessage (message: AnyMessage, seals: Seals): Promise<Uint8Array> {
  return encode(await toWire(message, seals), { ignoreUndefined: true })
}

async function toWire (message: AnyMessage, seals: Seals): Promise<object> {
  switch (message.type) {
    case 'offer': return { ...message, appointment: envelopesOf(message.appointment) }
    case 'keep': return { ...message, appointment: envelopesOf(message.appointment), held: message.held?.envelope }
    case 'refuse': return { ...message, appointment: message.appointment == null ? undefined : envelopesOf(message.appointment) }
    case 'release': return { ...message, appointment: envelopesOf(message.appointment), receipts: message.receipts.flatMap(({ envelope }) => envelope ?? []) }
    case 'receipt': return { ...message, receipt: message.receipt.envelope ?? (await seals.receipt(message.receipt)).envelope }
    case 'challenge': return { ...message, cid: CID.parse(message.cid).bytes }
    default: return message
  }
}

function envelopesOf ({ assignment, takeover }: Appointment): Uint8Array[] {
  return [assignment.envelope, ...takeover == null ? [] : [takeover.envelope]]
}

/**
 * Reads a decoded message.
 *
 * @throws {TypeError} it is none
 */
export function parseMessage (value: unknown, seals: Seals): UncheckedMessage {
  const fields = parseFields(value, 'message')
  const { type } = fields

  switch (type) {
    case 'offer': {
      const sources = parsePeers(fields.sources)
      const appointment = parseAppointment(fields.appointment, seals)

      return checked(appointment, appointment => ({ type, appointment, sources, urgent: fields.urgent === true }))
    }
    case 'keep': {
      const held = parseOptional(fields.held, value => seals.readAssignment(parseEnvelope(value)))
      const both = join(parseAppointment(fields.appointment, seals), held)

      return checked(both, ([appointment, held]) => held == null || held.ward === appointment.assignment.ward ? { type, appointment, held } : undefined)
    }
    case 'release': {
      const receipts = parseList(fields.receipts, 'receipts', MAX_CONTINGENTS, value => seals.readReceipt(parseEnvelope(value)))
      const both = join(parseAppointment(fields.appointment, seals), joinAll(receipts))

      return checked(both, ([appointment, receipts]) => ({ type, appointment, receipts: receipts ?? [] }))
    }
    case 'receipt': return checked(seals.readReceipt(parseEnvelope(fields.receipt)), receipt => ({ type, receipt }))
    case 'refuse': return parseRefusal(fields, seals)
    default: {
      const message = parsePlain(fields)

      return async () => message
    }
  }
}

function parseRefusal (fields: Fields, seals: Seals): UncheckedMessage {
  const reason = REFUSALS.find(reason => reason === fields.reason)
  const about = parseAbout(fields)

  if (reason == null) {
    throw new TypeError('reason should be one that there is')
  }

  const appointment = parseOptional(fields.appointment, value => parseAppointment(value, seals))

  return appointment == null
    ? async () => ({ type: 'refuse', ...about, reason })
    : checked(appointment, appointment => appointment.assignment.ward === about.ward ? { type: 'refuse', ...about, reason, appointment } : undefined)
}

/** Messages in which nothing is signed. */
function parsePlain (fields: Fields): AnyMessage {
  switch (fields.type) {
    case 'accept': return { type: 'accept', ...parseAbout(fields), quota: parseInteger(fields.quota, 'quota') }
    case 'leaving': return { type: 'leaving', ...parseAbout(fields) }
    case 'released': return { type: 'released', ...parseAbout(fields) }
    case 'challenge': return {
      type: 'challenge',
      id: parseInteger(fields.id, 'id'),
      cid: String(CID.decode(parseBytes(fields.cid, 'cid', 1, MAX_CID_SIZE))),
      offset: parseInteger(fields.offset, 'offset'),
      length: parseInteger(fields.length, 'length', 0, MAX_CHALLENGE),
      nonce: parseBytes(fields.nonce, 'nonce', NONCE_SIZE, NONCE_SIZE)
    }
    case 'proof': return { type: 'proof', id: parseInteger(fields.id, 'id'), digest: parseOptional(fields.digest, digest => parseBytes(digest, 'digest', HASH_SIZE, HASH_SIZE)) }
    default: throw new TypeError('message.type should be one that there is')
  }
}

function parseAbout (fields: Fields): { ward: string, epoch: number } {
  return { ward: parsePeer(fields.ward), epoch: parseEpoch(fields) }
}

function parseEnvelope (value: unknown): Uint8Array {
  // a view would keep the whole message in memory
  return parseBytes(value, 'envelope', 1, MAX_ENVELOPE_SIZE).slice()
}

/** An assignment, and the takeover that goes with it. */
export function parseAppointment (value: unknown, seals: Seals): Unchecked<Appointment> {
  const [first, second] = parseList(value, 'appointment', 2, parseEnvelope)
  const assignment = seals.readAssignment(parseEnvelope(first))
  const takeover = parseOptional(second, value => seals.readTakeover(parseEnvelope(value)))

  if (takeover != null && (takeover.value.ward !== assignment.value.ward || takeover.value.epoch !== assignment.value.epoch)) {
    throw new TypeError('a takeover should go with its assignment')
  }

  return {
    value: { assignment: assignment.value, takeover: takeover?.value },
    check: async () => await assignment.check() && (takeover == null || await takeover.check())
  }
}

function join<A, B> (a: Unchecked<A>, b: Unchecked<B> | undefined): Unchecked<[A, B | undefined]> {
  return { value: [a.value, b?.value], check: async () => await a.check() && (b == null || await b.check()) }
}

function joinAll<T> (all: Array<Unchecked<T>>): Unchecked<T[]> {
  return { value: all.map(({ value }) => value), check: async () => (await Promise.all(all.map(async one => one.check()))).every(Boolean) }
}

/** @param make - makes the message of what was signed; nothing if the parts do not go together */
function checked<T> ({ value, check }: Unchecked<T>, make: (value: T) => AnyMessage | undefined): UncheckedMessage {
  const message = make(value)

  if (message == null) {
    throw new TypeError('what is signed should be about one ward')
  }

  return async () => await check() ? message : undefined
}
