import { ContentChangedError, InvalidParametersError, NotFoundError } from '../errors.ts'
import type { Manifest } from '../content/index.ts'
import type { Reader } from '../store/index.ts'

/** What an {@link OpenedContent} is made of. */
export interface OpenedContentInit {
  manifest: Manifest
  reader: Reader

  /** The version of the bytes that was hashed. */
  version: string

  /** The bytes are not those any more. */
  onChanged (): void

  onClose (): void
}

/** A content by its open file. */
export class OpenedContent {
  readonly manifest: Manifest
  readonly #init: OpenedContentInit

  constructor (init: OpenedContentInit) {
    this.manifest = init.manifest
    this.#init = init
  }

  /**
   * A write changes the version before it changes bytes. So whatever the
   * version was before, if it is right after reading, the bytes are.
   */
  async read (offset: number, length: number): Promise<Uint8Array> {
    const { size } = this.manifest
    const { reader, version } = this.#init

    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || offset + length > size) {
      throw new InvalidParametersError(`There are no ${length} bytes at ${offset} of ${size}`)
    }

    try {
      const bytes = await reader.read(offset, length)

      if (await reader.version() === version) {
        return bytes
      }
    } catch (err) {
      if (!isChange(err as Error)) {
        throw err
      }
    }

    this.#init.onChanged()
    throw new ContentChangedError(`${this.manifest.root} changed where it is shared from`)
  }

  async close (): Promise<void> {
    this.#init.onClose()
    await this.#init.reader.close()
  }
}

/** `true` for an error that says that bytes are gone. */
export function isChange (err: Error): boolean {
  return err.name === ContentChangedError.name || err.name === NotFoundError.name
}
