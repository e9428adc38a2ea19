/**
 * What a node is made of in Node: TCP, and files.
 *
 * @module
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tcp } from '@libp2p/tcp'
import { MemoryDatastore } from 'datastore-core'
import { nodeFiles } from '../catalog/node-files.ts'
import { diskStore } from '../store/disk.ts'
import { storeError } from '../store/disk-files.ts'
import { memoryStore } from '../store/index.ts'
import { fastNoise } from './fast-noise.ts'
import { RecordsDatastore } from './records.ts'
import { safeYamux } from './safe-yamux.ts'
import type { Defaults } from './platform.ts'

/** The parts that differ by platform. */
export async function platformDefaults (dataDir?: string): Promise<Defaults> {
  const network = {
    listen: ['/ip4/0.0.0.0/tcp/0'],
    transports: [tcp()],
    connectionEncrypters: [fastNoise()],
    streamMuxers: [safeYamux()],
    files: nodeFiles()
  }

  if (dataDir == null) {
    return { ...network, datastore: new MemoryDatastore(), store: memoryStore(), open: async () => {}, close: async () => {} }
  }

  await mkdir(dataDir, { recursive: true }).catch((err: unknown) => {
    throw storeError(err, `${dataDir} cannot be the folder of a node`)
  })
  const datastore = new RecordsDatastore(join(dataDir, 'records'))

  return {
    ...network,
    datastore,
    store: diskStore({ downloads: join(dataDir, 'downloads'), parts: join(dataDir, 'parts') }),
    open: async () => { await datastore.open() },
    close: async () => { await datastore.close() }
  }
}
