import { fileIn, readFrom } from './opfs-files.ts'
import { assertReadable, pieceCount, pieceSize, spans } from './range.ts'
import { ContentChangedError, NotFoundError } from '../errors.ts'
import type { Reader } from './index.ts'

/** Pieces whose files are kept at hand: others may read what is served to many, each elsewhere. */
const KEPT_FILES = 64

/** Files looked up at once for a blob; each is a question to the browser. */
const LOOKUPS = 32

/** What an {@link OpfsReader} is made of. */
export interface OpfsReaderInit {
  id: string
  size: number

  /** The folder of the pieces. */
  pieces: FileSystemDirectoryHandle

  /** Called when it is closed; more than once does no harm. */
  onClose (): void
}

/** A finished content, by the files of its pieces. */
export class OpfsReader implements Reader {
  readonly size: number

  /** `true` once the content was deleted. */
  deleted = false

  readonly #init: OpfsReaderInit
  readonly #files = new Map<number, Promise<File | undefined>>()

  constructor (init: OpfsReaderInit) {
    this.#init = init
    this.size = init.size
  }

  /** Nothing changes under an id but by being deleted. */
  async version (): Promise<string> {
    if (this.deleted) {
      throw new NotFoundError('The content was deleted')
    }

    return this.#init.id
  }

  async read (offset: number, length: number): Promise<Uint8Array> {
    assertReadable(offset, length)

    if (offset + length > this.size) {
      throw new ContentChangedError(`Bytes ${offset} to ${offset + length} are not within ${this.size}`)
    }

    const parts = [...spans(offset, length)]

    if (parts.length === 1) {
      return readFrom(await this.#file(parts[0].piece), parts[0].from, length)
    }

    const bytes = new Uint8Array(length)
    await Promise.all(parts.map(async ({ piece, from, start, end }) => {
      bytes.set(await readFrom(await this.#file(piece), from, end - start), start)
    }))

    return bytes
  }

  async blob (): Promise<Blob> {
    const files: File[] = []

    for (let first = 0; first < pieceCount(this.size); first += LOOKUPS) {
      const count = Math.min(LOOKUPS, pieceCount(this.size) - first)
      files.push(...await Promise.all(Array.from({ length: count }, async (_, i) => this.#whole(first + i))))
    }

    return new Blob(files)
  }

  async close (): Promise<void> {
    this.#files.clear()
    this.#init.onClose()
  }

  async #whole (piece: number): Promise<File> {
    const file = await fileIn(this.#init.pieces, `${piece}`)

    if (file?.size !== pieceSize(this.size, piece)) {
      throw new ContentChangedError(`Piece ${piece} is gone`)
    }

    return file
  }

  async #file (piece: number): Promise<File | undefined> {
    const known = this.#files.get(piece) ?? fileIn(this.#init.pieces, `${piece}`)
    // the one that was used last is the last to go
    this.#files.delete(piece)
    this.#files.set(piece, known)

    if (this.#files.size > KEPT_FILES) {
      this.#files.delete(this.#files.keys().next().value as number)
    }

    return known
  }
}
