/**
 * What wards and contingents sign: assignments, takeovers and receipts.
 *
 * A signed envelope of libp2p (RFC 0002) holds a MessagePack map. The name of
 * the colony is part of what is signed, so nothing that was said in one colony
 * counts in another; who signed is who says it.
 *
 * @module
 */

import { RecordEnvelope } from '@libp2p/peer-record'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import { encode } from '@msgpack/msgpack'
import { CID } from 'multiformats/cid'
import { decodeValue } from '../wire/channel.ts'
import { parseBytes, parseFields, parseInteger, parseList, parseString } from '../wire/parse.ts'
import { MAX_GENERATION, MAX_ROOT_SIZE } from './constants.ts'
import type { Assignment, Receipt, Takeover } from './core/messages.ts'
import type { PeerKey } from '../core.ts'
import type { Fields, Parse } from '../wire/parse.ts'
import type { PrivateKey } from '@libp2p/interface'

/** Bytes of an envelope, at most. */
export const MAX_ENVELOPE_SIZE = 2048

/** Contingents in one assignment or takeover, at most: those that can be asked for, and one more when the ward is gone. */
export const MAX_CONTINGENTS = 16

const MAX_PEER_LENGTH = 128
const CID_SIZE = 36

/** Types of payloads, as the envelope has them; not in the table of multicodecs. */
const TYPES = {
  assignment: Uint8Array.from([0x46, 0x03]),
  takeover: Uint8Array.from([0x46, 0x04]),
  receipt: Uint8Array.from([0x46, 0x05])
}

type Kind = keyof typeof TYPES

/** Something signed that was read, and not yet checked. */
export interface Unchecked<T> {
  value: T

  /** `true` if the signature is right. */
  check (): Promise<boolean>
}

/** Signs with the key of this node. */
export class Seals {
  readonly #key: PrivateKey
  readonly #network: string

  constructor (key: PrivateKey, network: string) {
    this.#key = key
    this.#network = network
  }

  async assignment (assignment: Omit<Assignment, 'envelope'>): Promise<Assignment> {
    const { epoch, contingents, root, rootSize, size } = assignment
    const envelope = await this.#seal('assignment', { epoch, contingents, root: CID.parse(root).bytes, rootSize, size: Math.round(size) })

    return { ...assignment, envelope }
  }

  async takeover (takeover: Omit<Takeover, 'envelope'>): Promise<Takeover> {
    const { ward, epoch, generation, contingents } = takeover

    return { ...takeover, envelope: await this.#seal('takeover', { ward, epoch, generation, contingents }) }
  }

  async receipt (receipt: Receipt): Promise<Receipt & { envelope: Uint8Array }> {
    const { ward, epoch, root, quota } = receipt

    return { ...receipt, envelope: await this.#seal('receipt', { ward, epoch, root: CID.parse(root).bytes, quota: Math.round(quota) }) }
  }

  /** @throws {TypeError} this is no assignment */
  readAssignment (bytes: Uint8Array): Unchecked<Assignment> {
    return this.#open('assignment', bytes, (fields, signer) => ({
      ward: signer,
      epoch: parseEpoch(fields),
      contingents: parsePeers(fields.contingents),
      root: parseRoot(fields.root),
      rootSize: parseInteger(fields.rootSize, 'rootSize', 1, MAX_ROOT_SIZE),
      size: parseInteger(fields.size, 'size'),
      envelope: bytes
    }))
  }

  /** @throws {TypeError} this is no takeover */
  readTakeover (bytes: Uint8Array): Unchecked<Takeover> {
    return this.#open('takeover', bytes, (fields, signer) => ({
      ward: parsePeer(fields.ward),
      epoch: parseEpoch(fields),
      generation: parseInteger(fields.generation, 'generation', 1, MAX_GENERATION),
      by: signer,
      contingents: parsePeers(fields.contingents),
      envelope: bytes
    }))
  }

  /** @throws {TypeError} this is no receipt */
  readReceipt (bytes: Uint8Array): Unchecked<Receipt & { envelope: Uint8Array }> {
    return this.#open('receipt', bytes, (fields, signer) => ({
      by: signer,
      ward: parsePeer(fields.ward),
      epoch: parseEpoch(fields),
      root: parseRoot(fields.root),
      quota: parseInteger(fields.quota, 'quota'),
      envelope: bytes
    }))
  }

  async #seal (kind: Kind, payload: object): Promise<Uint8Array> {
    const envelope = await RecordEnvelope.seal({ domain: this.#domain(kind), codec: TYPES[kind], marshal: () => encode(payload), equals: () => false }, this.#key)

    return envelope.marshal()
  }

  #open<T> (kind: Kind, bytes: Uint8Array, parse: (fields: Fields, signer: PeerKey) => T): Unchecked<T> {
    const envelope = RecordEnvelope.createFromProtobuf(bytes)

    if (!TYPES[kind].every((byte, i) => envelope.payloadType[i] === byte)) {
      throw new TypeError('The envelope holds something else')
    }

    return {
      value: parse(parseFields(decodeValue(envelope.payload), kind), String(peerIdFromPublicKey(envelope.publicKey))),
      check: async () => envelope.validate(this.#domain(kind))
    }
  }

  #domain (kind: Kind): string {
    return `formicary/${this.#network}/contingency/${kind}`
  }
}

/** A PeerId as a string. */
export function parsePeer (value: unknown): PeerKey {
  const peer = parseString(value, 'peer', MAX_PEER_LENGTH)

  // two ways to write one would be two peers
  if (String(peerIdFromString(peer)) !== peer) {
    throw new TypeError('peer should be written as a PeerId is')
  }

  return peer
}

/** Peers, each once. */
export function parsePeers (value: unknown): PeerKey[] {
  const peers = parseList(value, 'peers', MAX_CONTINGENTS, parsePeer)

  if (new Set(peers).size !== peers.length) {
    throw new TypeError('peers should be different ones')
  }

  return peers
}

/** Half of the numbers there are stay free, so that there is always a higher epoch. */
export function parseEpoch ({ epoch }: Fields): number {
  return parseInteger(epoch, 'epoch', 0, 2 ** 52)
}

const parseRoot: Parse<string> = value => String(CID.decode(parseBytes(value, 'root', CID_SIZE, CID_SIZE)))
