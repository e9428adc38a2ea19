import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { VaultKeys } from '../../src/contingency/vault-crypto.ts'
import type { PrivateKey } from '@libp2p/interface'

/** The vault as its description says, made of nothing but the cryptography of Node. */
class NaiveKeys {
  readonly #secret: Uint8Array
  readonly #network: string

  constructor (secret: Uint8Array, network: string) {
    this.#secret = secret
    this.#network = network
  }

  keyOf (name: string): string {
    const nameKey = hkdfSync('sha256', this.#secret, '', `formicary/${this.#network}/vault-names/1`, 32)

    return createHmac('sha256', new Uint8Array(nameKey)).update(name).digest('hex').slice(0, 32)
  }

  open (kind: string, key: string, sealed: Uint8Array): Buffer {
    const master = hkdfSync('sha256', this.#secret, '', `formicary/${this.#network}/vault/1`, 32)
    const objectKey = hkdfSync('sha256', new Uint8Array(master), sealed.subarray(1, 33), kind, 32)
    const decipher = createDecipheriv('aes-256-gcm', new Uint8Array(objectKey), Buffer.alloc(12))
    decipher.setAAD(Buffer.concat([Buffer.from(key, 'hex'), Buffer.from(kind)]))
    decipher.setAuthTag(sealed.subarray(-16))

    return Buffer.concat([decipher.update(sealed.subarray(33, -16)), decipher.final()])
  }
}

describe('vault encryption', () => {
  const KEYS: Array<[string, () => Promise<PrivateKey>, (key: PrivateKey) => Uint8Array]> = [
    ['Ed25519', async () => generateKeyPair('Ed25519'), key => key.raw.subarray(0, 32)],
    ['secp256k1', async () => generateKeyPair('secp256k1'), key => key.raw],
    ['RSA', async () => generateKeyPair('RSA', 2048), key => key.raw]
  ]

  for (const [type, generate, secretOf] of KEYS) {
    it(`with a key of ${type} is what a naive implementation reads`, async () => {
      const privateKey = await generate()
      const keys = await VaultKeys.derive(privateKey, 'films')
      const naive = new NaiveKeys(secretOf(privateKey), 'films')

      for (const name of ['a', 'Ünïcödé', 'x'.repeat(31), 'x'.repeat(32), 'é'.repeat(127)]) {
        const key = await keys.keyOf(name)
        const value = crypto.getRandomValues(new Uint8Array(name.length * 100))
        const padded = naive.open('name', key, await keys.sealName(key, name))

        expect(key).to.equal(naive.keyOf(name))
        expect(padded.length % 32).to.equal(0)
        expect(padded.subarray(1, 1 + padded[0]).toString()).to.equal(name)
        expect(padded.subarray(1 + padded[0]).every(byte => byte === 0)).to.equal(true)
        expect(naive.open('value', key, await keys.sealValue(key, value)).equals(value)).to.equal(true)
      }
    })
  }
})
