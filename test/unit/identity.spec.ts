import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { base64url } from 'multiformats/bases/base64'
import { hashSync } from '../../src/content/index.ts'
import { checkInit } from '../../src/node/check-init.ts'
import { exportIdentity, importIdentity, loadIdentity } from '../../src/node/identity.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { failure } from '../fixtures/failure.ts'
import type { PrivateKey } from '@libp2p/interface'

const PREFIX = 'formicary-identity-1:'
const PASSPHRASE = 'a long pässphrase'

/** Exported by the first version, from the key of the seed 0, 1, 2, … */
const KNOWN = 'formicary-identity-1:DwgB27tPY3rnfkF8Pcv9Q82NX2uLxOvSedG6t_0i8-iTkOyZ8HbWG5YTADY4Gngpg0pwOBwdV93AEcl2-wDnNoI3O_L2PzWMIwk5CCw-KMOkyS0QViZE11bDUtROUkMa_rs8ll3kbjJ7fuk'

describe('an exported identity', function () {
  // scrypt is slow on purpose
  this.timeout(120_000)

  let key: PrivateKey
  let text: string

  before(async () => {
    key = await generateKeyPair('Ed25519')
    text = await exportIdentity(key, PASSPHRASE)
  })

  /** The export with its bytes changed, and a checksum that is right. */
  function forged (change: (bytes: Uint8Array) => void): string {
    const bytes = Uint8Array.from(base64url.baseDecode(text.slice(PREFIX.length)).slice(0, -4))
    change(bytes)

    return PREFIX + base64url.baseEncode(Uint8Array.of(...bytes, ...hashSync(bytes).subarray(0, 4)))
  }

  it('is one line that says what it is, and is never the same twice', async () => {
    expect(text).to.match(/^formicary-identity-1:[\w-]{100,300}$/)
    expect(await exportIdentity(key, PASSPHRASE)).not.to.equal(text)
  })

  it('is read with its passphrase, however it was copied and typed', async () => {
    expect((await importIdentity(text, PASSPHRASE)).equals(key)).to.equal(true)
    expect((await importIdentity(` ${text.slice(0, 50)}\n  ${text.slice(50)}\n`, PASSPHRASE.normalize('NFD'))).equals(key)).to.equal(true)
  })

  it('of the first version is read', async () => {
    const known = await importIdentity(KNOWN, PASSPHRASE)

    expect(sameBytes(known.raw.subarray(0, 32), Uint8Array.from({ length: 32 }, (_, i) => i))).to.equal(true)
  })

  it('may be of any type of key', async () => {
    for (const other of [await generateKeyPair('secp256k1'), await generateKeyPair('RSA', 2048)]) {
      expect((await importIdentity(await exportIdentity(other, PASSPHRASE), PASSPHRASE)).equals(other)).to.equal(true)
    }
  })

  it('is not read with another passphrase', async () => {
    const error = await failure(importIdentity(text, 'another passphrase'))

    expect(error).to.have.property('name', 'DecryptionError')
    expect(error).to.have.property('message', 'The passphrase is wrong')
  })

  for (const passphrase of ['', 'seven!!', '👩🐝🦉', 'x'.repeat(1025), '\ud800 and more', undefined, 12345678] as any[]) {
    it(`takes no passphrase like ${JSON.stringify(passphrase)?.slice(0, 12)}`, async () => {
      expect(await failure(exportIdentity(key, passphrase))).to.have.property('name', 'InvalidParametersError')
      expect(await failure(importIdentity(text, passphrase))).to.have.property('name', 'InvalidParametersError')
    })
  }

  it('is of nothing but a private key', async () => {
    for (const none of [undefined, {}, key.publicKey, 'key'] as any[]) {
      expect(await failure(exportIdentity(none, PASSPHRASE))).to.have.property('name', 'InvalidParametersError')
    }
  })

  it('that is damaged is told from a wrong passphrase', async () => {
    const other = (character: string): string => character === 'A' ? 'B' : 'A'
    const at = (i: number): string => text.slice(0, i) + other(text[i]) + text.slice(i + 1)
    const bad = [at(30), at(60), at(text.length - 3), text.slice(0, -1), text.slice(0, 40), `${text}A`, `${text}!`, PREFIX, PREFIX + 'A'.repeat(200)]

    for (const one of bad) {
      const error = await failure(importIdentity(one, PASSPHRASE))

      expect(error).to.have.property('name', 'InvalidParametersError')
      expect(error).to.have.property('message').that.includes('damaged')
    }
  })

  it('is told from anything else', async () => {
    for (const none of ['', 'hello', text.slice(1), text.replace('-1:', '-2:'), `${text}${' '.repeat(20_000)}`, undefined, 5] as any[]) {
      const error = await failure(importIdentity(none, PASSPHRASE))

      expect(error).to.have.property('name', 'InvalidParametersError')
      expect(error).to.have.property('message').that.includes('begins with')
    }
  })

  it('cannot ask for all memory, or for ever', async () => {
    for (const [at, value] of [[0, 40], [0, 0], [0, 255], [1, 255], [1, 0], [2, 255], [2, 0]]) {
      const error = await failure(importIdentity(forged(bytes => { bytes[at] = value }), PASSPHRASE))

      expect(error).to.have.property('name', 'InvalidParametersError')
      expect(error).to.have.property('message').that.includes('memory')
    }
  })

  it('that somebody changed with care is refused all the same', async () => {
    for (const at of [0, 5, 40]) {
      expect(await failure(importIdentity(forged(bytes => { bytes[at] ^= at === 0 ? 1 : 0x40 }), PASSPHRASE))).to.have.property('name', 'DecryptionError')
    }
  })
})

describe('the identity of a node', () => {
  const KEPT = new Key('/formicary/identity')

  it('is made once and kept', async () => {
    const datastore = new MemoryDatastore()

    expect((await loadIdentity(datastore)).equals(await loadIdentity(datastore))).to.equal(true)
  })

  it('is the one that is given, from then on', async () => {
    const datastore = new MemoryDatastore()
    const key = await generateKeyPair('Ed25519')

    expect((await loadIdentity(datastore, key)).equals(key)).to.equal(true)
    expect((await loadIdentity(datastore)).equals(key)).to.equal(true)
    expect((await loadIdentity(datastore, key)).equals(key)).to.equal(true)
  })

  it('does not change to another', async () => {
    const datastore = new MemoryDatastore()
    const key = await loadIdentity(datastore)
    const error = await failure(loadIdentity(datastore, await generateKeyPair('Ed25519')))

    expect(error).to.have.property('name', 'InvalidParametersError')
    expect(error).to.have.property('message').that.includes('another identity')
    expect(sameBytes(datastore.get(KEPT) as Uint8Array, privateKeyToProtobuf(key))).to.equal(true)
  })

  it('is a private key', async () => {
    const { publicKey } = await generateKeyPair('Ed25519')

    for (const identity of ['key', {}, publicKey, new Uint8Array(64)] as any[]) {
      expect(() => { checkInit({ identity }) }).to.throw().with.property('name', 'InvalidParametersError')
    }
  })
})
