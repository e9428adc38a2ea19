/**
 * What makes the vault of a node unreadable for everybody else.
 *
 * Everything follows from the private key of the node, so who has that has the
 * vault, on any device. With `HKDF(secret, salt, info)` of SHA-256, 32 bytes:
 *
 * | what | how |
 * | --- | --- |
 * | secret | the private key; of Ed25519 its seed |
 * | master key | `HKDF(secret, '', 'formicary/<network>/vault/1')` |
 * | name key | `HKDF(secret, '', 'formicary/<network>/vault-names/1')` |
 * | key of an item | first 16 bytes of HMAC-SHA-256 of the name, under the name key |
 * | key of an object | `HKDF(master key, 32 random bytes, 'name' or 'value')` |
 * | object | `1`, the 32 random bytes, AES-256-GCM of the plain bytes with its tag |
 *
 * A key is used for one object only, so the nonce is zeros. The key of the
 * item, and `name` or `value`, are authenticated with the object: who keeps it
 * cannot pass one off as another. An old value of the same name is told by its
 * hash, which the item has. Before a name goes its length, as one byte, and
 * after it zeros up to a multiple of 32.
 *
 * Not hidden are how many values there are, how large each is, and when one
 * changes.
 *
 * @module
 */

import { DecryptionError, InvalidParametersError } from '../errors.ts'
import { bytesOfKey, KEY_SIZE, keyOfBytes } from './item-codec.ts'
import type { ItemKey } from './items.ts'
import type { PrivateKey } from '@libp2p/interface'

/** Bytes of UTF-8 in a name, at most: its length is one byte. */
export const MAX_VAULT_NAME_SIZE = 255

/** How objects are written now. */
const VERSION = 1

const SALT_SIZE = 32
const TAG_SIZE = 16

/** Bytes of an object beyond those that are encrypted. */
const OVERHEAD = 1 + SALT_SIZE + TAG_SIZE

/** Names are padded to a multiple of so many bytes. */
const NAME_STEP = 32

const NONCE = new Uint8Array(12)

/** Bytes of a seed, with which the private key of Ed25519 begins. */
const SEED_SIZE = 32

const encoder = new TextEncoder()

type Bytes = Uint8Array<ArrayBuffer>
type Kind = 'name' | 'value'

/** Bytes of a value when it is encrypted. */
export function sealedSize (size: number): number {
  return size + OVERHEAD
}

/** Bytes of the value that was encrypted to so many. */
export function openedSize (size: number): number {
  return Math.max(0, size - OVERHEAD)
}

/** The keys of the vault of one node in one colony. */
export class VaultKeys {
  readonly #master: CryptoKey
  readonly #names: CryptoKey

  private constructor (master: CryptoKey, names: CryptoKey) {
    this.#master = master
    this.#names = names
  }

