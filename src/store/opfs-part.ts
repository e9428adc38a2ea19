import { both, firstBits, hasBit, setBit, without } from './bits.ts'
import { fileIn, isGone, namesIn, opfsError, removeFrom, writeFile } from './opfs-files.ts'
import { assertKept, assertPiece, assertRange, pieceCount, pieceSize, spans } from './range.ts'
import { ContentChangedError, StoreWriteError } from '../errors.ts'
import type { Finished, Part } from './index.ts'
import type { Span } from './range.ts'

/** Marks are written so many ms after the first that is not: each time costs about as much as a piece. */
const MARKS_DELAY = 250

/** Files looked up at once; each is a question to the browser. */
const LOOKUPS = 32

/** The file of marks: a bitfield of what is marked, and one of what was written, and not marked, when the part was closed. */
const MARKS = 'marks'

/** The file of what is kept with a part. */
export const KEPT = 'kept'

/** What an {@link OpfsPart} is made of. */
export interface OpfsPartInit {
  size: number

  /** The folder of its pieces. */
  pieces: FileSystemDirectoryHandle

  /** Pieces that have a file, and those of them that are marked. */
  present: Uint8Array
  marked: Uint8Array

  /** Pieces that were not marked when the part was closed: nobody vouched for them, so they are not in doubt. */
  idle: Uint8Array

  /** Gives the content its name. */
  name (): Promise<Finished>

  /** Takes that name away. */
  unname (finished: Finished): Promise<void>

  /** Forgets the part, but not its pieces. */
  forget (): Promise<void>

  /** Deletes its pieces, unless they are those of a finished content. */
  remove (): Promise<void>

  /** Called once, when it is closed. */
  onClose (): void
}

/** What is there of the pieces of a content. */
export async function readPieces (pieces: FileSystemDirectoryHandle, size: number): Promise<Pick<OpfsPartInit, 'present' | 'marked' | 'idle'>> {
  const count = pieceCount(size)
  const present = firstBits(0, count)

  for (const name of await namesIn(pieces, /^\d+$/)) {
    if (Number(name) < count) {
      setBit(present, Number(name))
    }
  }

  const bytes = new Uint8Array(await (await fileIn(pieces, MARKS))?.arrayBuffer() ?? [])
  const whole = bytes.byteLength === 2 * present.byteLength
  const marks = whole ? bytes.slice(0, present.byteLength) : firstBits(0, count)

  return {
    present,
    marked: await wholeOf(pieces, size, both(present, marks)),
    idle: whole ? bytes.slice(present.byteLength) : firstBits(0, count)
  }
}

/** Those of some pieces whose file is whole: a power cut may leave the file and take its bytes. */
async function wholeOf (pieces: FileSystemDirectoryHandle, size: number, some: Uint8Array): Promise<Uint8Array> {
  const whole = firstBits(0, pieceCount(size))
  const numbers = Array.from({ length: pieceCount(size) }, (_, piece) => piece).filter(piece => hasBit(some, piece))

  while (numbers.length > 0) {
    await Promise.all(numbers.splice(0, LOOKUPS).map(async piece => {
      if ((await fileIn(pieces, `${piece}`))?.size === pieceSize(size, piece)) {
        setBit(whole, piece)
      }
    }))
  }

  return whole
}

/** A part with a file for each of its pieces. */
export class OpfsPart implements Part {
  readonly size: number
  readonly marked: Uint8Array
  readonly doubtful: Uint8Array
  readonly #init: OpfsPartInit
  readonly #present: Uint8Array
  readonly #marks: Uint8Array

  /** The last thing that is done to each piece: one after another. */
  readonly #turns = new Map<number, Promise<unknown>>()
  #timer?: ReturnType<typeof setTimeout>
  #changed = false
  #marking: Promise<void> = Promise.resolve()
  #keeping: Promise<void> = Promise.resolve()
  #closed?: Promise<void>

  constructor (init: OpfsPartInit) {
    this.#init = init
    this.size = init.size
    this.marked = init.marked
    this.doubtful = without(without(init.present, init.marked), init.idle)
    this.#present = init.present.slice()
    this.#marks = init.marked.slice()
  }

