/**
 * What a node is made of in Node: TCP, and files.
 *
 * @module
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import { nodeFiles } from '../catalog/node-files.ts'
import { DataDirInUseError } from '../errors.ts'
import { diskStore } from '../store/disk.ts'
import { memoryStore } from '../store/index.ts'
import { fastNoise } from './fast-noise.ts'
import type { Defaults } from './platform.ts'

/** The parts that differ by platform. */
export async function platformDefaults (dataDir?: string): Promise<Defaults> {
  const network = {
    listen: ['/ip4/0.0.0.0/tcp/0'],
    transports: [tcp()],
    connectionEncrypters: [fastNoise()],
    streamMuxers: [yamux()],
    files: nodeFiles()
  }

  if (dataDir == null) {
    return { ...network, datastore: new MemoryDatastore(), store: memoryStore(), open: async () => {}, close: async () => {} }
  }

  await mkdir(dataDir, { recursive: true })
  const datastore = new LevelDatastore(join(dataDir, 'records'))

  return {
    ...network,
    datastore,
    store: diskStore({ downloads: join(dataDir, 'downloads'), parts: join(dataDir, 'parts') }),
    open: async () => { await openDatastore(datastore, dataDir) },
    close: async () => { await datastore.close() }
  }
}

/** `datastore.open()` says that it failed, but not why; the database below does. */
async function openDatastore (datastore: LevelDatastore, dataDir: string): Promise<void> {
  try {
    await datastore.db.open({ compression: false })
  } catch (err) {
    if ((err as { cause?: { code?: string } }).cause?.code === 'LEVEL_LOCKED') {
      throw new DataDirInUseError(`Another node uses ${dataDir}`, { cause: err })
    }

    throw err
  }
}
