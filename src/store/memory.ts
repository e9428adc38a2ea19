import { firstBits, setBit } from './bits.ts'
import { assertKept, assertPiece, assertRange, assertReadable, assertSize, pieceCount, pieceSize, spans } from './range.ts'
import { numberedName, safeName } from './safe-name.ts'
import { ContentChangedError, InvalidParametersError, NotFoundError, StoreFullError, StoreWriteError } from '../errors.ts'
import type { Finished, Part, PartInfo, PartInit, Reader, Store } from './index.ts'
import type { AbortOptions } from '@libp2p/interface'

/** Settings of a {@link memoryStore}. */
export interface MemoryStoreInit {
  /**
   * Bytes to keep at most. A part counts with its full size from the start,
   * so that it does not fail half-way; memory is taken as bytes are written.
   *
   * @default 1_073_741_824
   */
  limit?: number
}

/** Bytes in memory, taken piece by piece. */
interface Bytes {
  size: number
  name: string
  pieces: Map<number, Uint8Array<ArrayBuffer>>
}

interface MemoryPart extends Bytes {
  marked: Uint8Array
  kept?: Uint8Array
  open: boolean
}

const LIMIT = 1024 * 1024 * 1024

/**
 * A store that lasts as long as the process.
 *
 * @throws {InvalidParametersError} `limit` is negative or not a number
 */
export function memoryStore (init: MemoryStoreInit = {}): Store {
  return new MemoryStore(init.limit ?? LIMIT)
}

class MemoryStore implements Store {
  readonly #limit: number
  readonly #parts = new Map<string, MemoryPart>()
  readonly #finished = new Map<string, Bytes>()
  readonly #names = new Set<string>()

  /** No other store, of another process maybe, has the same locations and versions: what is on record of it is not found here. */
  readonly #id = crypto.getRandomValues(new Uint32Array(4)).join('-')
  #used = 0
  #count = 0

  constructor (limit: number) {
    if (!(limit >= 0)) {
      throw new InvalidParametersError(`limit cannot be ${limit}`)
    }

    this.#limit = limit
  }

  async part (key: string, { size, name }: PartInit, options?: AbortOptions): Promise<Part> {
    options?.signal?.throwIfAborted()
    assertSize(size)
    const part = this.#parts.get(key) ?? this.#begin(key, size, safeName(name))

    if (part.open || part.size !== size) {
      throw new StoreWriteError(part.open ? `Part ${key} is open` : `Part ${key} was begun with ${part.size} bytes, not ${size}`)
    }

    part.open = true

    return this.#open(key, part)
  }

  async * parts (options?: AbortOptions): AsyncGenerator<PartInfo> {
    for (const [key, { size, name }] of [...this.#parts]) {
      options?.signal?.throwIfAborted()
      yield { key, size, name }
    }
  }

  async kept (key: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    options?.signal?.throwIfAborted()

    return this.#parts.get(key)?.kept?.slice()
  }

  async open (location: string, options?: AbortOptions): Promise<Reader> {
    options?.signal?.throwIfAborted()
    const bytes = this.#find(location)

    return {
      size: bytes.size,
      version: async () => {
        this.#find(location)

        return this.#id
      },
      read: async (offset, length) => read(bytes, offset, length),
      blob: async () => new Blob(Array.from({ length: pieceCount(bytes.size) }, (_, piece) => pieceOf(bytes, piece))),
      close: async () => {}
    }
  }

  async delete (location: string, options?: AbortOptions): Promise<void> {
    options?.signal?.throwIfAborted()
    const bytes = this.#finished.get(location)

    if (bytes != null) {
      this.#finished.delete(location)
      this.#names.delete(bytes.name)
      this.#used -= bytes.size
    }
  }

  #find (location: string): Bytes {
    const bytes = this.#finished.get(location)

    if (bytes == null) {
      throw new NotFoundError(`There is nothing at ${location}`)
    }

    return bytes
  }

  #begin (key: string, size: number, name: string): MemoryPart {
    if (this.#used + size > this.#limit) {
      throw new StoreFullError(`There is no room for ${size} bytes: ${this.#used} of ${this.#limit} are taken`)
    }

    const part = { size, name, pieces: new Map(), marked: firstBits(0, pieceCount(size)), open: false }
    this.#parts.set(key, part)
    this.#used += size

    return part
  }

  #open (key: string, part: MemoryPart): Part {
    let open = true
    const assertOpen = (): void => {
      if (!open) {
        throw new StoreWriteError(`Part ${key} is closed`)
      }
    }
    const close = (): void => {
      if (open) {
        open = part.open = false
      }
    }

    return {
      size: part.size,
      marked: part.marked.slice(),
      doubtful: firstBits(0, pieceCount(part.size)),
      write: async (offset, bytes) => {
        assertOpen()
        write(part, offset, bytes)
      },
      read: async (offset, length) => {
        assertOpen()
        assertRange(part.size, offset, length)

        return read(part, offset, length)
      },
      mark: async piece => {
        assertOpen()
        assertPiece(part.size, piece)
        setBit(part.marked, piece)
      },
      keep: async bytes => {
        assertOpen()
        assertKept(part.size, bytes.byteLength)
        part.kept = Uint8Array.from(bytes)
      },
      finish: async commit => {
        assertOpen()
        const finished = this.#name(part)

        try {
          await commit?.(finished)
        } catch (err) {
          this.#finished.delete(finished.location)
          this.#names.delete(finished.name)
          throw err
        }

        assertOpen()
        close()
        this.#parts.delete(key)

        return finished
      },
      close: async () => { close() },
      discard: async () => {
        assertOpen()
        close()
        this.#parts.delete(key)
        this.#used -= part.size
      }
    }
  }

  /** Gives the bytes of a part a name that nobody has. */
  #name ({ size, name, pieces }: MemoryPart): Finished {
    let free = name

    for (let n = 2; this.#names.has(free); n++) {
      free = numberedName(name, n)
    }

    const location = `${this.#id}-${this.#count++}`
    this.#names.add(free)
    this.#finished.set(location, { size, name: free, pieces })

    return { location, name: free, version: this.#id }
  }
}

/** A piece that was never written is 0. */
function pieceOf ({ size, pieces }: Pick<Bytes, 'size' | 'pieces'>, piece: number): Uint8Array<ArrayBuffer> {
  return pieces.get(piece) ?? new Uint8Array(pieceSize(size, piece))
}

function write ({ size, pieces }: Pick<Bytes, 'size' | 'pieces'>, offset: number, bytes: Uint8Array): void {
  assertRange(size, offset, bytes.byteLength)

  for (const { piece, from, start, end } of spans(offset, bytes.byteLength)) {
    const target = pieceOf({ size, pieces }, piece)
    pieces.set(piece, target)
    target.set(bytes.subarray(start, end), from)
  }
}

/** Bytes that were never written are 0, as in a file. */
function read ({ size, pieces }: Bytes, offset: number, length: number): Uint8Array {
  assertReadable(offset, length)

  if (offset + length > size) {
    throw new ContentChangedError(`Bytes ${offset} to ${offset + length} are not within ${size}`)
  }

  const bytes = new Uint8Array(length)

  for (const { piece, from, start, end } of spans(offset, length)) {
    const source = pieces.get(piece)

    if (source != null) {
      bytes.set(source.subarray(from, from + end - start), start)
    }
  }

  return bytes
}
