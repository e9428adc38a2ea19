import { PIECE_SIZE } from '../content/index.ts'

/** Reads a content in order while it arrives. */
export interface PieceReader {
  /** Resolves with bytes of one piece, once that is stored. */
  read (offset: number, length: number): Promise<Uint8Array>

  /** What it waited for is not wanted any more. */
  end (): void
}

/** What {@link Readers} work with. */
export interface ReadersInit {
  /** These pieces, and those after them, are to be fetched first. */
  want (pieces: number[]): void

  /** `true` if a piece can be read. */
  has (piece: number): boolean

  read (offset: number, length: number): Promise<Uint8Array>
}

/** Those who read a download while it runs. */
export class Readers {
  readonly #init: ReadersInit
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>()

  /** Where each of them is. */
  readonly #at = new Map<PieceReader, number>()

  constructor (init: ReadersInit) {
    this.#init = init
  }

  begin (): PieceReader {
    const reader: PieceReader = {
      read: async (offset, length) => {
        const piece = Math.floor(offset / PIECE_SIZE)

        if (this.#at.get(reader) !== piece) {
          this.#at.set(reader, piece)
          this.#tellWanted()
        }

        if (!this.#init.has(piece)) {
          await this.#wait(piece)
        }

        return this.#init.read(offset, length)
      },
      end: () => {
        this.#at.delete(reader)
        this.#tellWanted()
      }
    }

    return reader
  }

  /** A piece is stored. */
  stored (piece: number): void {
    this.#waiting.get(piece)?.resolve()
    this.#waiting.delete(piece)
  }

  /** No piece will be stored any more. */
  fail (error: Error): void {
    this.#waiting.forEach(({ reject }) => { reject(error) })
    this.#waiting.clear()
  }

  #tellWanted (): void {
    this.#init.want([...this.#at.values()])
  }

  async #wait (piece: number): Promise<void> {
    const waiting = this.#waiting.get(piece) ?? Promise.withResolvers<void>()
    this.#waiting.set(piece, waiting)

    return waiting.promise
  }
}
