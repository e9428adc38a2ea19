/**
 * The file system of Node.
 *
 * @module
 */

import { constants, openAsBlob } from 'node:fs'
import { lstat, open, opendir, realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { watchTree } from './node-watch.ts'
import { sharePaths } from './shared-paths.ts'
import { nameFault } from '../content/names.ts'
import { ContentChangedError, NotFoundError } from '../errors.ts'
import type { FileInfo, FileReader, FileSystem, Found, Skipped, WalkOptions } from './files.ts'
import type { BigIntStats, Dirent } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/** Files looked at together during a walk; more would not be faster. */
const WALK_BATCH = 32

/**
 * Opens neither a link, which may have taken the place of a file to lead out
 * of the folder, nor waits for someone to write to a pipe. Windows has neither
 * flag.
 */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Makes a {@link FileSystem} of the files of this machine. */
export function nodeFiles (): FileSystem {
  return {
    resolve: resolveLinks,
    covers,
    walk,
    stat,
    exists,
    open: openFile,
    watch: watchTree,
    sharePaths
  }
}

async function resolveLinks (path: string): Promise<string> {
  const absolute = resolve(path)

  try {
    return await realpath(absolute)
  } catch {
    const parent = dirname(absolute)

    return parent === absolute ? absolute : join(await resolveLinks(parent), basename(absolute))
  }
}

function covers (folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

async function stat (path: string): Promise<FileInfo | undefined> {
  try {
    const [stats, real] = await Promise.all([lstat(path, { bigint: true }), realpath(path)])

    return stats.isFile() && real === path ? toInfo(stats) : undefined
  } catch (err) {
    if (isGone(err)) {
      return undefined
    }

    throw err
  }
}

async function exists (path: string): Promise<boolean> {
  try {
    await lstat(path)

    return true
  } catch {
    return false
  }
}

async function openFile (path: string): Promise<FileReader> {
  const handle = await open(path, OPEN_FLAGS).catch((err: Error) => {
    // ELOOP: a link took the place of the file
    throw isGone(err) || hasCode(err, 'ELOOP') ? new NotFoundError(`There is no file ${path}`, { cause: err }) : err
  })

  try {
    const stats = await handle.stat({ bigint: true })

    if (!stats.isFile()) {
      throw new NotFoundError(`${path} is not a file`)
    }

    return new OpenFile(path, handle, toInfo(stats))
  } catch (err) {
    await handle.close()
    throw err
  }
}

/** A file by its handle: it stays the same one when another takes its path. */
class OpenFile implements FileReader {
  readonly info: FileInfo
  readonly size: number
  readonly #path: string
  readonly #handle: FileHandle

  constructor (path: string, handle: FileHandle, info: FileInfo) {
    this.#path = path
    this.#handle = handle
    this.info = info
    this.size = info.size
  }

  async version (): Promise<string> {
    return toInfo(await this.#handle.stat({ bigint: true })).version
  }

  async read (offset: number, length: number): Promise<Uint8Array> {
    const { buffer } = Buffer.allocUnsafeSlow(length)
    const bytes = new Uint8Array(buffer)
    await this.readInto(offset, bytes)

    return bytes
  }

  async readInto (offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.byteLength;) {
      const { bytesRead } = await this.#handle.read(target, done, target.byteLength - done, offset + done)

      if (bytesRead === 0) {
        throw new ContentChangedError(`The file ends before ${offset + target.byteLength}`)
      }

      done += bytesRead
    }
  }

  /** A blob goes by the path: what is there afterwards has to be the file that was opened. */
  async blob (): Promise<Blob> {
    const blob = await openAsBlob(this.#path).catch((err: Error) => {
      throw new ContentChangedError(`${this.#path} cannot be opened any more`, { cause: err })
    })

    if ((await stat(this.#path))?.version !== this.info.version) {
      throw new ContentChangedError(`${this.#path} is another file by now`)
    }

    return blob
  }

  async close (): Promise<void> {
    await this.#handle.close()
  }
}

/** A folder that a walk still has to look into, and the folders above it as far as the root. */
interface Folder {
  path: string
  folders: string
}

async function * walk (root: string, options: WalkOptions = {}): AsyncGenerator<Found> {
  const start = await startOf(root, options)

  if (start == null) {
    return
  }

  const pending: Folder[] = []
  yield * await look(start.path, start.folders, pending)

  for (let folder = pending.pop(); folder != null; folder = pending.pop()) {
    yield * walkFolder(folder, root, options, pending)
  }
}

/** Where to begin, and the folders above. The root itself may be hidden: it was named. */
async function startOf (root: string, options: WalkOptions): Promise<Folder | undefined> {
  options.signal?.throwIfAborted()
  await lstat(root).catch((err: Error) => {
    throw isGone(err) ? new NotFoundError(`There is nothing at ${root}`, { cause: err }) : err
  })

  if (options.within == null || options.within === root) {
    return { path: root, folders: '' }
  }

  const names = relative(root, options.within).split(sep)
  const hidden = options.hidden !== true && names.some(name => name.startsWith('.'))

  if (hidden || !covers(root, options.within) || await resolveLinks(options.within) !== options.within) {
    return undefined
  }

  return { path: options.within, folders: [basename(root), ...names.slice(0, -1)].filter(name => name !== '').join('/') }
}

async function * walkFolder (folder: Folder, root: string, options: WalkOptions, pending: Folder[]): AsyncGenerator<Found> {
  try {
    let batch: Array<Promise<Found[]>> = []

    for await (const dirent of await opendir(folder.path, { bufferSize: WALK_BATCH })) {
      options.signal?.throwIfAborted()
      batch.push(lookAt(dirent, folder, root, options, pending))

      if (batch.length === WALK_BATCH) {
        yield * (await Promise.all(batch)).flat()
        batch = []
      }
    }

    yield * (await Promise.all(batch)).flat()
  } catch (err) {
    if (!hasSystemCode(err)) {
      throw err
    }

    if (!isGone(err)) {
      yield skipped({ path: folder.path, reason: 'unreadable', cause: err })
    }
  }
}

async function lookAt (dirent: Dirent, { path, folders }: Folder, root: string, options: WalkOptions, pending: Folder[]): Promise<Found[]> {
  const child = join(path, dirent.name)

  if (dirent.name.startsWith('.') && options.hidden !== true) {
    return [skipped({ path: child, reason: 'hidden' })]
  }

  return dirent.isSymbolicLink() ? lookAtLink(child, root) : look(child, folders, pending)
}

async function lookAtLink (path: string, root: string): Promise<Found[]> {
  try {
    return [skipped({ path, reason: covers(root, await realpath(path)) ? 'duplicate' : 'outside' })]
  } catch (err) {
    return [skipped({ path, reason: 'unreadable', cause: err as Error })]
  }
}

/** What is at a path: a file, a folder to be walked later, or something to be skipped. */
async function look (path: string, folders: string, pending: Folder[]): Promise<Found[]> {
  const name = basename(path)

  // a whole drive has no name; bytes that are not UTF-8 are read as U+FFFD, and cannot be opened by that
  if (name !== '' && (nameFault(name) != null || name.includes('\ufffd'))) {
    return [skipped({ path, reason: 'bad-name' })]
  }

  try {
    const stats = await lstat(path, { bigint: true })

    if (stats.isDirectory()) {
      pending.push({ path, folders: folders === '' ? name : `${folders}/${name}` })

      return []
    }

    return stats.isFile() ? [{ type: 'file', path, name, folders, info: toInfo(stats) }] : [skipped({ path, reason: 'not-a-file' })]
  } catch (err) {
    return isGone(err) ? [] : [skipped({ path, reason: 'unreadable', cause: err as Error })]
  }
}

function skipped (skipped: Skipped): Found {
  return { type: 'skipped', skipped }
}

function toInfo (stats: BigIntStats): FileInfo {
  return { size: Number(stats.size), version: `${stats.size}-${stats.mtimeNs}`, modified: Math.round(Number(stats.mtimeNs) / 1e6) }
}

function isGone (err: unknown): boolean {
  return hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR')
}

function hasCode (err: unknown, code: string): boolean {
  return (err as { code?: unknown }).code === code
}

/** `true` for what the system said, not for an abort or a mistake of ours. */
function hasSystemCode (err: unknown): err is NodeJS.ErrnoException {
  return err instanceof Error && 'syscall' in err
}
