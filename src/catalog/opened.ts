import { ContentChangedError, InvalidParametersError, NotFoundError } from '../errors.ts'
import { PIECE_SIZE } from '../content/index.ts'
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

    return this.#changed()
  }

  async blob (): Promise<Blob> {
    const { reader, version } = this.#init

    try {
      const blob = await (reader.blob == null ? this.#copy() : reader.blob())

      if (blob.size === this.manifest.size && await reader.version() === version) {
        return blob
      }
    } catch (err) {
      if (!isChange(err as Error)) {
        throw err
      }
    }

    return this.#changed()
  }

  async close (): Promise<void> {
    this.#init.onClose()
    await this.#init.reader.close()
  }

  /** What a store cannot give as a blob is read piece by piece, which the platform may keep on its disk. */
  async #copy (): Promise<Blob> {
    let blob = new Blob()

    for (let piece = 0; piece < this.manifest.pieceCount; piece++) {
      const bytes = await this.#init.reader.read(piece * PIECE_SIZE, this.manifest.pieceSize(piece))
      blob = new Blob([blob, bytes as Uint8Array<ArrayBuffer>])
    }

    return blob
  }

  #changed (): never {
    this.#init.onChanged()
    throw new ContentChangedError(`${this.manifest.root} changed where it is shared from`)
  }
}

/** `true` for an error that says that bytes are gone. */
export function isChange (err: Error): boolean {
  return err.name === ContentChangedError.name || err.name === NotFoundError.name
}
