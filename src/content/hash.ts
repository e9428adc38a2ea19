/**
 * SHA-256, the one hash of the profile.
 *
 * @module
 */

import { sha256 } from '@noble/hashes/sha2.js'

/**
 * Hashes a piece. Runs beside the main thread, so several may be under way at
 * once; do not change `bytes` until it resolves.
 */
export async function hashPiece (bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
}

/** Hashes something small on the spot: an interior node of 50 KiB takes about 0.2 ms. */
export function hashSync (bytes: Uint8Array): Uint8Array {
  return sha256(bytes)
}
