import { setBit } from './bits.ts'
import { writeAll } from './disk-files.ts'
import { stateOffsets } from './disk-state.ts'
import type { PartState } from './disk-state.ts'
import type { FileHandle } from 'node:fs/promises'

/** How long a mark may wait to become durable, in ms. Flushing stops the disk for others; what is doubtful is only hashed again. */
const SYNC_AFTER = 5_000

/**
 * Keeps the marks of a part in its state file.
 *
 * A mark is written at once: the page cache outlives the process, so a kill
 * loses nothing. A power cut may, and in any order; so marks become *durable*
 * in the background, in the order that is safe whenever the power goes: the
 * data is flushed first, and only then the state file says so.
 */
export class Marks {
  readonly #file: FileHandle
  readonly #flushData: () => Promise<void>
  readonly #offsets: { written: number, durable: number }

  /** As in the file, with the pieces in doubt, which must stay there until they are hashed again. */
  readonly #written: Uint8Array

  /** Marked now, or durable before. */
  readonly #verified: Uint8Array

  /** Bytes of `#written` that are not in the file yet; none if empty. */
  #dirty = NONE
  #writing: Promise<void> = Promise.resolve()
  #nextWrite?: Promise<void>
  #unsynced = 0
  #syncing?: Promise<void>
  #timer?: ReturnType<typeof setTimeout>
  #failure?: unknown

  /** @param flushData - brings all bytes of the part that were written to the disk */
  constructor (file: FileHandle, state: PartState, flushData: () => Promise<void>) {
    this.#file = file
    this.#flushData = flushData
    this.#offsets = stateOffsets(state)
    this.#written = state.written.slice()
    this.#verified = state.durable.slice()
  }

  /** Resolves when the mark is in the file. */
  async mark (piece: number): Promise<void> {
    setBit(this.#written, piece)
    setBit(this.#verified, piece)
    this.#touch(piece >> 3, (piece >> 3) + 1)
    this.#unsynced++
    this.#schedule()
    await this.#write()
  }

  /**
   * Makes all marks durable.
   *
   * @throws what the disk said, now or earlier: after one failure nothing can be said to be durable
   */
  async flush (): Promise<void> {
    await this.#syncing?.catch(() => {})

    if (this.#unsynced > 0 && this.#failure == null) {
      await this.#sync().catch(() => {})
    }

    if (this.#failure != null) {
      throw this.#failure
    }
  }

  /** Lets go of the file; what can be made durable is. */
  async close (): Promise<void> {
    await this.flush().catch(() => {})
    clearTimeout(this.#timer)
    await this.#writing
    await this.#file.close()
  }

  /** Lets go of the file without making anything durable: the marks are of no use any more. */
  async drop (): Promise<void> {
    clearTimeout(this.#timer)
    this.#unsynced = 0
    await this.#syncing?.catch(() => {})
    await this.#writing
    await this.#file.close()
  }

  #touch (from: number, to: number): void {
    this.#dirty = { from: Math.min(this.#dirty.from, from), to: Math.max(this.#dirty.to, to) }
  }

  /** One write at a time, or an older byte could land on a newer one; those that wait share the next. */
  async #write (): Promise<void> {
    if (this.#nextWrite == null) {
      const next = this.#writing.then(async () => {
        this.#nextWrite = undefined
        await this.#writeDirty()
      })
      this.#nextWrite = next
      this.#writing = next.catch(() => {})
    }

    await this.#nextWrite
  }

  async #writeDirty (): Promise<void> {
    const { from, to } = this.#dirty
    this.#dirty = NONE

    try {
      await writeAll(this.#file, this.#written.slice(from, to), this.#offsets.written + from)
    } catch (err) {
      this.#touch(from, to)
      throw err
    }
  }

  #schedule (): void {
    this.#timer ??= setTimeout(() => { void this.#sync().catch(() => {}) }, SYNC_AFTER)
  }

  /** A failure is remembered: the kernel reports a lost page once, and forgets it. */
  async #sync (): Promise<void> {
    this.#syncing ??= this.#syncOnce()
      .catch((err: unknown) => {
        this.#failure ??= err
        throw err
      })
      .finally(() => { this.#syncing = undefined })

    await this.#syncing
  }

  async #syncOnce (): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined

    if (this.#failure != null) {
      throw this.#failure
    }

    const verified = this.#verified.slice()
    this.#unsynced = 0
    await this.#flushData()
    await writeAll(this.#file, verified, this.#offsets.durable)
    await this.#file.datasync()
  }
}

const NONE = { from: Infinity, to: 0 }
