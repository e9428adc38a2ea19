/**
 * Which catalog has which bytes, where several share a store.
 *
 * A store never gives a location twice while there is something at it. But
 * bytes may go in other ways, as when somebody deletes a downloaded file by
 * hand: the location is free then, and the next content of the same name gets
 * it, whoever has it finished. Two things keep catalogs apart nevertheless: the
 * bytes at a location belong to the one whose entry has their version, and the
 * parts of one are never continued by another, which would find the location
 * that it got before a crash.
 *
 * @module
 */

import { hexHash } from '../store/part-name.ts'
import { DEFAULT_RECORDS } from './records.ts'
import type { Entries } from './entries.ts'
import type { Item } from './records.ts'
import type { Store } from '../store/index.ts'
import type { CID } from 'multiformats/cid'

/** The catalogs that are running, by their store. */
const users = new WeakMap<Store, Set<Claims>>()

/** Digits that tell the parts of one catalog from those of others. */
const PREFIX_LENGTH = 16

/** What one catalog has in a store. */
export class Claims {
  readonly #entries: Entries
  readonly #users: Set<Claims>
  readonly #prefix: string

  /** @param records - where the records of the catalog are */
  constructor (store: Store, entries: Entries, records = DEFAULT_RECORDS) {
    this.#entries = entries
    this.#prefix = records === DEFAULT_RECORDS ? '' : hexHash(records).slice(0, PREFIX_LENGTH)
    this.#users = users.get(store) ?? new Set()
    users.set(store, this.#users.add(this))
  }

  /** The key of the part of a content: for a node's own catalog the CID, so that sharing goes on with a download. */
  partKey (cid: CID): string {
    return `${this.#prefix}${cid}`
  }

  /** `true` if another catalog has something at a location, in this version if one is given. */
  areOthers (location: string, version?: string): boolean {
    return this.#others(location).some(item => version == null || item.version === version)
  }

  /** The catalog has stopped. */
  end (): void {
    this.#users.delete(this)
  }

  #others (location: string): Item[] {
    return [...this.#users].filter(other => other !== this)
      .flatMap(other => other.#entries.filter(item => item.where === 'store' && item.location === location, { hidden: true }))
  }
}
