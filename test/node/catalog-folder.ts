/**
 * A folder of this machine that is shared, for the tests of the catalog.
 *
 * @module
 */

import { mkdir, mkdtemp, realpath, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { start, stop } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { MemoryDatastore } from 'datastore-core'
import { catalog } from '../../src/catalog/index.ts'
import { nodeFiles } from '../../src/catalog/node-files.ts'
import { memoryStore } from '../../src/store/index.ts'
import type { Catalog, Entry, FileSystem, ShareOptions } from '../../src/catalog/index.ts'
import type { Datastore } from 'interface-datastore'

/** Long ago, in ms: files with this time are not waited for. */
export const LONG_AGO = Date.UTC(2020, 0, 1)

/** Everything a test of files needs; `end()` it after. */
export class SharedFolder {
  readonly root: string
  readonly datastore: Datastore
  readonly store = memoryStore()
  readonly files: FileSystem

  /** Paths that were opened, relative to the root. */
  readonly opened: string[] = []

  /** Files and watches that are open. */
  readonly unclosed = new Set<unknown>()
  catalog: Catalog

  static async make (datastore: Datastore = new MemoryDatastore()): Promise<SharedFolder> {
    const folder = new SharedFolder(await realpath(await mkdtemp(join(tmpdir(), 'catalog ä '))), datastore)
    await start(folder.catalog)

    return folder
  }

  private constructor (root: string, datastore: Datastore) {
    this.root = root
    this.datastore = datastore
    this.files = { ...nodeFiles() }
    const { open } = this.files
    this.files.open = async path => {
      this.opened.push(path.slice(root.length + 1))
      const reader = await open(path)
      const close = reader.close.bind(reader)
      this.unclosed.add(reader)
      reader.close = async () => {
        await close()
        this.unclosed.delete(reader)
      }

      return reader
    }

    const { watch } = this.files
    this.files.watch = async (path, listener, options) => {
      const watching = await watch(path, listener, options)
      const close = watching.close.bind(watching)
      this.unclosed.add(watching)
      watching.close = () => {
        close()
        this.unclosed.delete(watching)
      }

      return watching
    }
    this.catalog = this.#make()
  }

  async restart (): Promise<void> {
    await stop(this.catalog)
    this.opened.length = 0
    this.catalog = this.#make()
    await start(this.catalog)
  }

  async end (): Promise<void> {
    await stop(this.catalog)
    await rm(this.root, { recursive: true, force: true })
  }

  path (path = ''): string {
    return join(this.root, path)
  }

  /** Writes a file, changed `age` ms ago or {@link LONG_AGO}. */
  async write (path: string, content: string | Uint8Array, modified: number = LONG_AGO): Promise<void> {
    await mkdir(dirname(this.path(path)), { recursive: true })
    await writeFile(this.path(path), content)
    await utimes(this.path(path), new Date(modified), new Date(modified))
  }

  /** Shares a path in the folder. */
  async share (path = '', options?: ShareOptions): Promise<Entry[]> {
    const entries: Entry[] = []

    for await (const entry of this.catalog.share(this.path(path), options)) {
      entries.push(entry)
    }

    return entries
  }

  #make (): Catalog {
    return catalog({ store: this.store, files: this.files })({ datastore: this.datastore, logger: defaultLogger() })
  }

  /** What is in the catalog, as `folders/name`, sorted; the name of the root is left out. */
  names (): string[] {
    const folder = this.root.slice(this.root.lastIndexOf('/') + 1)

    return [...this.catalog.entries()].map(({ path, name }) => `${path}/${name}`.replace(folder, '').replace(/^\/+/, '')).sort()
  }

  /** The text of an entry by its name, as it is served. */
  async text (name: string): Promise<string | undefined> {
    const entry = [...this.catalog.entries()].find(entry => entry.name === name)
    const opened = entry == null ? undefined : await this.catalog.open(entry.cid)

    try {
      return opened == null ? undefined : Buffer.from(await opened.read(0, opened.manifest.size)).toString()
    } finally {
      await opened?.close()
    }
  }

  /** Resolves once the catalog fulfils something. */
  async until (fulfilled: () => boolean): Promise<void> {
    const { catalog } = this

    await new Promise<void>((resolve, reject) => {
      const types = ['entry:added', 'entry:removed', 'entry:skipped'] as const
      const timer = setTimeout(() => { settle(() => { reject(new Error(`Still ${this.names().join(', ')}`)) }) }, 30_000)
      const settle = (then: () => void): void => {
        clearTimeout(timer)
        types.forEach(type => { catalog.removeEventListener(type, check) })
        then()
      }
      // events are dispatched in the middle of a change
      const check = (): void => { queueMicrotask(() => { fulfilled() && settle(resolve) }) }

      types.forEach(type => { catalog.addEventListener(type, check) })
      check()
    })
  }
}
