/**
 * Bytes that this node keeps beside what it shares: for wards, and for its own
 * vault and snapshots. They are named by their hash; what several need is
 * there once, and goes when nobody needs it any more.
 *
 * @module
 */

import { ManifestBuilder, hashPiece, PIECE_SIZE } from '../content/index.ts'
import { NotFoundError } from '../errors.ts'
import type { KeptCatalog } from './components.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

export class Blocks {
  readonly #kept: KeptCatalog
  readonly #isNeeded: (cid: CID) => boolean

  /** @param isNeeded - `true` for what somebody needs */
  constructor (kept: KeptCatalog, isNeeded: (cid: CID) => boolean) {
    this.#kept = kept
    this.#isNeeded = isNeeded
  }

  has (cid: CID): boolean {
    return this.#kept.get(cid).length > 0
  }

  /** Keeps bytes; resolves when they are safe. */
  async add (bytes: Uint8Array, options: AbortOptions = {}): Promise<CID> {
    const cid = await nameOf(bytes)

    if (!this.has(cid)) {
      for await (const entry of this.#kept.share({ name: String(cid), content: bytes }, options)) {
        return entry.cid
      }
    }

    return cid
  }

  /**
   * All bytes of a content.
   *
   * @throws {NotFoundError} they are not here
   */
  async read (cid: CID): Promise<Uint8Array> {
    const content = await this.#kept.open(cid)

    if (content == null) {
      throw new NotFoundError(`${cid} is not kept here`)
    }

    try {
      return await content.read(0, content.manifest.size)
    } finally {
      await content.close()
    }
  }

  /** Lets go of bytes, unless somebody needs them. */
  async release (cid: CID): Promise<void> {
    if (!this.#isNeeded(cid) && this.has(cid)) {
      await this.#kept.unshare(cid)
    }
  }

  /** Lets go of everything that nobody needs, or of a part of it if the signal is aborted meanwhile. */
  async sweep (signal: AbortSignal): Promise<void> {
    for (const { cid } of [...this.#kept.entries()]) {
      if (!signal.aborted) {
        await this.release(cid)
      }
    }
  }
}

async function nameOf (bytes: Uint8Array): Promise<CID> {
  const builder = new ManifestBuilder()

  for (let offset = 0; offset === 0 || offset < bytes.byteLength; offset += PIECE_SIZE) {
    const piece = bytes.subarray(offset, offset + PIECE_SIZE)
    builder.add(await hashPiece(piece), piece.byteLength)
  }

  return builder.finish().root
}
