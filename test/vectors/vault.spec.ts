import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { base16 } from 'multiformats/bases/base16'
import { VaultKeys } from '../../src/contingency/vault-crypto.ts'
import file from './vault.json' with { type: 'json' }

const { baseDecode: bytesOf, baseEncode: hexOf } = base16

describe('vault: what version 1 encrypted', () => {
  async function keysOf (network: string): Promise<VaultKeys> {
    return VaultKeys.derive(await generateKeyPairFromSeed('Ed25519', bytesOf(file.seed)), network)
  }

  it('is read', async () => {
    for (const { network, name, value, key, sealedName, sealedValue } of file.objects) {
      const keys = await keysOf(network)

      expect(await keys.openName(key, bytesOf(sealedName))).to.equal(name)
      expect(hexOf(await keys.openValue(key, bytesOf(sealedValue)))).to.equal(value)
    }
  })

  it('is encrypted to the same bytes', async () => {
    for (const { network, name, value, salt, key, sealedName, sealedValue } of file.objects) {
      const keys = await keysOf(network)

      expect(await keys.keyOf(name)).to.equal(key)
      expect(hexOf(await keys.sealName(key, name, Uint8Array.from(bytesOf(salt))))).to.equal(sealedName)
      expect(hexOf(await keys.sealValue(key, bytesOf(value), Uint8Array.from(bytesOf(salt))))).to.equal(sealedValue)
    }
  })
})
