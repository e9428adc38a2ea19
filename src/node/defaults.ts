/**
 * What a node is made of in Node: TCP, WebSockets and WebRTC, and files.
 *
 * @module
 */

import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { tcp } from '@libp2p/tcp'
import { MemoryDatastore } from 'datastore-core'
import { nodeFiles } from '../catalog/node-files.ts'
import { diskStore } from '../store/disk.ts'
import { storeError } from '../store/disk-files.ts'
import { memoryStore } from '../store/index.ts'
import { loadCertificate } from './certificate.ts'
import { colonyDht } from './dht.ts'
import { fastNoise } from './fast-noise.ts'
import { RecordsDatastore } from './records.ts'
import { safeYamux } from './safe-yamux.ts'
import { webRtcTransports } from './web-rtc.ts'
import { boundedWebSockets } from './web-sockets.ts'
import type { Defaults, Kept, PlatformInit } from './platform.ts'

/** Bytes kept for others, at most, on disk and in memory. */
const DISK_ROOM = 1024 ** 3
const MEMORY_ROOM = 64 * 1024 ** 2

/** The parts that differ by platform. */
export async function platformDefaults ({ network, dataDir, iceServers }: PlatformInit): Promise<Defaults> {
  const kept = dataDir == null ? nothingKept() : await keptIn(dataDir)

  return {
    kept,
    listen: ['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/udp/0/webrtc-direct', '/p2p-circuit', '/webrtc'],
    libp2p: {
      transports: [tcp(), boundedWebSockets(), ...webRtcTransports(iceServers, async () => loadCertificate(kept.datastore))],
      connectionEncrypters: [fastNoise()],
      streamMuxers: [safeYamux()]
    },
    light: false,
    files: nodeFiles(),
    dht: colonyDht(network, { clientMode: false })
  }
}

function nothingKept (): Kept {
  return {
    datastore: new MemoryDatastore(),
    store: memoryStore(),
    keptStore: memoryStore(),
    room: MEMORY_ROOM,
    open: async () => {},
    close: async () => {},
    report: async () => ({ store: 'memory', persisted: false })
  }
}

/** The whole disk, which a node shares with all else. */
async function diskSpace (folder: string): Promise<{ quota: number, usage: number }> {
  const { bsize, blocks, bavail } = await statfs(folder)

  return { quota: bsize * blocks, usage: bsize * (blocks - bavail) }
}

async function keptIn (dataDir: string): Promise<Kept> {
  await mkdir(dataDir, { recursive: true }).catch((err: unknown) => {
    throw storeError(err, `${dataDir} cannot be the folder of a node`)
  })
  const datastore = new RecordsDatastore(join(dataDir, 'records'))

  return {
    datastore,
    store: diskStore({ downloads: join(dataDir, 'downloads'), parts: join(dataDir, 'parts') }),
    keptStore: diskStore({ downloads: join(dataDir, 'kept', 'contents'), parts: join(dataDir, 'kept', 'parts') }),
    room: DISK_ROOM,
    open: async () => { await datastore.open() },
    close: async () => { await datastore.close() },
    report: async () => ({ store: 'disk', persisted: true, ...await diskSpace(dataDir) })
  }
}
