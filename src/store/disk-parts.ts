import { lstat, mkdir, open, readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { firstBits, without } from './bits.ts'
import { freeSpace, hasCode, remove, storeError, writeAll } from './disk-files.ts'
import { Marks } from './disk-marks.ts'
import { DiskPart } from './disk-part.ts'
import { readState, recover } from './disk-recover.ts'
import { encodeState, MAX_KEY_SIZE } from './disk-state.ts'
import { fileKeyOf, infoOf, isKeptName, keptName, needsState, partName, toFileKey } from './part-name.ts'
import { assertSize, MAX_KEPT_SIZE, pieceCount } from './range.ts'
import { safeName } from './safe-name.ts'
import { InvalidParametersError, StoreFullError, StoreWriteError } from '../errors.ts'
import type { Recovered } from './disk-recover.ts'
import type { Part, PartInfo, PartInit } from './index.ts'
import type { FileHandle } from 'node:fs/promises'

/** The unit of `stat.blocks`, in bytes, whatever the file system. */
const BLOCK_SIZE = 512

/** What was free so many ms ago is believed by a part that needs no more than this share of it. */
const FREE_SPACE_TIME = 1_000
const FREE_SPACE_SHARE = 1 / 1024

/** The folder of parts: opens and lists them. */
export class DiskParts {
  readonly #downloads: string
  readonly #folder: string

  /** File keys of the parts that are open. */
  readonly #open = new Set<string>()

  /** File keys of the parts that may be in the folder, once we have looked. */
  #known?: Set<string>

  /** `false` if the folders may be missing. */
  #made = false
  #free = { bytes: 0, at: -Infinity }

  constructor (downloads: string, folder: string) {
    this.#downloads = downloads
    this.#folder = folder
  }

  async open (key: string, { size, name }: PartInit): Promise<Part> {
    assertSize(size)

    if (new TextEncoder().encode(key).byteLength > MAX_KEY_SIZE) {
      throw new InvalidParametersError(`A key has at most ${MAX_KEY_SIZE} bytes`)
    }

    const fileKey = toFileKey(key)

    if (this.#open.has(fileKey)) {
      throw new StoreWriteError(`Part ${key} is open`)
    }

    this.#open.add(fileKey)

    try {
      return await this.#openFile({ key, size, name: safeName(name) }, fileKey)
    } catch (err) {
      this.#open.delete(fileKey)
      this.#made = false
      this.#known = undefined
      throw storeError(err, `Could not open a part in ${this.#folder}`)
    }
  }

  /** What is kept with a part. */
  async kept (key: string): Promise<Uint8Array | undefined> {
    const path = join(this.#folder, keptName(toFileKey(key)))

    try {
      const stats = await lstat(path)

      return stats.isFile() && stats.size <= MAX_KEPT_SIZE ? await readFile(path) : undefined
    } catch (err) {
      if (!hasCode(err, 'ENOENT')) {
        throw storeError(err, `Could not read ${path}`)
      }
    }
  }

  async * list (): AsyncGenerator<PartInfo> {
    const names = new Set(await readdir(this.#folder).catch(ifMissing([])).catch((err: unknown) => {
      throw storeError(err, `Could not list the parts in ${this.#folder}`)
    }))

    const keys = new Set([...names].filter(name => name.endsWith('.part')).map(fileKeyOf))

    for (const name of names) {
      if (name.endsWith('.part')) {
        const info = await this.#look(name)

        if (info != null) {
          yield info
        }
      } else if (name.endsWith('.part.state') ? !names.has(name.slice(0, -'.state'.length)) : isKeptName(name) && !keys.has(fileKeyOf(name))) {
        // its part was finished, and then we crashed
        await this.#tidy(name)
      }
    }
  }

  /** What a part is by its state file, or else by its name. */
  async #look (fileName: string): Promise<PartInfo | undefined> {
    const path = join(this.#folder, fileName)
    const state = await readState(`${path}.state`)

    if (state instanceof Object) {
      return { key: state.key, name: state.name, size: state.size }
    }

    const stats = await lstat(path).catch(ifMissing(undefined))

    if (stats?.isFile() !== true) {
      return
    }

    if (stats.size > 0) {
      return infoOf(fileName, stats.size)
    }

    // begun, and then we crashed before there was anything in it
    await this.#tidy(fileName)
  }

  async #tidy (fileName: string): Promise<void> {
    if (!this.#open.has(fileKeyOf(fileName) ?? '')) {
      await remove(join(this.#folder, fileName))
    }
  }

  async #openFile (info: PartInfo, fileKey: string): Promise<Part> {
    await this.#make()
    const names = await this.#namesOf(fileKey)
    const known = names.find(name => name.endsWith(`.${fileKey}.part`))
    const path = join(this.#folder, known ?? partName(info.name, fileKey))
    const file = await open(path, known == null ? 'wx+' : 'r+')

    try {
      const { size, blocks } = known == null ? { size: 0, blocks: 0 } : await file.stat()
      const recovered = known == null ? begin(info) : await recover(path, info, size)
      await this.#assertRoom(info.size - blocks * BLOCK_SIZE)

      if (names.includes(`${basename(path)}.state`) && !needsState(recovered.state)) {
        await remove(`${path}.state`)
      }

      return await this.#openPart(recovered, path, file, size, names.some(name => isKeptName(name) && fileKeyOf(name) === fileKey))
    } catch (err) {
      await file.close()

      if (known == null) {
        await remove(path)
        await remove(`${path}.state`)
      }

      throw err
    }
  }

  async #openPart ({ state, saved }: Recovered, path: string, file: FileHandle, fileSize: number, kept: boolean): Promise<Part> {
    const fileKey = toFileKey(state.key)
    const statePath = `${path}.state`
    const marks = needsState(state) ? await openMarks(statePath, { state, saved }, file) : undefined

    // after the state: pieces past the end are not there, but will then look as if they were
    if (fileSize !== state.size) {
      await file.truncate(state.size).catch(async (err: unknown) => {
        await marks?.close()
        throw err
      })
    }

    return new DiskPart({
      size: state.size,
      name: state.name,
      downloads: this.#downloads,
      file,
      path,
      statePath,
      marks,
      marked: state.durable,
      doubtful: without(state.written, state.durable),
      keptPath: join(this.#folder, keptName(fileKey)),
      kept,
      onClose: gone => {
        this.#open.delete(fileKey)

        if (gone) {
          this.#known?.delete(fileKey)
        }
      }
    })
  }

  /** The files in the folder; none if it is known that no part of this key is there. */
  async #namesOf (fileKey: string): Promise<string[]> {
    if (this.#known?.has(fileKey) === false) {
      this.#known.add(fileKey)

      return []
    }

    const names = await readdir(this.#folder)
    this.#known ??= new Set(names.map(name => fileKeyOf(name) ?? ''))
    this.#known.add(fileKey)

    return names
  }

  async #make (): Promise<void> {
    if (!this.#made) {
      await mkdir(this.#folder, { recursive: true })
      await mkdir(this.#downloads, { recursive: true })
      this.#made = true
    }
  }

  async #assertRoom (bytes: number): Promise<void> {
    const now = performance.now()

    if (now - this.#free.at < FREE_SPACE_TIME && bytes < this.#free.bytes * FREE_SPACE_SHARE) {
      return
    }

    this.#free = { bytes: await freeSpace(this.#folder), at: now }

    if (this.#free.bytes < bytes) {
      throw new StoreFullError(`There is no room for ${bytes} bytes in ${this.#folder}`)
    }
  }
}

function begin (info: PartInfo): Recovered {
  const none = firstBits(0, pieceCount(info.size))

  return { state: { ...info, written: none, durable: none }, saved: false }
}

async function openMarks (path: string, { state, saved }: Recovered, data: FileHandle): Promise<Marks> {
  const file = await open(path, saved ? 'r+' : 'w+')

  try {
    if (!saved) {
      await writeAll(file, encodeState(state), 0)
    }
  } catch (err) {
    await file.close()
    throw err
  }

  return new Marks(file, state, async () => { await data.datasync() })
}

/** For `catch`: gives `value` if there is nothing at a path. */
function ifMissing<T> (value: T): (err: unknown) => T {
  return err => {
    if (hasCode(err, 'ENOENT')) {
      return value
    }

    throw err
  }
}
