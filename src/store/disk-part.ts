import { lstat, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nameInto, readAll, remove, storeError, writeAll } from './disk-files.ts'
import { fileVersion } from './file-version.ts'
import { assertKept, assertPiece, assertRange } from './range.ts'
import { StoreWriteError } from '../errors.ts'
import type { Marks } from './disk-marks.ts'
import type { Finished, Part } from './index.ts'
import type { FileHandle } from 'node:fs/promises'

/** What a {@link DiskPart} is made of. */
export interface DiskPartInit {
  /** Where finished parts go. */
  downloads: string

  /** The file that holds the bytes, of `size` bytes, and its path. */
  file: FileHandle
  path: string
  size: number

  /** What to call the content; safe. */
  name: string
  marked: Uint8Array
  doubtful: Uint8Array

  /** Remembers marks, in a file at `statePath`; none for a part of one piece. */
  marks?: Marks
  statePath: string

  /** Where bytes are kept with the part, and whether there may be some. */
  keptPath: string
  kept: boolean

  /** Called once, when the files are closed; `gone` if none of them is left. */
  onClose: (gone: boolean) => void
}

/** A part whose bytes are in a file. */
export class DiskPart implements Part {
  readonly size: number
  readonly marked: Uint8Array
  readonly doubtful: Uint8Array
  readonly #init: DiskPartInit
  #kept: boolean
  #keeping: Promise<void> = Promise.resolve()
  #closed?: Promise<void>

  constructor (init: DiskPartInit) {
    this.#init = init
    this.size = init.size
    this.marked = init.marked
    this.doubtful = init.doubtful
    this.#kept = init.kept
  }

  async write (offset: number, bytes: Uint8Array): Promise<void> {
    assertRange(this.size, offset, bytes.byteLength)
    await this.#attempt('write to', async () => { await writeAll(this.#init.file, bytes, offset) })
  }

  async read (offset: number, length: number): Promise<Uint8Array> {
    assertRange(this.size, offset, length)

    return await this.#attempt('read', async () => await readAll(this.#init.file, offset, length))
  }

  async mark (piece: number): Promise<void> {
    assertPiece(this.size, piece)
    await this.#attempt('mark a piece of', async () => { await this.#init.marks?.mark(piece) })
  }

  async keep (bytes: Uint8Array): Promise<void> {
    assertKept(this.size, bytes.byteLength)
    await this.#attempt('keep bytes with', async () => {
      const copy = Uint8Array.from(bytes)
      const keeping = this.#keeping.then(async () => { await this.#keep(copy) })
      this.#keeping = keeping.catch(() => {})
      await keeping
    })
  }

  async finish (commit?: (finished: Finished) => Promise<void>): Promise<Finished> {
    const { downloads, file, name, path } = this.#init
    const finished = await this.#attempt('finish', async () => {
      const free = await nameInto(downloads, name, path)
      const version = fileVersion(await lstat(join(downloads, free), { bigint: true }))
      const synced = file.datasync()
      synced.catch(() => {})

      return { location: free, name: free, version, synced }
    })

    // until then a crash leaves the part as well, which finds its name again
    await commit?.(finished)
    await this.#letGo()
    void finished.synced.catch(() => {}).then(async () => { await file.close() })

    return finished
  }

  async close (): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async discard (): Promise<void> {
    await this.#attempt('discard', async () => {
      await this.close()
      await this.#forgetKept()
      await remove(this.#init.path)
      await remove(this.#init.statePath)
    })
  }

  /** Whenever we are killed, there is what was kept before, or all of this. */
  async #keep (bytes: Uint8Array): Promise<void> {
    const { keptPath } = this.#init
    this.#kept = true

    try {
      await writeFile(`${keptPath}.new`, bytes)
      await rename(`${keptPath}.new`, keptPath)
    } catch (err) {
      await remove(`${keptPath}.new`).catch(() => {})
      throw err
    }
  }

  /** Before the part goes, by which it would be found. */
  async #forgetKept (): Promise<void> {
    await this.#keeping

    if (this.#kept) {
      await remove(this.#init.keptPath)
      await remove(`${this.#init.keptPath}.new`)
    }
  }

  /** Lets go of all that a finished part needs no more, but for its bytes. */
  async #letGo (): Promise<void> {
    const { marks, path, statePath, onClose } = this.#init
    this.#closed = Promise.resolve()
    let gone = true
    const stays = (): void => { gone = false }
    await marks?.drop().catch(() => {})
    await this.#forgetKept().catch(stays)
    await remove(path).catch(stays)

    if (marks != null) {
      await remove(statePath).catch(stays)
    }

    onClose(gone)
  }

  async #close (): Promise<void> {
    try {
      await this.#keeping
      await this.#init.marks?.close()
    } finally {
      await this.#init.file.close().finally(() => { this.#init.onClose(false) })
    }
  }

  async #attempt<T> (what: string, action: () => Promise<T>): Promise<T> {
    if (this.#closed != null) {
      throw new StoreWriteError(`Could not ${what} ${this.#init.path}: it is closed`)
    }

    try {
      return await action()
    } catch (err) {
      throw storeError(err, `Could not ${what} ${this.#init.path}`)
    }
  }
}
