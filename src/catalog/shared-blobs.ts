/**
 * Blobs that are shared from where they are: nothing is copied, and nothing is
 * on record, since a page cannot open the file of a user again by itself.
 *
 * @module
 */

import { ContentChangedError, NotFoundError } from '../errors.ts'
import type { Manifest } from '../content/index.ts'
import type { Reader } from '../store/index.ts'

/** What a browser, and Node, call a blob whose file was changed or removed. */
const GONE = ['NotReadableError', 'NotFoundError']

/** A blob, and what was hashed of it. */
interface SharedBlob {
  blob: Blob
  manifest: Manifest
}

/** Keeps blobs by a location of its own. */
export class SharedBlobs {
  readonly #blobs = new Map<string, SharedBlob>()
  #count = 0

  /** Takes a blob, and returns its location. */
  add (shared: SharedBlob): string {
    const location = `blob:${this.#count++}`
    this.#blobs.set(location, shared)

    return location
  }

  /** Puts a blob with the same bytes in the place of another, which may be gone without our knowing. */
  replace (location: string, shared: SharedBlob): void {
    this.#blobs.set(location, shared)
  }

  /** Lets go of a blob. */
  remove (location: string): void {
    this.#blobs.delete(location)
  }

  /** What was hashed; `undefined` if the blob is gone. */
  manifest (location: string): Manifest | undefined {
    return this.#blobs.get(location)?.manifest
  }

  /**
   * Opens a blob. One that cannot be read once is let go of.
   *
   * @throws {NotFoundError} it is gone
   */
  open (location: string): Reader {
    const { blob } = this.#find(location)

    return {
      size: blob.size,
      version: async () => {
        this.#find(location)

        return ''
      },
      read: async (offset, length) => {
        try {
          return await readBlob(blob, offset, length)
        } catch (err) {
          if (this.#blobs.get(location)?.blob === blob) {
            this.remove(location)
          }

          throw err
        }
      },
      blob: async () => blob,
      close: async () => {}
    }
  }

  #find (location: string): SharedBlob {
    const shared = this.#blobs.get(location)

    if (shared == null) {
      throw new NotFoundError('The blob cannot be read any more')
    }

    return shared
  }
}

/**
 * Reads bytes of a blob.
 *
 * @throws {ContentChangedError} the file behind it was changed or removed
 */
export async function readBlob (blob: Blob, offset: number, length: number): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer())
  } catch (err) {
    throw GONE.includes((err as Error).name) ? new ContentChangedError('The file behind a blob was changed or removed', { cause: err }) : err
  }
}
