/**
 * Records in IndexedDB, for one page at a time.
 *
 * @module
 */

import { BaseDatastore } from 'datastore-core'
import { IDBDatastore } from 'datastore-idb'
import { StoreFullError, StoreWriteError } from '../errors.ts'
import { holdName } from './page-lock.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Key, KeyQuery, Pair, Query } from 'interface-datastore'

/** Where the peer store keeps what it knows of others. */
const PEERS = '/peers/'

/**
 * A datastore in the database of a name.
 *
 * Batches are written one record after another: those of `datastore-idb` go in
 * one transaction, but do not say when that fails.
 */
export class IdbRecords extends BaseDatastore {
  readonly #name: string
  readonly #database: IDBDatastore
  #release?: () => Promise<void>

  constructor (name: string) {
    super()
    this.#name = name
    this.#database = new IDBDatastore(name)
  }

  /**
   * Nothing happens if it is open.
   *
   * @throws {DataDirInUseError} another page has it open
   * @throws {StoreFullError} there is no room to open it
   * @throws {StoreWriteError} the browser lets this page have no database
   */
  async open (): Promise<void> {
    if (this.#release != null) {
      return
    }

    const release = await holdName(`formicary:${this.#name}`)

    try {
      await this.#database.open()
    } catch (err) {
      await release()
      throw recordsError(err, `Could not open the database ${this.#name}`)
    }

    this.#release = release
  }

  /** Lets other pages have it; nothing happens if it is closed. */
  async close (): Promise<void> {
    const release = this.#release
    this.#release = undefined

    if (release != null) {
      await this.#database.close()
      await release()
    }
  }

  /** What is known of other peers is a help for later: a node whose disk is full goes on without. */
  async put (key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> {
    await this.#write(async () => this.#database.put(key, value, options), options).catch((err: Error) => {
      options?.signal?.throwIfAborted()

      if (!key.toString().startsWith(PEERS)) {
        throw err
      }
    })

    return key
  }

  async delete (key: Key, options?: AbortOptions): Promise<void> {
    await this.#write(async () => this.#database.delete(key, options), options)
  }

  async get (key: Key, options?: AbortOptions): Promise<Uint8Array> {
    return this.#read(async () => this.#database.get(key, options), options)
  }

  async has (key: Key, options?: AbortOptions): Promise<boolean> {
    return this.#read(async () => this.#database.has(key, options), options)
  }

  async * query (query: Query, options?: AbortOptions): AsyncGenerator<Pair> {
    yield * this.#database.query(query, options)
  }

  async * queryKeys (query: KeyQuery, options?: AbortOptions): AsyncGenerator<Key> {
    yield * this.#database.queryKeys(query, options)
  }

  /** The database makes an error of its own of the reason of a signal. */
  async #read<T> (read: () => Promise<T>, options?: AbortOptions): Promise<T> {
    try {
      return await read()
    } catch (err) {
      options?.signal?.throwIfAborted()
      throw err
    }
  }

  async #write (write: () => Promise<unknown>, options?: AbortOptions): Promise<void> {
    try {
      await write()
    } catch (err) {
      options?.signal?.throwIfAborted()
      throw recordsError(err, `Could not write to the database ${this.#name}`)
    }
  }
}

/** `datastore-idb` passes on what the browser said, in words only. */
function recordsError (err: unknown, doing: string): Error {
  const message = `${doing}: ${(err as Error).message}`

  return /quota/i.test(message) ? new StoreFullError(message, { cause: err }) : new StoreWriteError(message, { cause: err })
}
