/**
 * Records in a LevelDB, kept safe when the disk is not.
 *
 * LevelDB appends what is put to a log. Once a write to that failed half-way,
 * everything appended after it can be read until the process ends, and is lost
 * then. So after a failed write nothing is written until there is room again,
 * and the database has been opened anew, which begins another log.
 *
 * @module
 */

import { LevelDatastore } from 'datastore-level'
import { waitFor } from '../delay.ts'
import { DataDirInUseError, StoreFullError, StoreWriteError } from '../errors.ts'
import { freeSpace } from '../store/disk-files.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Key, Pair } from 'interface-datastore'

/** Bytes that have to be free to open a database: its log, of 4 MiB at most, becomes a table, and what was there is deleted after. */
const ROOM_TO_OPEN = 8 * 1024 * 1024

/** Where the peer store keeps what it knows of others. */
const PEERS = '/peers/'

export class RecordsDatastore extends LevelDatastore {
  readonly #folder: string

  /** `true` after a write failed: what is appended now would be lost. */
  #torn = false
  #mending?: Promise<void>

  constructor (folder: string) {
    super(folder)
    this.#folder = folder
  }

  /**
   * @throws {DataDirInUseError} somebody else has it open
   * @throws {StoreFullError} there is no room to open it
   */
  async open (): Promise<void> {
    try {
      await this.db.open({ compression: false })
    } catch (err) {
      // the database says that it failed, and its cause why
      const cause = (err as Error).cause as { code?: string } | undefined

      throw cause?.code === 'LEVEL_LOCKED'
        ? new DataDirInUseError(`Another node uses ${this.#folder}`, { cause: err })
        : recordsError(cause ?? err, `Could not open ${this.#folder}`)
    }
  }

  async close (): Promise<void> {
    await this.#mending?.catch(() => {})
    this.#torn = false
    await super.close()
  }

  /** What is known of other peers is a help for later: a node whose disk is full goes on without. */
  async put (key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> {
    try {
      await this.#write(async () => this.db.put(key.toString(), value), options)
    } catch (err) {
      options?.signal?.throwIfAborted()

      if (!key.toString().startsWith(PEERS)) {
        throw err
      }
    }

    return key
  }

  async delete (key: Key, options?: AbortOptions): Promise<void> {
    await this.#write(async () => this.db.del(key.toString()), options)
  }

  async get (key: Key, options?: AbortOptions): Promise<Uint8Array> {
    await this.#mending?.catch(() => {})

    return super.get(key, options)
  }

  async has (key: Key, options?: AbortOptions): Promise<boolean> {
    await this.#mending?.catch(() => {})

    return super.has(key, options)
  }

  async * _query (query: Parameters<LevelDatastore['_query']>[0]): AsyncGenerator<Pair> {
    await this.#mending?.catch(() => {})
    yield * super._query(query)
  }

  async #write (write: () => Promise<void>, options?: AbortOptions): Promise<void> {
    options?.signal?.throwIfAborted()
    await waitFor(this.#attempt(write), options?.signal)
  }

  async #attempt (write: () => Promise<void>): Promise<void> {
    if (this.#torn) {
      this.#mending ??= this.#mend().finally(() => { this.#mending = undefined })
      await this.#mending
    }

    try {
      await write()
    } catch (err) {
      this.#torn ||= this.db.status === 'open'
      throw recordsError(err, `Could not write to ${this.#folder}`)
    }
  }

  async #mend (): Promise<void> {
    if (await freeSpace(this.#folder) < ROOM_TO_OPEN) {
      throw new StoreFullError(`There is no room for records in ${this.#folder}`)
    }

    await this.db.close()
    await this.open()
    this.#torn = false
  }
}

/** LevelDB passes on what the file system said, in words only. */
function recordsError (err: unknown, doing: string): Error {
  const message = `${doing}: ${(err as Error).message}`

  return /no space left|quota exceeded/i.test(message) ? new StoreFullError(message, { cause: err }) : new StoreWriteError(message, { cause: err })
}
