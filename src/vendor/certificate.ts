/**
 * Certificates that sign themselves, as WebRTC uses them.
 *
 * Nobody checks what such a certificate says, only that it has the hash that
 * the address names. So it says as little as X.509 allows (RFC 5280, section
 * 4.1), and that is written here by hand.
 *
 * @module
 */

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A certificate and its key, for a listener of WebRTC direct. */
export interface TransportCertificate {
  /** The private key: PKCS #8 as PEM. */
  privateKey: string

  /** The certificate: X.509 as PEM. */
  pem: string

  /** The hash of the certificate, as in addresses: a multihash in multibase. */
  certhash: string
}

/** How long a certificate is valid, in years. Its hash is part of addresses that are kept, so it lasts as long as a node may. */
const LIFESPAN = 10

/** The tags of ASN.1 that occur. */
const BIT_STRING = 0x03
const INTEGER = 0x02
const OBJECT_IDENTIFIER = 0x06
const SEQUENCE = 0x30
const SET = 0x31
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17

/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.from('2a8648ce3d040302', 'hex')))

/** CN=WebRTC, as browsers have it. */
const NAME = der(SEQUENCE, der(SET, der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.from('550403', 'hex')), der(UTF8_STRING, Buffer.from('WebRTC')))))

/** A new key, and a certificate for it that is valid for ten years. */
export function createCertificate (now = new Date()): TransportCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signed = der(
    SEQUENCE,
    der(INTEGER, serialNumber()),
    ECDSA_WITH_SHA256,
    NAME,
    der(SEQUENCE, utcTime(now, 0), utcTime(now, LIFESPAN)),
    NAME,
    publicKey.export({ type: 'spki', format: 'der' })
  )
  const certificate = der(SEQUENCE, signed, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.of(0), sign('sha256', signed, privateKey)))

  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    pem: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}(?!$)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    certhash: certhash(certificate)
  }
}

/** The hash of a certificate in DER, as addresses have it: SHA-256 (0x12), 32 bytes, in base64url. */
export function certhash (certificate: Uint8Array): string {
  return `u${Buffer.concat([Buffer.of(0x12, 32), createHash('sha256').update(certificate).digest()]).toString('base64url')}`
}

/** One value in DER: its tag, its length, and what it consists of. */
function der (tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const length = body.length < 0x80
    ? [body.length]
    : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff]

  return Buffer.concat([Buffer.of(tag, ...length), body])
}

/** Positive, and with no zeros before it. */
function serialNumber (): Buffer {
  const number = randomBytes(16)
  number[0] = (number[0] & 0x3f) | 0x40

  return number
}

/** `years` after a date, with two digits for the year: that is the form until 2049. */
function utcTime (date: Date, years: number): Buffer {
  const text = date.toISOString().replace(/[-:T]|\..*/g, '')

  return der(UTC_TIME, Buffer.from(`${String(Number(text.slice(0, 4)) + years).slice(2)}${text.slice(4)}Z`))
}
