import { decodeValue } from '../wire/channel.ts'
import { encode } from '@msgpack/msgpack'
import { Key } from 'interface-datastore/key'
import { parseBytes, parseInteger, parseList } from '../wire/parse.ts'
import { MAX_ENVELOPE_SIZE } from './constants.ts'
import { readRecord } from './record.ts'
import type { Card } from './record.ts'
import type { SignedRecord } from './core/messages.ts'
import type { Datastore } from 'interface-datastore'

const EPOCH = new Key('/formicary/membership/epoch')
const BOOK = new Key('/formicary/membership/members')

/** Members that are kept: enough that some of them are still there after a long time. */
const MAX_KEPT = 256

/** What outlives the process: how often it started, and whom it knew. */
export class AddressBook {
  readonly #datastore?: Datastore
  readonly #network: string

  constructor (datastore: Datastore | undefined, network: string) {
    this.#datastore = datastore
    this.#network = network
  }

  /** An epoch above all earlier ones, even if the clock went back. */
  async nextEpoch (seconds: number): Promise<number> {
    const last = await this.#load(EPOCH, value => parseInteger(value, 'epoch')) ?? 0
    const epoch = Math.max(last + 1, seconds)
    await this.#datastore?.put(EPOCH, encode(epoch))

    return epoch
  }

  /** Members that were known; those whose records cannot be read or are not theirs are left out. */
  async load (): Promise<Array<SignedRecord<Card>>> {
    const sealed = await this.#load(BOOK, value => parseList(value, 'members', MAX_KEPT, item => parseBytes(item, 'record', 1, MAX_ENVELOPE_SIZE))) ?? []
    const records = await Promise.all(sealed.map(async bytes => {
      try {
        const { value, check } = readRecord(bytes.slice(), this.#network)

        return await check() ? [value] : []
      } catch {
        return []
      }
    }))

    return records.flat()
  }

  /** Keeps members, the first ones if there are too many. */
  async save (records: SignedRecord[]): Promise<void> {
    await this.#datastore?.put(BOOK, encode(records.slice(0, MAX_KEPT).map(({ envelope }) => envelope)))
  }

  async #load<T> (key: Key, parse: (value: unknown) => T): Promise<T | undefined> {
    if (this.#datastore == null || !await this.#datastore.has(key)) {
      return undefined
    }

    try {
      return parse(decodeValue(await this.#datastore.get(key)))
    } catch {
      // it is no use any more, and can be made again
      return undefined
    }
  }
}
