/**
 * Who a node is: its private key, where that is kept, and how it gets to
 * another device.
 *
 * An exported identity is one line of text, `formicary-identity-1:` and then,
 * as base64url without padding:
 *
 * | bytes | what |
 * | --- | --- |
 * | 1 | log2 of N of scrypt |
 * | 1 | r |
 * | 1 | p |
 * | 16 | salt, random |
 * | n | AES-256-GCM of the private key as protobuf, with its tag |
 * | 4 | SHA-256 of all before, the first bytes |
 *
 * The key is that of scrypt over the passphrase in Unicode NFKC, used once, so
 * the nonce is zeros; what stands before the encrypted bytes is authenticated
 * with them. The hash tells an export that is damaged from a passphrase that is
 * wrong.
 *
 * @module
 */

import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { isPrivateKey } from '@libp2p/interface'
import { Key } from 'interface-datastore'
import { base64url } from 'multiformats/bases/base64'
import { hashSync } from '../content/index.ts'
import { DecryptionError, InvalidParametersError } from '../errors.ts'
import type { PrivateKey } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'

/** Where the private key is kept. */
const IDENTITY_KEY = new Key('/formicary/identity')

const PREFIX = 'formicary-identity-1:'

/** Characters of a passphrase, at least. */
const MIN_PASSPHRASE_LENGTH = 8

/** UTF-16 code units of a passphrase, at most. */
const MAX_PASSPHRASE_LENGTH = 1024

/** Characters of an export, at most: an RSA key of 8,192 bits takes some 6,500. */
const MAX_TEXT_LENGTH = 16 * 1024

/** What scrypt is to cost: 32 MiB of memory, and some 100 ms. */
const COST = { logN: 15, r: 8, p: 1 }

/** Memory that an export may make us take, in bytes. */
const MAX_MEMORY = 256 * 1024 * 1024

const MAX_P = 4

const SALT_SIZE = 16
const HEAD_SIZE = 3 + SALT_SIZE
const TAG_SIZE = 16
const CHECK_SIZE = 4
const NONCE = new Uint8Array(12)

type Bytes = Uint8Array<ArrayBuffer>

/**
 * The private key in the datastore; made on first use. Whoever can read the
 * datastore can be this node.
 *
 * @param identity - to be used instead of one that is made
 * @throws {InvalidParametersError} another identity is kept; nothing changed
 */
export async function loadIdentity (datastore: Datastore, identity?: PrivateKey): Promise<PrivateKey> {
  if (await datastore.has(IDENTITY_KEY)) {
    const kept = privateKeyFromProtobuf(await datastore.get(IDENTITY_KEY))

    if (identity != null && !identity.equals(kept)) {
      throw new InvalidParametersError('dataDir holds another identity: use it without identity, or another dataDir')
    }

    return kept
  }

  const key = identity ?? await generateKeyPair('Ed25519')
  await datastore.put(IDENTITY_KEY, privateKeyToProtobuf(key))

  return key
}

/**
 * Encrypts a private key with a passphrase, as one line of text that can be
 * kept on paper or in a safe. Whoever has both is the node, and reads its
 * vault; without the passphrase the text is useless, and so it is to you.
 *
 * @example
 *
 * ```ts
 * import { createNode, importIdentity } from 'formicary'
 *
 * const node = await createNode({ dataDir: './ada' })
 * const text = await node.exportIdentity('a long passphrase')
 * await node.stop()
 *
 * // later, on another device
 * const identity = await importIdentity(text, 'a long passphrase')
 * const same = await createNode({ dataDir: './ada', identity })
 * ```
 *
 * @param passphrase - 8 characters or more; a short one can be guessed by who has the text
 * @throws {InvalidParametersError} the passphrase cannot be used, or this is not a private key
 */
export async function exportIdentity (privateKey: PrivateKey, passphrase: string): Promise<string> {
  const password = encodePassphrase(passphrase)
  const plain = encodeKey(privateKey)
  const head = Uint8Array.of(COST.logN, COST.r, COST.p, ...crypto.getRandomValues(new Uint8Array(SALT_SIZE)))
  const key = await deriveKey(password, head, 'encrypt')
  const encrypted = new Uint8Array(await crypto.subtle.encrypt(gcm(head), key, plain))

  return PREFIX + encodeText(Uint8Array.of(...head, ...encrypted))
}

