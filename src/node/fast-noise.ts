import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { noise } from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { Uint8ArrayList } from 'uint8arraylist'
import { hastenScavenge } from './scavenge.ts'
import type { ICryptoInterface } from '@libp2p/noise'
import type { KeyObject } from 'node:crypto'

const CIPHER = 'chacha20-poly1305'
const TAG_SIZE = 16
const OPTIONS = { authTagLength: TAG_SIZE }

/** Below so many bytes the WebAssembly of `defaultCrypto` is quicker than a call into OpenSSL. */
const SMALL = 1200

/** Keys last as long as their connection. */
const keys = new WeakMap<Uint8Array, KeyObject>()

function keyObject (key: Uint8Array): KeyObject {
  let object = keys.get(key)

  if (object == null) {
    object = createSecretKey(key)
    keys.set(key, object)
  }

  return object
}

/**
 * The same ChaCha20-Poly1305 as {@link defaultCrypto}, byte for byte, with the
 * key prepared once for a connection: given as bytes, OpenSSL prepares it for
 * every message, which takes as long as encrypting 16 KiB with it. What it leaves
 * behind is freed in time, see `scavenge.ts`.
 */
export const fastCrypto: ICryptoInterface = {
  ...defaultCrypto,

  chaCha20Poly1305Encrypt (plaintext, nonce, ad, key) {
    const size = plaintext.byteLength

    if (size < SMALL) {
      return defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key)
    }

    hastenScavenge(size)
    const cipher = createCipheriv(CIPHER, keyObject(key), nonce, OPTIONS)
    cipher.setAAD(ad, { plaintextLength: size })
    const output = new Uint8ArrayList()

    for (const bytes of plaintext instanceof Uint8Array ? [plaintext] : plaintext) {
      output.append(cipher.update(bytes))
    }

    cipher.final()
    output.append(cipher.getAuthTag())

    return output
  },

  chaCha20Poly1305Decrypt (ciphertext, nonce, ad, key, target) {
    const size = ciphertext.byteLength - TAG_SIZE

    if (size < SMALL) {
      return defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, target)
    }

    hastenScavenge(size)
    const decipher = createDecipheriv(CIPHER, keyObject(key), nonce, OPTIONS)
    decipher.setAAD(ad, { plaintextLength: size })
    decipher.setAuthTag(ciphertext.subarray(size))

    if (ciphertext instanceof Uint8Array) {
      const output = decipher.update(ciphertext.subarray(0, size))
      decipher.final()

      return output
    }

    const output = new Uint8ArrayList()

    for (const bytes of ciphertext.sublist(0, size)) {
      output.append(decipher.update(bytes))
    }

    // throws if the tag is not that of the text
    decipher.final()

    return output
  }
}

/** Noise, about a third faster on large messages than with its own cryptography. */
export function fastNoise (): ReturnType<typeof noise> {
  return noise({ crypto: fastCrypto })
}
