import { X509Certificate } from 'node:crypto'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { base64url } from 'multiformats/bases/base64'
import * as Digest from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import { loadCertificate } from '../../src/node/certificate.ts'
import { createCertificate } from '../../src/vendor/certificate.ts'
import type { TransportCertificate } from '../../src/vendor/certificate.ts'
import type { Datastore } from 'interface-datastore'

const YEAR = 365 * 24 * 60 * 60 * 1000
const KEY = new Key('/formicary/webrtc-direct')

async function keep (datastore: Datastore, ...parts: string[]): Promise<void> {
  await datastore.put(KEY, new TextEncoder().encode(parts.join('')))
}

describe('certificate of WebRTC direct', () => {
  it('is X.509 that its own key has signed', () => {
    const certificate = new X509Certificate(createCertificate().pem)

    expect(certificate.verify(certificate.publicKey)).to.equal(true)
    expect(certificate.checkIssued(certificate)).to.equal(true)
    expect(certificate.publicKey.asymmetricKeyDetails).to.deep.equal({ namedCurve: 'prime256v1' })
    expect(certificate.subject).to.equal('CN=WebRTC')
  })

  it('is valid for ten years from the moment it is made', () => {
    const certificate = new X509Certificate(createCertificate(new Date('2030-02-03T04:05:06.789Z')).pem)

    expect(new Date(certificate.validFrom).toISOString()).to.equal('2030-02-03T04:05:06.000Z')
    expect(new Date(certificate.validTo).toISOString()).to.equal('2040-02-03T04:05:06.000Z')
  })

  it('is never the same twice', () => {
    const serials = Array.from({ length: 20 }, () => new X509Certificate(createCertificate().pem).serialNumber)

    expect(new Set(serials).size).to.equal(20)
  })

  it('has the multihash of its bytes', async () => {
    const { pem, certhash } = createCertificate()
    const { bytes } = Digest.decode(base64url.decode(certhash))

    expect(bytes).to.deep.equal((await sha256.digest(new X509Certificate(pem).raw)).bytes)
  })

  it('is kept', async () => {
    const datastore = new MemoryDatastore()
    const first = await loadCertificate(datastore)

    expect(await loadCertificate(datastore)).to.deep.equal(first)
    expect(await loadCertificate(new MemoryDatastore())).to.not.deep.equal(first)
  })

  const other = createCertificate()
  const REPLACED: Array<[string, (made: TransportCertificate) => string[]]> = [
    ['ends within a year', () => { const { privateKey, pem } = createCertificate(new Date(Date.now() - 9.1 * YEAR)); return [privateKey, pem] }],
    ['is of another key', ({ privateKey }) => [privateKey, other.pem]],
    ['has lost its key', ({ pem }) => [pem]],
    ['cannot be read', () => ['-----BEGIN']]
  ]

  for (const [what, parts] of REPLACED) {
    it(`is replaced when it ${what}`, async () => {
      const datastore = new MemoryDatastore()
      const made = createCertificate()
      await keep(datastore, ...parts(made))
      const loaded = await loadCertificate(datastore)
      const certificate = new X509Certificate(loaded.pem)

      expect(loaded.certhash).to.not.be.oneOf([made.certhash, other.certhash])
      expect(Date.parse(certificate.validTo)).to.be.above(Date.now() + 9 * YEAR)
      expect(await loadCertificate(datastore)).to.deep.equal(loaded)
    })
  }

  it('is kept until then', async () => {
    const datastore = new MemoryDatastore()
    const { privateKey, pem, certhash } = createCertificate(new Date(Date.now() - 8.9 * YEAR))
    await keep(datastore, privateKey, pem)

    expect((await loadCertificate(datastore)).certhash).to.equal(certhash)
  })
})
