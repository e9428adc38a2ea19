/**
 * What contingency remembers, in the datastore.
 *
 * | key | value, as MessagePack |
 * | --- | --- |
 * | `/formicary/contingency/ward` | what this node knows of its own contingents |
 * | `/formicary/contingency/kept/<ward>` | what is kept for a ward |
 *
 * Signatures are checked when a record is read: whoever can write to the disk
 * of a node can harm it, but not others through it.
 *
 * @module
 */

import { encode } from '@msgpack/msgpack'
import { Key } from 'interface-datastore/key'
import { decodeValue } from '../wire/channel.ts'
import { parseBytes, parseFields, parseInteger, parseList, parseOptional } from '../wire/parse.ts'
import { parseAppointment } from './codec.ts'
import { MAX_FORMER } from './constants.ts'
import { MAX_ENVELOPE_SIZE, parseEpoch, parsePeer } from './sealed.ts'
import type { KeptRecord, WardRecord } from './core/outbox.ts'
import type { Seals, Unchecked } from './sealed.ts'
import type { PeerKey } from '../core.ts'
import type { Logger } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'

const WARD = new Key('/formicary/contingency/ward')
const KEPT = '/formicary/contingency/kept/'

export class ContingencyRecords {
  readonly #datastore: Datastore
  readonly #seals: Seals
  readonly #log: Logger

  constructor (datastore: Datastore, seals: Seals, log: Logger) {
    this.#datastore = datastore
    this.#seals = seals
    this.#log = log
  }

  async saveWard ({ assignment, epoch, former }: WardRecord): Promise<void> {
    await this.#datastore.put(WARD, encode({ assignment: assignment?.envelope, epoch, former }, { ignoreUndefined: true }))
  }

  async loadWard (): Promise<WardRecord | undefined> {
    if (!await this.#datastore.has(WARD)) {
      return undefined
    }

    return this.#read(await this.#datastore.get(WARD), async value => {
      const fields = parseFields(value, 'ward')
      const assignment = parseOptional(fields.assignment, value => this.#seals.readAssignment(parseBytes(value, 'assignment', 1, MAX_ENVELOPE_SIZE)))

      return {
        assignment: assignment == null ? undefined : await trusted(assignment),
        epoch: parseEpoch(fields),
        former: parseList(fields.former, 'former', MAX_FORMER, parsePeer)
      }
    })
  }

  async save (ward: PeerKey, { appointment: { assignment, takeover }, quota, held, heldQuota, before, goneSince }: KeptRecord): Promise<void> {
    await this.#datastore.put(keyOf(ward), encode({
      appointment: [assignment.envelope, ...takeover == null ? [] : [takeover.envelope]],
      quota: Math.round(quota),
      held: held?.envelope,
      heldQuota: heldQuota == null ? undefined : Math.round(heldQuota),
      before: before?.envelope,
      goneSince: goneSince == null ? undefined : Math.round(goneSince)
    }, { ignoreUndefined: true }))
  }

  async forget (ward: PeerKey): Promise<void> {
    await this.#datastore.delete(keyOf(ward))
  }

  async load (): Promise<KeptRecord[]> {
    const records: KeptRecord[] = []

    for await (const { value } of this.#datastore.query({ prefix: KEPT })) {
      const record = await this.#read(value, async value => {
        const fields = parseFields(value, 'kept')
        const [held, before] = ['held', 'before'].map(name => parseOptional(fields[name], value => this.#seals.readAssignment(parseBytes(value, name, 1, MAX_ENVELOPE_SIZE))))

        return {
          appointment: await trusted(parseAppointment(fields.appointment, this.#seals)),
          quota: parseInteger(fields.quota, 'quota'),
          held: held == null ? undefined : await trusted(held),
          heldQuota: parseOptional(fields.heldQuota, value => parseInteger(value, 'heldQuota')),
          before: before == null ? undefined : await trusted(before),
          goneSince: parseOptional(fields.goneSince, value => parseInteger(value, 'goneSince'))
        }
      })

      if (record != null) {
        records.push(record)
      }
    }

    return records
  }

  async #read<T> (bytes: Uint8Array, parse: (value: unknown) => Promise<T>): Promise<T | undefined> {
    try {
      return await parse(decodeValue(bytes.slice()))
    } catch (err) {
      this.#log.error('a record cannot be read - %e', err)
    }
  }
}

function keyOf (ward: PeerKey): Key {
  return new Key(`${KEPT}${ward}`, false)
}

async function trusted<T> ({ value, check }: Unchecked<T>): Promise<T> {
  if (!await check()) {
    throw new TypeError('A signature is wrong')
  }

  return value
}
