import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { openedSize, sealedSize, VaultKeys } from '../../src/contingency/vault-crypto.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { failure } from '../fixtures/failure.ts'

describe('vault encryption', () => {
  const value = Uint8Array.from({ length: 100 }, (_, i) => i)
  let keys: VaultKeys
  let key: string

  before(async () => {
    keys = await VaultKeys.derive(await generateKeyPair('Ed25519'), 'films')
    key = await keys.keyOf('a')
  })

  it('gives back values and names', async () => {
    for (const name of ['a', '\ufeffa', 'a\0b\n', ' ', '日本語', '👩‍🚀', 'x'.repeat(255)]) {
      const item = await keys.keyOf(name)

      expect(await keys.openName(item, await keys.sealName(item, name))).to.equal(name)
    }

    expect(sameBytes(await keys.openValue(key, await keys.sealValue(key, value)), value)).to.equal(true)
    expect(await keys.openValue(key, await keys.sealValue(key, new Uint8Array()))).to.have.length(0)
  })

  it('never makes the same bytes twice', async () => {
    expect(sameBytes(await keys.sealValue(key, value), await keys.sealValue(key, value))).to.equal(false)
    expect(sameBytes(await keys.sealName(key, 'a'), await keys.sealName(key, 'a'))).to.equal(false)
  })

  it('adds as much as it says', async () => {
    for (const size of [0, 1, 100]) {
      const sealed = await keys.sealValue(key, new Uint8Array(size))

      expect(sealed.byteLength).to.equal(sealedSize(size))
      expect(openedSize(sealed.byteLength)).to.equal(size)
    }
  })

  it('tells little of how long a name is', async () => {
    const sizes = await Promise.all([1, 31, 32, 63, 255].map(async length => (await keys.sealName(key, 'x'.repeat(length))).byteLength))

    expect(sizes).to.deep.equal([32, 32, 64, 64, 256].map(size => sealedSize(size)))
  })

  for (const name of ['', 'x'.repeat(256), 'é'.repeat(128), '\ud800', 5 as any]) {
    it(`refuses ${JSON.stringify(name).slice(0, 20)} as a name`, async () => {
      expect(await failure(keys.keyOf(name))).to.have.property('name', 'InvalidParametersError')
      expect(await failure(keys.sealName(key, name))).to.have.property('name', 'InvalidParametersError')
    })
  }

  it('notices every byte that is changed', async () => {
    const sealed = await keys.sealValue(key, value.subarray(0, 20))
    const name = await keys.sealName(key, 'a')

    for (let at = 0; at < name.byteLength; at++) {
      expect(await failure(keys.openName(key, name.with(at, name[at] ^ 1)))).to.have.property('name', 'DecryptionError')
    }

    for (let at = 0; at < sealed.byteLength; at++) {
      expect(await failure(keys.openValue(key, sealed.with(at, sealed[at] ^ 0x80)))).to.have.property('name', 'DecryptionError')
      expect(await failure(keys.openValue(key, sealed.subarray(0, at)))).to.have.property('name', 'DecryptionError')
    }
  })

  it('notices when one thing is passed off as another', async () => {
    const other = await keys.keyOf('b')
    const [sealed, name] = [await keys.sealValue(key, value), await keys.sealName(key, 'a')]

    expect(await failure(keys.openValue(other, sealed))).to.have.property('name', 'DecryptionError')
    expect(await failure(keys.openName(other, name))).to.have.property('name', 'DecryptionError')
    expect(await failure(keys.openValue(key, name))).to.have.property('name', 'DecryptionError')
    expect(await failure(keys.openName(key, sealed))).to.have.property('name', 'DecryptionError')
    expect(await failure(keys.openName(key, await keys.sealName(key, 'b')))).to.have.property('name', 'DecryptionError')
  })

  it('is of one key and one colony', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const [a, again, books] = await Promise.all(['films', 'films', 'books'].map(async network => VaultKeys.derive(privateKey, network)))
    const item = await a.keyOf('a')
    const sealed = await a.sealValue(item, value)

    expect(await again.keyOf('a')).to.equal(item)
    expect(sameBytes(await again.openValue(item, sealed), value)).to.equal(true)
    expect(await books.keyOf('a')).not.to.equal(item)
    expect(await keys.keyOf('a')).not.to.equal(item)
    expect(await failure(books.openValue(item, sealed))).to.have.property('name', 'DecryptionError')
    expect(await failure(keys.openValue(item, sealed))).to.have.property('name', 'DecryptionError')
  })
})