/**
 * Reads a private key that {@link exportIdentity} encrypted.
 *
 * @throws {DecryptionError} the passphrase is not the one it was encrypted with
 * @throws {InvalidParametersError} this is not an exported identity, or it is damaged; or the passphrase is shorter than any
 */
export async function importIdentity (text: string, passphrase: string): Promise<PrivateKey> {
  const bytes = decodeText(text)
  const head = bytes.subarray(0, HEAD_SIZE)
  assertCost(head)
  const key = await deriveKey(encodePassphrase(passphrase), head, 'decrypt')
  let plain: ArrayBuffer

  try {
    plain = await crypto.subtle.decrypt(gcm(head), key, bytes.subarray(HEAD_SIZE))
  } catch (err) {
    throw new DecryptionError('The passphrase is wrong', { cause: err })
  }

  try {
    return privateKeyFromProtobuf(new Uint8Array(plain))
  } catch (err) {
    throw damaged('it holds no private key', err)
  }
}

function encodeKey (privateKey: PrivateKey): Bytes {
  if (!isPrivateKey(privateKey)) {
    throw new InvalidParametersError('An identity is a PrivateKey of libp2p')
  }

  return Uint8Array.from(privateKeyToProtobuf(privateKey))
}

/** The same passphrase as bytes, on whatever keyboard it was typed. */
function encodePassphrase (passphrase: string): Bytes {
  if (typeof passphrase !== 'string' || !passphrase.isWellFormed() || passphrase.length > MAX_PASSPHRASE_LENGTH) {
    throw new InvalidParametersError(`A passphrase should be a string of at most ${MAX_PASSPHRASE_LENGTH} characters`)
  }

  const normal = passphrase.normalize('NFKC')

  if ([...normal].length < MIN_PASSPHRASE_LENGTH) {
    throw new InvalidParametersError(`A passphrase should have ${MIN_PASSPHRASE_LENGTH} characters or more`)
  }

  return new TextEncoder().encode(normal)
}

async function deriveKey (password: Bytes, head: Bytes, use: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  const [logN, r, p] = head
  // pages load it when they need it, which is seldom
  const { scryptAsync } = await import('@noble/hashes/scrypt.js')
  const bytes = await scryptAsync(password, head.subarray(3), { N: 2 ** logN, r, p, dkLen: 32, maxmem: 2 * MAX_MEMORY })

  return crypto.subtle.importKey('raw', Uint8Array.from(bytes), 'AES-GCM', false, [use])
}

function gcm (head: Bytes): AesGcmParams {
  return { name: 'AES-GCM', iv: NONCE, additionalData: head }
}

function assertCost ([logN, r, p]: Bytes): void {
  if (logN < 1 || r < 1 || p < 1 || p > MAX_P || 128 * r * 2 ** logN > MAX_MEMORY) {
    throw new InvalidParametersError('This exported identity asks for more memory than any needs')
  }
}

function encodeText (bytes: Bytes): string {
  return base64url.baseEncode(Uint8Array.of(...bytes, ...hashSync(bytes).subarray(0, CHECK_SIZE)))
}

function decodeText (text: string): Bytes {
  // what was copied may have blanks and line breaks in it
  const line = typeof text === 'string' && text.length <= MAX_TEXT_LENGTH ? text.replace(/\s/g, '') : ''

  if (!line.startsWith(PREFIX)) {
    throw new InvalidParametersError(`An exported identity begins with ${PREFIX}`)
  }

  const bytes = decodeBase64(line.slice(PREFIX.length))
  const end = bytes.byteLength - CHECK_SIZE

  if (end < HEAD_SIZE + TAG_SIZE || !hashSync(bytes.subarray(0, end)).subarray(0, CHECK_SIZE).every((byte, i) => byte === bytes[end + i])) {
    throw damaged('some of its characters are missing or wrong')
  }

  return bytes.subarray(0, end)
}

function decodeBase64 (text: string): Bytes {
  try {
    return Uint8Array.from(base64url.baseDecode(text))
  } catch (err) {
    throw damaged('some of its characters are wrong', err)
  }
}

function damaged (why: string, cause?: unknown): InvalidParametersError {
  return new InvalidParametersError(`The exported identity is damaged: ${why}`, { cause })
}
