/**
 * The vault: values that their owner keeps with others, who cannot read them.
 *
 * Values are immutable where they are kept. Whatever is done comes in this
 * order: the new bytes are kept, then the item that names them is changed, and
 * then the old bytes are released. So if the process ends between any two
 * steps, the name has its old value or its new one, and at worst there are
 * bytes that nobody needs.
 *
 * @module
 */

import { raceSignal } from 'race-signal'
import { hashPiece, ManifestBuilder, PIECE_SIZE } from '../content/index.ts'
import { DecryptionError, InvalidParametersError, StoreFullError } from '../errors.ts'
import { openedSize, sealedSize } from './vault-crypto.ts'
import type { ItemKey, Items, Item, VaultItem } from './items.ts'
import type { VaultKeys } from './vault-crypto.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Bytes in a value, at most. */
export const MAX_VALUE_SIZE = 16 * 1024 * 1024

/** Bytes of all values together, encrypted, unless told otherwise. */
export const VAULT_LIMIT = 256 * 1024 * 1024

/** What a vault holds under a name. */
export interface VaultEntry {
  name: string

  /** Bytes in the value. */
  size: number
}

/**
 * Values under names that outlive this device: they are kept by others too,
 * who see how many there are, how large each is and when one changes, but
 * neither names nor values. Whoever has the private key of the node has the
 * vault.
 *
 * What is done with one name is done in the order in which it was asked for.
 */
export interface Vault extends AsyncIterable<[string, Uint8Array]> {
  /**
   * Keeps a value, in the place of what had the name. When this resolves the
   * value is kept by this node; others fetch it soon after.
   *
   * @param name - 1 to 255 bytes in UTF-8
   * @param value - at most 16 MiB
   * @throws {InvalidParametersError} the name or the value cannot be used; nothing changed
   * @throws {StoreFullError} the vault would be larger than it may be, or there is no room; nothing changed
   * @throws {StoreWriteError} it could not be kept; nothing changed
   * @throws the reason of `signal`; nothing changed
   */
  put (name: string, value: Uint8Array, options?: AbortOptions): Promise<void>

  /**
   * The value of a name; `undefined` if there is none.
   *
   * @throws {DecryptionError} what is kept is not what was put
   * @throws {NotFoundError} nobody who can be reached has it
   * @throws {InvalidParametersError} this cannot be a name
   * @throws the reason of `signal`
   */
  get (name: string, options?: AbortOptions): Promise<Uint8Array | undefined>

  /**
   * `true` if there is a value under this name.
   *
   * @throws {InvalidParametersError} this cannot be a name
   */
  has (name: string): Promise<boolean>

  /**
   * Deletes a value here and, as soon as they hear of it, wherever it is kept;
   * `false` if there was none.
   *
   * @throws {InvalidParametersError} this cannot be a name
   * @throws {StoreWriteError} it could not be deleted; nothing changed
   * @throws the reason of `signal`; nothing changed
   */
  delete (name: string, options?: AbortOptions): Promise<boolean>

  /**
   * All names, in no order, as they were when this began.
   *
   * @throws {DecryptionError} a name is damaged; the others have been yielded
   * @throws the reason of `signal`
   */
  list (options?: AbortOptions): AsyncIterable<VaultEntry>
}

/** Where the vault keeps what it has. */
export interface VaultBackend {
  /** All items of this node; others than those of the vault are left alone. */
  readonly items: Items

  /** The version that a change made now gets. */
  nextVersion (): number

  /** Puts an item among `items`, durably when it resolves; if it rejects, nothing changed. */
  change (item: Item): Promise<void>

  /** Keeps bytes, durably when it resolves; if it rejects, nothing is kept. */
  keep (key: ItemKey, bytes: Uint8Array, options?: AbortOptions): Promise<CID>

  /** Bytes that were kept. */
  fetch (cid: CID, size: number, options?: AbortOptions): Promise<Uint8Array>

  /** No item needs these bytes any more. */
  release (cid: CID): Promise<void>
}

/** How an {@link EncryptedVault} is made. */
export interface EncryptedVaultInit {
  keys: VaultKeys
  backend: VaultBackend

  /**
   * Bytes of all values together, encrypted, at most.
   *
   * @default 268_435_456
   */
  limit?: number
}

/** A vault that gives nothing away unencrypted. */
export class EncryptedVault implements Vault {
  readonly #keys: VaultKeys
  readonly #backend: VaultBackend
  readonly #limit: number

  /** What the last operation on each name ends with, while one is under way. */
  readonly #turns = new Map<string, Promise<void>>()

  /** Bytes of values that are about to be there. */
  readonly #coming = new Map<ItemKey, number>()

  constructor ({ keys, backend, limit = VAULT_LIMIT }: EncryptedVaultInit) {
    this.#keys = keys
    this.#backend = backend
    this.#limit = limit
  }

