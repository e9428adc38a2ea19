/**
 * Where a node in a browser keeps things: bytes in the private files of the
 * site, records in IndexedDB, or all of it in memory.
 *
 * @module
 */

import { MemoryDatastore } from 'datastore-core'
import { memoryStore } from '../store/index.ts'
import { opfsStore } from '../store/opfs.ts'
import { IdbRecords } from './idb-records.ts'
import type { Kept, StorageReport } from './platform.ts'
import type { Store } from '../store/index.ts'

/** Bytes kept for others, at most, in memory and in private files: pages come and go. */
const MEMORY_ROOM = 32 * 1024 ** 2
const FILES_ROOM = 256 * 1024 ** 2

/**
 * Chooses where a node of this page keeps things.
 *
 * `open` asks the browser to keep them. It may ask the user in turn, so the
 * answer is not waited for: it is in the report.
 *
 * @param dataDir - the name of the database; without it, everything is in memory
 */
export async function browserStorage (dataDir?: string): Promise<Kept> {
  if (dataDir == null) {
    return { datastore: new MemoryDatastore(), store: memoryStore(), keptStore: memoryStore(), room: MEMORY_ROOM, open: async () => {}, close: async () => {}, report: async () => report('memory') }
  }

  const datastore = new IdbRecords(dataDir)
  const store = await fileStore(dataDir)

  return {
    datastore,
    store: store ?? memoryStore(),
    keptStore: await fileStore(`${dataDir}/kept`) ?? memoryStore(),
    room: store == null ? MEMORY_ROOM : FILES_ROOM,
    open: async () => {
      await datastore.open()
      storage()?.persist?.().catch(() => {})
    },
    close: async () => { await datastore.close() },
    report: async () => report(store == null ? 'memory' : 'opfs')
  }
}

/** A store of private files; `undefined` where there are none, or none that a page can write to. */
async function fileStore (name: string): Promise<Store | undefined> {
  if (!('createWritable' in (globalThis.FileSystemFileHandle?.prototype ?? {}))) {
    return undefined
  }

  try {
    await navigator.storage.getDirectory()
  } catch {
    return undefined
  }

  return opfsStore({ name })
}

async function report (store: StorageReport['store']): Promise<StorageReport> {
  const [persisted, estimate] = await Promise.all([
    storage()?.persisted?.().catch(() => false),
    storage()?.estimate?.().catch(() => undefined)
  ])

  return { persisted: persisted === true, quota: estimate?.quota, usage: estimate?.usage, store }
}

/** Pages that came over plain HTTP have none. */
function storage (): Partial<StorageManager> | undefined {
  return (navigator as Partial<Navigator>).storage
}
