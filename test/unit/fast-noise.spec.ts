import { createHash, randomBytes } from 'node:crypto'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { expect } from 'chai'
import { Uint8ArrayList } from 'uint8arraylist'
import { fastCrypto } from '../../src/node/fast-noise.ts'

const KEY = randomBytes(32)
const NONCE = randomBytes(12)
const AD = new Uint8Array()
const SIZES = [0, 1, 1_199, 1_200, 16_384, 65_519]

/** The same bytes in parts, each in a buffer of its own with other bytes around it. */
function inParts (bytes: Uint8Array, count: number): Uint8ArrayList {
  const list = new Uint8ArrayList()
  const step = Math.ceil(bytes.byteLength / count)

  for (let at = 0; at < bytes.byteLength; at += step) {
    const part = bytes.subarray(at, at + step)
    const around = new Uint8Array(part.byteLength + 20)
    around.set(part, 10)
    list.append(around.subarray(10, 10 + part.byteLength))
  }

  return list
}

function hash (bytes: Uint8Array | Uint8ArrayList): string {
  return createHash('sha256').update(bytes.subarray()).digest('hex')
}

describe('node: noise', () => {
  for (const size of SIZES) {
    for (const parts of [1, 2, 5]) {
      it(`encrypts ${size} bytes in ${parts} parts as the default does, and decrypts them`, () => {
        const text = randomBytes(size)
        const encrypted = defaultCrypto.chaCha20Poly1305Encrypt(text, NONCE, AD, KEY)
        const ours = fastCrypto.chaCha20Poly1305Encrypt(inParts(text, parts), NONCE, AD, KEY)
        expect(hash(ours)).to.equal(hash(encrypted))

        const list = inParts(encrypted.subarray(), parts)
        const before = hash(list)
        // as noise gives it: a view where there is one part, else a copy
        const target = list.subarray(0, size)
        const decrypted = fastCrypto.chaCha20Poly1305Decrypt(list, NONCE, AD, KEY, target)
        expect(hash(decrypted)).to.equal(hash(text))

        // the default, which is used for what is small, decrypts in place
        if (size >= 1_200) {
          expect(hash(list)).to.equal(before)
        }
      })
    }

    it(`refuses ${size} bytes that were changed on the way`, () => {
      const encrypted = defaultCrypto.chaCha20Poly1305Encrypt(randomBytes(size), NONCE, AD, KEY).subarray().slice()
      encrypted[encrypted.byteLength >> 1] ^= 1
      expect(() => { fastCrypto.chaCha20Poly1305Decrypt(inParts(encrypted, 3), NONCE, AD, KEY) }).to.throw()
      expect(() => { fastCrypto.chaCha20Poly1305Decrypt(encrypted, NONCE, AD, KEY) }).to.throw()
    })
  }
})
