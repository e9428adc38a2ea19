/**
 * What the disk store does to files: errors by name, whole reads and writes,
 * and names that are never taken from anybody.
 *
 * @module
 */

import { copyFile, link, lstat, open, readdir, rename, statfs, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { numberedName } from './safe-name.ts'
import { ContentChangedError, StoreFullError, StoreWriteError } from '../errors.ts'
import type { FileHandle } from 'node:fs/promises'

/** Says in our words what the file system said while `doing` something; what is in our words already stays as it is. */
export function storeError (err: unknown, doing: string): Error {
  if (err instanceof StoreFullError || err instanceof StoreWriteError || err instanceof ContentChangedError) {
    return err
  }

  const message = `${doing}: ${err instanceof Error ? err.message : String(err)}`

  return hasCode(err, 'ENOSPC', 'EDQUOT')
    ? new StoreFullError(message, { cause: err })
    : new StoreWriteError(message, { cause: err })
}

export function hasCode (err: unknown, ...codes: string[]): boolean {
  return codes.includes((err as NodeJS.ErrnoException | null)?.code ?? '')
}

/** Writes all of `bytes`. */
export async function writeAll (handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, offset + done)
    done += bytesWritten
  }
}

/** @throws {ContentChangedError} the file ends before */
export async function readAll (handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  // neither zeroed nor part of a pool, which keeping a few bytes would keep whole
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)

  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)

    if (bytesRead === 0) {
      throw new ContentChangedError(`The file ends at ${offset + done}, before ${offset + length}`)
    }

    done += bytesRead
  }

  return bytes
}

/** Deletes a file, if there is one. */
export async function remove (path: string): Promise<void> {
  await unlink(path).catch((err: unknown) => {
    if (!hasCode(err, 'ENOENT')) {
      throw err
    }
  })
}

/** Bytes free for us on the disk of a folder, or `Infinity` where nobody says. */
export async function freeSpace (folder: string): Promise<number> {
  const { blocks, bavail, bsize } = await statfs(folder)

  return blocks === 0 ? Infinity : bavail * bsize
}

/**
 * Gives a file `name` in a folder, or the first `name (n)` that nobody has, and
 * returns that. Where there are hard links it keeps its own name as well, to be
 * removed by the caller; done again, it returns the name that was given before.
 */
export async function nameInto (folder: string, name: string, path: string): Promise<string> {
  return await linkedName(folder, path) ?? await giveName(folder, name, path)
}

/** The name that a file has in a folder besides its own: a crash came between giving the one and taking the other. */
async function linkedName (folder: string, path: string): Promise<string | undefined> {
  const { dev, ino, nlink } = await lstat(path, { bigint: true })

  if (nlink <= 1n) {
    return undefined
  }

  for (const name of await readdir(folder)) {
    const other = await lstat(join(folder, name), { bigint: true }).catch(() => undefined)

    if (other?.dev === dev && other.ino === ino) {
      return name
    }
  }
}

async function giveName (folder: string, name: string, path: string): Promise<string> {
  try {
    return await takeName(folder, name, async free => { await link(path, join(folder, free)) })
  } catch (err) {
    if (hasCode(err, 'EXDEV')) {
      return await copyInto(folder, name, path)
    }

    if (!hasCode(err, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) {
      throw err
    }
  }

  // no hard links here, as on FAT: an empty file holds the name, which rename may then replace
  const free = await takeName(folder, name, async free => { await (await open(join(folder, free), 'wx')).close() })
  await rename(path, join(folder, free))

  return free
}

/** Calls `take` with one name after another, as long as it fails because the name is taken. */
async function takeName (folder: string, name: string, take: (free: string) => Promise<void>): Promise<string> {
  let taken: Set<string> | undefined

  for (let n = 1, free = name; ; free = numberedName(name, ++n)) {
    if (taken?.has(free) === true) {
      continue
    }

    try {
      await take(free)

      return free
    } catch (err) {
      if (!hasCode(err, 'EEXIST')) {
        throw err
      }
    }

    taken ??= new Set(await readdir(folder))
  }
}

/** Moves to another disk: copied beside the target first, so that no half a file ever has the name. */
async function copyInto (folder: string, name: string, path: string): Promise<string> {
  const copy = join(folder, `.${basename(path)}`)

  try {
    await copyFile(path, copy)
    const handle = await open(copy, 'r+')
    await handle.datasync().finally(async () => { await handle.close() })

    const free = await nameInto(folder, name, copy)
    await remove(copy)

    return free
  } catch (err) {
    await remove(copy)
    throw err
  }
}
