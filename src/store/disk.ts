/**
 * A store of files, for Node.
 *
 * A part is `<parts>/<name>.<key>.part`, with its marks beside it in
 * `<name>.<key>.part.state`; finished, it is `<downloads>/<name>`, which is
 * its location as well. What is kept with a part is in `<key>.kept`. Both folders are made when they are needed, and
 * should be on one disk: otherwise finishing copies.
 *
 * What a crash leaves behind is used. Of a part whose state file is lost or
 * torn all pieces are doubtful, none is gone. A part of one piece has no state
 * file: hashing it takes less than keeping one.
 *
 * One store at a time may use a folder of parts.
 *
 * @module
 */

import { openAsBlob } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hasCode, readAll, remove } from './disk-files.ts'
import { DiskParts } from './disk-parts.ts'
import { fileVersion } from './file-version.ts'
import { assertReadable } from './range.ts'
import { ContentChangedError, NotFoundError } from '../errors.ts'
import type { Part, PartInfo, PartInit, Reader, Store } from './index.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { BigIntStats } from 'node:fs'

export { fileVersion } from './file-version.ts'
export { safeName } from './safe-name.ts'

/** Settings of a {@link diskStore}. */
export interface DiskStoreInit {
  /** Folder that finished contents are moved to. */
  downloads: string

  /** Folder for parts; no other store may use it at the same time. */
  parts: string
}

/** Makes a store of files. Touches the disk only when it is used. */
export function diskStore (init: DiskStoreInit): Store {
  return new DiskStore(init)
}

class DiskStore implements Store {
  readonly #downloads: string
  readonly #parts: DiskParts

  constructor ({ downloads, parts }: DiskStoreInit) {
    this.#downloads = downloads
    this.#parts = new DiskParts(downloads, parts)
  }

  async part (key: string, init: PartInit, options?: AbortOptions): Promise<Part> {
    options?.signal?.throwIfAborted()

    return await this.#parts.open(key, init)
  }

  async * parts (options?: AbortOptions): AsyncGenerator<PartInfo> {
    for await (const info of this.#parts.list()) {
      options?.signal?.throwIfAborted()
      yield info
    }
  }

  async kept (key: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    options?.signal?.throwIfAborted()

    return await this.#parts.kept(key)
  }

  async open (location: string, options?: AbortOptions): Promise<Reader> {
    options?.signal?.throwIfAborted()

    if (!isLocation(location)) {
      throw new NotFoundError(`${location} is no location of this store`)
    }

    const path = join(this.#downloads, location)
    const { size } = await statFile(path)
    const file = await open(path, 'r').catch(notFound(path))

    return {
      size: Number(size),
      version: async () => fileVersion(await statFile(path)),
      read: async (offset, length) => {
        assertReadable(offset, length)

        return await readAll(file, offset, length)
      },
      blob: async () => openAsBlob(path).catch(gone(path)),
      close: async () => { await file.close() }
    }
  }

  async delete (location: string, options?: AbortOptions): Promise<void> {
    options?.signal?.throwIfAborted()

    if (isLocation(location)) {
      await remove(join(this.#downloads, location))
    }
  }
}

/** A location may come from records of long ago: nothing outside the folder is believed. */
function isLocation (location: string): boolean {
  return location === basename(location) && !['', '.', '..'].includes(location)
}

/** @throws {NotFoundError} there is no file, or something else */
async function statFile (path: string): Promise<BigIntStats> {
  const stats = await lstat(path, { bigint: true }).catch(notFound(path))

  if (!stats.isFile()) {
    throw new NotFoundError(`${path} is not a file`)
  }

  return stats
}

/** `openAsBlob` says only that it could not. */
function gone (path: string): (err: unknown) => never {
  return err => {
    throw new ContentChangedError(`${path} cannot be opened any more`, { cause: err })
  }
}

function notFound (path: string): (err: unknown) => never {
  return err => {
    throw hasCode(err, 'ENOENT', 'ENOTDIR') ? new NotFoundError(`There is no file ${path}`, { cause: err }) : err
  }
}
