/**
 * What the OPFS store does to files: errors by name, whole reads and writes.
 *
 * @module
 */

import { ContentChangedError, NotFoundError, StoreFullError, StoreWriteError } from '../errors.ts'

/** Names that our errors have, and what is in our words already stays as it is. */
const OURS = [StoreFullError.name, StoreWriteError.name, ContentChangedError.name]

/** Says in our words what the browser said while `doing` something. */
export function opfsError (err: unknown, doing: string): Error {
  const { name, message } = err as Error

  if (OURS.includes(name)) {
    return err as Error
  }

  return name === 'QuotaExceededError'
    ? new StoreFullError(`${doing}: no room is left for this site`, { cause: err })
    : new StoreWriteError(`${doing}: ${message}`, { cause: err })
}

/** `true` if the browser says that a file or folder, or the file behind a `File`, is gone or another by now. */
export function isGone (err: unknown): boolean {
  return ['NotFoundError', 'NotReadableError'].includes((err as Error | null)?.name ?? '')
}

/** The names in a folder that match. What is written at the moment may have a file of its own beside. */
export async function namesIn (folder: FileSystemDirectoryHandle, pattern: RegExp): Promise<string[]> {
  const names: string[] = []

  for await (const name of folder.keys()) {
    if (pattern.test(name)) {
      names.push(name)
    }
  }

  return names
}

/** A file as it is now; `undefined` if there is none. */
export async function fileIn (folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile()
  } catch (err) {
    if (!isGone(err)) {
      throw err
    }
  }
}

/** A folder; `undefined` if there is none. */
export async function folderIn (folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await folder.getDirectoryHandle(name)
  } catch (err) {
    if (!isGone(err)) {
      throw err
    }
  }
}

/** Writes a file as a whole: whenever we are stopped, all of it is there, or what was there before. A new file may be left empty. */
export async function writeFile (folder: FileSystemDirectoryHandle, name: string, bytes: Uint8Array): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true })
  const stream = await handle.createWritable()

  try {
    await stream.write(bytes as Uint8Array<ArrayBuffer>)
    await stream.close()
  } catch (err) {
    await stream.abort().catch(() => {})
    throw err
  }
}

/** Whether the browser would let a file have so many bytes; `true` if it does not say. */
export async function hasRoom (folder: FileSystemDirectoryHandle, bytes: number): Promise<boolean> {
  try {
    const stream = await (await folder.getFileHandle('room', { create: true })).createWritable()

    try {
      await stream.truncate(bytes)
    } finally {
      await stream.abort().catch(() => {})
      await removeFrom(folder, 'room')
    }
  } catch (err) {
    return (err as Error).name !== 'QuotaExceededError'
  }

  return true
}

/** Deletes a file, or a folder with all in it, if there is one. */
export async function removeFrom (folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  await folder.removeEntry(name, { recursive: true }).catch((err: unknown) => {
    if ((err as Error).name !== NotFoundError.name) {
      throw err
    }
  })
}

/**
 * Reads bytes of a file.
 *
 * @throws {ContentChangedError} it is gone, another, or ends before
 */
export async function readFrom (file: File | undefined, from: number, length: number): Promise<Uint8Array> {
  const bytes = await file?.slice(from, from + length).arrayBuffer().catch((err: unknown) => {
    if (!isGone(err)) {
      throw err
    }
  })

  if (bytes?.byteLength !== length) {
    throw new ContentChangedError(`Bytes ${from} to ${from + length} of a piece are gone`)
  }

  return new Uint8Array(bytes)
}
