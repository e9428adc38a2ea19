/**
 * Watching files and folders in Node.
 *
 * `fs.watch` can watch a whole tree by itself, but on Linux it does so with a
 * watch for every file, of which a user has some 60,000, set up on the main
 * thread. So there each folder has one.
 *
 * @module
 */

import { watch } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { NotFoundError } from '../errors.ts'
import type { Watching, WatchListener, WatchOptions } from './files.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { FSWatcher } from 'node:fs'

/** Where the system watches a tree as well as a folder. */
const NATIVE_TREES = process.platform === 'darwin' || process.platform === 'win32'

/** Watches a file or all of a folder. */
export async function watchTree (root: string, listener: WatchListener, options: WatchOptions = {}): Promise<Watching> {
  const type = await typeOf(root)

  if (type === 'gone') {
    throw new NotFoundError(`There is nothing at ${root}`)
  }

  const tree = new WatchedTree(root, listener, options.hidden === true)

  try {
    await (type === 'folder' ? tree.addFolder(root, options) : tree.addFile())
  } catch (err) {
    tree.close()
    throw err
  }

  return tree
}

class WatchedTree implements Watching {
  readonly #root: string
  readonly #listener: WatchListener
  readonly #hidden: boolean
  readonly #watchers = new Map<string, FSWatcher>()
  #closed = false

  constructor (root: string, listener: WatchListener, hidden: boolean) {
    this.#root = root
    this.#listener = listener
    this.#hidden = hidden
  }

  close (): void {
    this.#closed = true
    this.#watchers.forEach(watcher => { watcher.close() })
    this.#watchers.clear()
  }

  /** Watches the folder of a file, since a watch on the file itself ends when another takes its place. */
  addFile (): void {
    this.#watch(dirname(this.#root), path => path === this.#root)
  }

  /** Watches a folder and all in it, which may be watched already. */
  async addFolder (path: string, options: AbortOptions = {}): Promise<void> {
    this.#watch(path)
    const pending = NATIVE_TREES ? [] : [path]

    for (let folder = pending.pop(); folder != null; folder = pending.pop()) {
      for await (const child of subfolders(folder, this.#hidden)) {
        options.signal?.throwIfAborted()

        if (this.#closed) {
          return
        }

        this.#watch(child)
        pending.push(child)
      }
    }
  }

  /** A folder that is gone by now, or cannot be read, has nothing to watch. */
  #watch (folder: string, matters: (path: string) => boolean = () => true): void {
    // there may be another folder at the path by now, which the old watch knows nothing of
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)

    try {
      const watcher = watch(folder, { recursive: NATIVE_TREES, persistent: false }, (type, name) => {
        const path = name == null ? folder : join(folder, name)

        if (matters(path)) {
          this.#listener.onChange(path)
        }

        // anything but new bytes: created, deleted or moved, be it the folder itself
        if (type === 'rename') {
          this.#follow(folder, path).catch((err: Error) => { this.#fail(err) })
        }
      })

      watcher.on('error', err => { this.#fail(err) })
      this.#watchers.set(folder, watcher)
    } catch (err) {
      const unreachable = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes((err as NodeJS.ErrnoException).code ?? '')

      // another reason is ENOSPC: the user has no watches left
      if (!unreachable || folder === this.#root) {
        throw err
      }
    }
  }

  /** Watches a folder that is new at a path, and no longer one that is gone. */
  async #follow (folder: string, path: string): Promise<void> {
    const type = await typeOf(path)

    if (this.#closed) {
      return
    }

    if (type === 'gone') {
      this.#drop(path)
      await this.#assertThere(folder, path)
    } else if (type === 'folder' && !NATIVE_TREES && this.#watchers.has(this.#root) && this.#wants(path)) {
      await this.addFolder(path)

      // what came into it before it was watched
      this.#listener.onChange(path)
    }
  }

  /** When a folder itself goes, its watch says so under the name of the folder, and says nothing from then on. */
  async #assertThere (folder: string, path: string): Promise<void> {
    const itself = basename(path) === basename(folder)

    if (itself && (folder === this.#root || await typeOf(folder) === 'gone')) {
      this.#drop(folder)

      if (folder === this.#root || folder === dirname(this.#root)) {
        throw new NotFoundError(`There is nothing at ${this.#root} any more`)
      }
    }
  }

  #wants (path: string): boolean {
    return this.#hidden || !basename(path).startsWith('.')
  }

  #drop (path: string): void {
    // most that goes are files, which have no watch
    if (!this.#watchers.has(path)) {
      return
    }

    for (const [folder, watcher] of this.#watchers) {
      if (folder === path || folder.startsWith(path + sep)) {
        watcher.close()
        this.#watchers.delete(folder)
      }
    }
  }

  #fail (err: Error): void {
    if (!this.#closed) {
      this.close()
      this.#listener.onError(err)
    }
  }
}

async function * subfolders (path: string, hidden: boolean): AsyncGenerator<string> {
  try {
    for await (const dirent of await opendir(path)) {
      if (dirent.isDirectory() && (hidden || !dirent.name.startsWith('.'))) {
        yield join(path, dirent.name)
      }
    }
  } catch (err) {
    // gone or not readable: the walk says so
    if (!(err instanceof Error && 'syscall' in err)) {
      throw err
    }
  }
}

async function typeOf (path: string): Promise<'folder' | 'other' | 'gone'> {
  try {
    return (await lstat(path)).isDirectory() ? 'folder' : 'other'
  } catch {
    return 'gone'
  }
}