  async put (name: string, value: Uint8Array, options?: AbortOptions): Promise<void> {
    if (!(value instanceof Uint8Array) || value.byteLength > MAX_VALUE_SIZE) {
      throw new InvalidParametersError(`A value should be a Uint8Array of at most ${MAX_VALUE_SIZE} bytes`)
    }

    // it is the caller's, who may change it while this waits
    const bytes = new Uint8Array(value)
    await this.#inTurn(name, async key => { await this.#replace(key, name, bytes, options) }, options)
  }

  async get (name: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return this.#inTurn(name, async key => {
      const item = this.#item(key)

      return item == null ? undefined : this.#read(item, options)
    }, options)
  }

  async has (name: string): Promise<boolean> {
    return this.#inTurn(name, async key => this.#item(key) != null)
  }

  async delete (name: string, options?: AbortOptions): Promise<boolean> {
    return this.#inTurn(name, async key => {
      const old = this.#item(key)

      if (old != null) {
        await this.#backend.change({ type: 'gone', key, version: this.#nextVersion(key) })
        await this.#release(old)
      }

      return old != null
    }, options)
  }

  async * list (options?: AbortOptions): AsyncGenerator<VaultEntry> {
    let damaged: unknown

    for (const { key, name, size } of [...this.#backend.items.vault()]) {
      options?.signal?.throwIfAborted()

      const known = await this.#keys.openName(key, name).catch((err: unknown) => { damaged ??= err })

      if (known != null) {
        yield { name: known, size: openedSize(size) }
      }
    }

    if (damaged != null) {
      throw damaged
    }
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<[string, Uint8Array]> {
    for await (const { name } of this.list()) {
      const value = await this.get(name)

      // it may have been deleted meanwhile
      if (value != null) {
        yield [name, value]
      }
    }
  }

  async #replace (key: ItemKey, name: string, value: Uint8Array, options?: AbortOptions): Promise<void> {
    const size = sealedSize(value.byteLength)
    this.#assertRoom(key, size)
    this.#coming.set(key, size)

    try {
      const old = this.#item(key)
      const [sealedName, sealed] = await Promise.all([this.#keys.sealName(key, name), this.#keys.sealValue(key, value)])
      const cid = await this.#backend.keep(key, sealed, options)
      await this.#name({ type: 'vault', key, version: this.#nextVersion(key), cid, size, name: sealedName }, options)

      if (old != null) {
        await this.#release(old)
      }
    } finally {
      this.#coming.delete(key)
    }
  }

  /** Changes the item of bytes that are kept, or releases them. */
  async #name (item: VaultItem, options?: AbortOptions): Promise<void> {
    try {
      options?.signal?.throwIfAborted()
      await this.#backend.change(item)
    } catch (err) {
      await this.#release(item)
      throw err
    }
  }

  async #read ({ key, cid, size }: VaultItem, options?: AbortOptions): Promise<Uint8Array> {
    const sealed = await this.#backend.fetch(cid, size, options)

    // an old value of this name can be decrypted too
    if (sealed.byteLength !== size || !(await nameOf(sealed)).equals(cid)) {
      throw new DecryptionError('A value in the vault is damaged: it does not match its hash')
    }

    return this.#keys.openValue(key, sealed)
  }

  async #release ({ cid, size }: VaultItem): Promise<void> {
    if (!this.#backend.items.needs({ cid, size })) {
      // what is done is done; bytes that stay are only bytes
      await this.#backend.release(cid).catch(() => {})
    }
  }

  #item (key: ItemKey): VaultItem | undefined {
    const item = this.#backend.items.get(key)

    return item?.type === 'vault' ? item : undefined
  }

  /** A change counts, whatever the version of what is there. */
  #nextVersion (key: ItemKey): number {
    return Math.max(this.#backend.nextVersion(), (this.#backend.items.get(key)?.version ?? -1) + 1)
  }

  #assertRoom (key: ItemKey, size: number): void {
    let bytes = this.#backend.items.vaultBytes + size - (this.#item(key)?.size ?? 0)

    for (const [other, coming] of this.#coming) {
      bytes += coming - (this.#item(other)?.size ?? 0)
    }

    if (bytes > this.#limit) {
      throw new StoreFullError(`The vault would have ${bytes} bytes, and may have ${this.#limit}`)
    }
  }

  /** Waits until everything else that was asked of this name is done. */
  async #inTurn<T> (name: string, work: (key: ItemKey) => Promise<T>, options?: AbortOptions): Promise<T> {
    options?.signal?.throwIfAborted()
    const before = this.#turns.get(name) ?? Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const turn = before.then(async () => promise)
    this.#turns.set(name, turn)
    void turn.then(() => {
      if (this.#turns.get(name) === turn) {
        this.#turns.delete(name)
      }
    })

    try {
      await raceSignal(before, options?.signal)

      return await work(await this.#keys.keyOf(name))
    } finally {
      resolve()
    }
  }
}

/** The name of bytes as a content. */
async function nameOf (bytes: Uint8Array): Promise<CID> {
  const builder = new ManifestBuilder()

  for (let at = 0; at < bytes.byteLength; at += PIECE_SIZE) {
    const piece = bytes.subarray(at, at + PIECE_SIZE)
    builder.add(await hashPiece(piece), piece.byteLength)
  }

  return builder.finish().root
}
