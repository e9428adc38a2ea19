import { createPrivateKey, X509Certificate } from 'node:crypto'
import { Key } from 'interface-datastore'
import { certhash, createCertificate } from '../vendor/certificate.ts'
import type { TransportCertificate } from '../vendor/certificate.ts'
import type { Datastore } from 'interface-datastore'

/** Where the certificate of WebRTC direct is kept, with its private key. */
const CERTIFICATE_KEY = new Key('/formicary/webrtc-direct')

/** How long before its end a certificate is replaced, in ms: a year, as it is only looked at when a node starts. */
const RENEWAL = 365 * 24 * 60 * 60 * 1000

/**
 * The certificate of WebRTC direct in the datastore; made on first use, and
 * anew when it ends within a year or cannot be read. Addresses name its hash,
 * so those that others keep stay valid as long as it does.
 *
 * It proves nothing: who a peer is, Noise tells over the connection.
 */
export async function loadCertificate (datastore: Datastore): Promise<TransportCertificate> {
  const kept = await datastore.has(CERTIFICATE_KEY) ? read(await datastore.get(CERTIFICATE_KEY)) : undefined

  if (kept != null) {
    return kept
  }

  const made = createCertificate()
  await datastore.put(CERTIFICATE_KEY, new TextEncoder().encode(made.privateKey + made.pem))

  return made
}

/** What was kept, unless it is of no use any more. */
function read (kept: Uint8Array): TransportCertificate | undefined {
  const text = new TextDecoder().decode(kept)

  try {
    // each of them takes its own part of the text
    const privateKey = createPrivateKey(text)
    const certificate = new X509Certificate(text)

    if (!certificate.checkPrivateKey(privateKey) || Date.parse(certificate.validTo) - RENEWAL < Date.now()) {
      return undefined
    }

    return {
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      pem: certificate.toString(),
      certhash: certhash(certificate.raw)
    }
  } catch {
    return undefined
  }
}