  /** Derives the keys; nothing can read them again. */
  static async derive (privateKey: PrivateKey, network: string): Promise<VaultKeys> {
    const bytes = privateKey.type === 'Ed25519' ? privateKey.raw.subarray(0, SEED_SIZE) : privateKey.raw
    const secret = await crypto.subtle.importKey('raw', Uint8Array.from(bytes), 'HKDF', false, ['deriveBits'])
    const bits = async (info: string): Promise<ArrayBuffer> => crypto.subtle.deriveBits(hkdf(new Uint8Array(), info), secret, 256)
    const [master, names] = await Promise.all([bits(`formicary/${network}/vault/1`), bits(`formicary/${network}/vault-names/1`)])

    return new VaultKeys(
      await crypto.subtle.importKey('raw', master, 'HKDF', false, ['deriveKey']),
      await crypto.subtle.importKey('raw', names, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    )
  }

  /**
   * The key of the item with this name.
   *
   * @throws {InvalidParametersError} the name cannot be used
   */
  async keyOf (name: string): Promise<ItemKey> {
    const mac = await crypto.subtle.sign('HMAC', this.#names, encodeName(name))

    return keyOfBytes(new Uint8Array(mac, 0, KEY_SIZE))
  }

  /**
   * Encrypts a name.
   *
   * @param salt - never to be used twice; to be given only by who compares the result
   * @throws {InvalidParametersError} the name cannot be used
   */
  async sealName (key: ItemKey, name: string, salt?: Bytes): Promise<Bytes> {
    const bytes = encodeName(name)
    const padded = new Uint8Array(paddedSize(bytes.byteLength))
    padded[0] = bytes.byteLength
    padded.set(bytes, 1)

    return this.#seal('name', key, padded, salt)
  }

  /** Encrypts a value; `salt` as for a name. */
  async sealValue (key: ItemKey, value: Uint8Array, salt?: Bytes): Promise<Bytes> {
    return this.#seal('value', key, value as Bytes, salt)
  }

  /**
   * Reads the name of an item.
   *
   * @throws {DecryptionError} these are not the bytes of a name, or not of that of this item
   */
  async openName (key: ItemKey, sealed: Uint8Array): Promise<string> {
    const name = decodeName(await this.#open('name', key, sealed))

    if (name == null || await this.keyOf(name) !== key) {
      throw new DecryptionError('This is not the name of a value in this vault')
    }

    return name
  }

  /**
   * Reads the value of an item.
   *
   * @throws {DecryptionError} these are not the bytes of a value, or not of one of this item
   */
  async openValue (key: ItemKey, sealed: Uint8Array): Promise<Uint8Array> {
    return this.#open('value', key, sealed)
  }

  async #seal (kind: Kind, key: ItemKey, plain: Bytes, salt = crypto.getRandomValues(new Uint8Array(SALT_SIZE))): Promise<Bytes> {
    const objectKey = await this.#objectKey(kind, salt, 'encrypt')
    const encrypted = await crypto.subtle.encrypt(gcm(kind, key), objectKey, plain)
    const sealed = new Uint8Array(1 + SALT_SIZE + encrypted.byteLength)
    sealed[0] = VERSION
    sealed.set(salt, 1)
    sealed.set(new Uint8Array(encrypted), 1 + SALT_SIZE)

    return sealed
  }

  async #open (kind: Kind, key: ItemKey, sealed: Uint8Array): Promise<Bytes> {
    if (sealed.byteLength < OVERHEAD || sealed[0] !== VERSION) {
      throw new DecryptionError(`These are not the bytes of a ${kind}, or those of a later version`)
    }

    const objectKey = await this.#objectKey(kind, sealed.slice(1, 1 + SALT_SIZE), 'decrypt')

    try {
      return new Uint8Array(await crypto.subtle.decrypt(gcm(kind, key), objectKey, sealed.subarray(1 + SALT_SIZE) as Bytes))
    } catch (err) {
      throw new DecryptionError(`A ${kind} in the vault is damaged, or was encrypted with another key`, { cause: err })
    }
  }

  async #objectKey (kind: Kind, salt: Bytes, use: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
    return crypto.subtle.deriveKey(hkdf(salt, kind), this.#master, { name: 'AES-GCM', length: 256 }, false, [use])
  }
}

function hkdf (salt: Bytes, info: string): HkdfParams {
  return { name: 'HKDF', hash: 'SHA-256', salt, info: encoder.encode(info) }
}

function gcm (kind: Kind, key: ItemKey): AesGcmParams {
  return { name: 'AES-GCM', iv: NONCE, additionalData: Uint8Array.from([...bytesOfKey(key), ...encoder.encode(kind)]) }
}

/** A name as bytes; different names make different ones. */
function encodeName (name: string): Bytes {
  if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
    throw new InvalidParametersError('The name of a value should be a string of Unicode that is not empty')
  }

  const bytes = encoder.encode(name)

  if (bytes.byteLength > MAX_VAULT_NAME_SIZE) {
    throw new InvalidParametersError(`The name of a value should have at most ${MAX_VAULT_NAME_SIZE} bytes in UTF-8, not ${bytes.byteLength}`)
  }

  return bytes
}

function decodeName (padded: Bytes): string | undefined {
  const size = padded[0] ?? 0

  try {
    return size > 0 && padded.byteLength === paddedSize(size) ? new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(padded.subarray(1, 1 + size)) : undefined
  } catch {
    return undefined
  }
}

function paddedSize (size: number): number {
  return Math.ceil((1 + size) / NAME_STEP) * NAME_STEP
}
