/**
 * The reference for what libp2p itself can do: bytes over raw streams, with
 * real backpressure, over TCP, noise and yamux.
 *
 * A large file is one stream that is neither hashed nor written by the
 * receiver. Small files are one new stream each: the index of the file goes
 * up, its bytes come down, and are hashed and written.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { MIB } from '../fixtures.ts'
import type { Part } from '../processes.ts'
import type { Connection, Libp2p, Stream, StreamCloseEvent } from '@libp2p/interface'

const PROTOCOL = '/bench/raw-stream/1.0.0'
const SEND_SIZE = 64 * 1024
const MANY_STREAMS = { maxInboundStreams: 1000, maxOutboundStreams: 1000 }

/** Small files under way at once. */
const WIDTH = 16

interface Setting {
  folder: string
  source: string
}

type Info = { address: string, files: string[] }

async function createNode (listen: string[]): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false }
  })
}

async function serve (answer: (stream: Stream) => Promise<void>, files: string[] = []): Promise<Part> {
  const node = await createNode(['/ip4/127.0.0.1/tcp/0'])
  await node.handle(PROTOCOL, answer, MANY_STREAMS)

  return { info: { address: String(node.getMultiaddrs()[0]), files }, stop: async () => { await node.stop() } }
}

/** Waits for the next 'drain' event. `stream.onDrain()` would not: after its first time it resolves at once. */
async function drained (stream: Stream): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onDrain = (): void => { resolve() }
  const onClose = (evt: StreamCloseEvent): void => { reject(evt.error ?? new Error('The stream closed')) }
  stream.addEventListener('drain', onDrain)
  stream.addEventListener('close', onClose)

  try {
    await promise
  } finally {
    stream.removeEventListener('drain', onDrain)
    stream.removeEventListener('close', onClose)
  }
}

export async function holder ({ source }: Setting): Promise<Part> {
  return serve(async stream => {
    await using file = await fs.open(source)

    for (;;) {
      const buffer = Buffer.allocUnsafeSlow(MIB)
      const { bytesRead } = await file.read(buffer)

      if (bytesRead === 0) {
        break
      }

      for (let at = 0; at < bytesRead; at += SEND_SIZE) {
        if (!stream.send(buffer.subarray(at, Math.min(at + SEND_SIZE, bytesRead)))) {
          await drained(stream)
        }
      }
    }

    await stream.close()
  })
}

export async function downloader (): Promise<Part<Info[]>> {
  const node = await createNode([])

  return {
    run: async ([{ address }]) => {
      const stream = await node.dialProtocol(multiaddr(address), PROTOCOL)
      let bytes = 0

      for await (const chunk of stream) {
        bytes += chunk.byteLength
      }

      return { bytes }
    },
    stop: async () => { await node.stop() }
  }
}

export async function smallHolder ({ source }: Setting): Promise<Part> {
  const files = await fs.readdir(source)

  return serve(async stream => {
    const request = await readAll(stream, 4)
    const bytes = await fs.readFile(path.join(source, files[request.readUInt32BE()]))

    if (!stream.send(bytes)) {
      await drained(stream)
    }

    await stream.close()
  }, files)
}

export async function smallDownloader ({ folder }: Setting): Promise<Part<Info[]>> {
  const node = await createNode([])

  return {
    run: async ([{ address, files }]) => {
      const connection = await node.dial(multiaddr(address))
      const indexes = files.keys()

      await Promise.all(Array.from({ length: WIDTH }, async () => {
        for (const index of indexes) {
          const bytes = await request(connection, index)
          createHash('sha256').update(bytes).digest()
          await fs.writeFile(path.join(folder, files[index]), bytes)
        }
      }))

      return { path: folder }
    },
    stop: async () => { await node.stop() }
  }
}

async function request (connection: Connection, index: number): Promise<Buffer> {
  const stream = await connection.newStream(PROTOCOL, MANY_STREAMS)
  const message = Buffer.alloc(4)
  message.writeUInt32BE(index)
  stream.send(message)
  const [bytes] = await Promise.all([readAll(stream), stream.close()])

  return bytes
}

/** The bytes of a stream until it ends, or there are `enough`. */
async function readAll (stream: Stream, enough = Infinity): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let length = 0

  for await (const chunk of stream) {
    parts.push(...(chunk instanceof Uint8Array ? [chunk] : chunk))
    length += chunk.byteLength

    if (length >= enough) {
      break
    }
  }

  return Buffer.concat(parts)
}