  async write (offset: number, bytes: Uint8Array): Promise<void> {
    assertRange(this.size, offset, bytes.byteLength)
    await this.#attempt('write to a part', async () => {
      await this.#each(offset, bytes.byteLength, async ({ piece, from, start, end }) => {
        await this.#writePiece(piece, from, bytes.subarray(start, end))
      })
    })
  }

  async read (offset: number, length: number): Promise<Uint8Array> {
    assertRange(this.size, offset, length)

    return this.#attempt('read a part', async () => {
      const bytes = new Uint8Array(length)
      await this.#each(offset, length, async ({ piece, from, start, end }) => {
        bytes.set(await this.#readPiece(piece, from, from + end - start), start)
      })

      return bytes
    })
  }

  /** A mark that cannot be written makes its piece doubtful, no more. */
  async mark (piece: number): Promise<void> {
    assertPiece(this.size, piece)
    await this.#attempt('mark a piece', async () => {
      await this.#fill(piece)
      this.#changed = true
      setBit(this.#marks, piece)
      this.#timer ??= setTimeout(() => { this.#writeMarks(firstBits(0, pieceCount(this.size))) }, MARKS_DELAY)
    })
  }

  async keep (bytes: Uint8Array): Promise<void> {
    assertKept(this.size, bytes.byteLength)
    await this.#attempt('keep bytes with a part', async () => {
      const copy = Uint8Array.from(bytes)
      const keeping = this.#keeping.then(async () => writeFile(this.#init.pieces, KEPT, copy))
      this.#keeping = keeping.catch(() => {})
      await keeping
    })
  }

  async finish (commit?: (finished: Finished) => Promise<void>): Promise<Finished> {
    const finished = await this.#attempt('finish a part', async () => {
      for (let piece = 0; piece < pieceCount(this.size); piece++) {
        await this.#fill(piece)
      }

      return this.#init.name()
    })

    try {
      await commit?.(finished)
    } catch (err) {
      await this.#init.unname(finished)
      throw err
    }

    this.#assertOpen('finish a part')
    // what is left over of the part does no harm, and is found the next time
    await this.#shut(false, async () => {
      await this.#init.forget().catch(() => {})
      await removeFrom(this.#init.pieces, MARKS).catch(() => {})
      await removeFrom(this.#init.pieces, KEPT).catch(() => {})
    })

    return finished
  }

  async close (): Promise<void> {
    await (this.#closed ?? this.#shut(true))
  }

  async discard (): Promise<void> {
    await this.#attempt('discard a part', async () => {
      await this.#shut(false, async () => {
        await this.#init.forget()
        await this.#init.remove()
      })
    })
  }

  /** Waits for what is under way, does what is left to be done, and closes. */
  async #shut (keepMarks: boolean, last = async (): Promise<void> => {}): Promise<void> {
    const shut = this.#end(keepMarks).then(last).finally(() => { this.#init.onClose() })
    this.#closed = shut.catch(() => {})
    await shut
  }

  /** Does something to all pieces that have bytes of a range. */
  async #each (offset: number, length: number, task: (span: Span) => Promise<void>): Promise<void> {
    await Promise.all([...spans(offset, length)].map(async span => {
      const turn = (this.#turns.get(span.piece) ?? Promise.resolve()).catch(() => {}).then(async () => task(span))
      this.#turns.set(span.piece, turn)

      try {
        await turn
      } finally {
        if (this.#turns.get(span.piece) === turn) {
          this.#turns.delete(span.piece)
        }
      }
    }))
  }

  async #writePiece (piece: number, from: number, bytes: Uint8Array): Promise<void> {
    const size = pieceSize(this.size, piece)
    let whole = bytes

    if (bytes.byteLength < size) {
      whole = new Uint8Array(size)
      whole.set(await this.#readPiece(piece, 0, size))
      whole.set(bytes, from)
    }

    this.#changed = true
    await writeFile(this.#init.pieces, `${piece}`, whole)
    setBit(this.#present, piece)
  }

  /** Bytes of a piece, as many as there are; the rest is 0. */
  async #readPiece (piece: number, from: number, to: number): Promise<Uint8Array> {
    try {
      const file = await fileIn(this.#init.pieces, `${piece}`)

      return new Uint8Array(await file?.slice(from, to).arrayBuffer() ?? [])
    } catch (err) {
      throw isGone(err) ? new ContentChangedError(`Piece ${piece} is gone`, { cause: err }) : err
    }
  }

  /** Gives a piece a file if it has none, so that one that is missing later was taken away. */
  async #fill (piece: number): Promise<void> {
    if (!hasBit(this.#present, piece)) {
      await this.#writePiece(piece, 0, new Uint8Array(pieceSize(this.size, piece)))
    }
  }

  #writeMarks (idle: Uint8Array): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const bytes = new Uint8Array(2 * idle.byteLength)
    bytes.set(this.#marks)
    bytes.set(idle, idle.byteLength)
    this.#marking = this.#marking.then(async () => writeFile(this.#init.pieces, MARKS, bytes)).catch(() => {})
  }

  /** Waits until nothing is written any more. */
  async #end (keepMarks: boolean): Promise<void> {
    clearTimeout(this.#timer)
    await Promise.allSettled(this.#turns.values())

    if (this.#changed && keepMarks) {
      this.#writeMarks(without(this.#present, this.#marks))
    }

    await this.#marking
    await this.#keeping
  }

  async #attempt<T> (what: string, action: () => Promise<T>): Promise<T> {
    this.#assertOpen(what)

    try {
      return await action()
    } catch (err) {
      throw opfsError(err, `Could not ${what}`)
    }
  }

  #assertOpen (what: string): void {
    if (this.#closed != null) {
      throw new StoreWriteError(`Could not ${what}: it is closed`)
    }
  }
}
