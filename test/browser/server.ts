/**
 * Gives a page its files, from memory.
 *
 * @module
 */

import { createServer } from 'node:http'
import { extname } from 'node:path'
import type { AddressInfo } from 'node:net'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json'
}

/** A server on this machine that has started. */
export interface PageServer extends AsyncDisposable {
  /** Of its origin, such as `http://localhost:8080`. */
  url: string
}

/** How files are served. */
export interface ServeInit {
  /** By path, such as `/run.js`; `/` is `/index.html`. */
  files: Map<string, string | Uint8Array>

  /**
   * What pages store is kept by the port they came from.
   *
   * @default any that is free
   */
  port?: number

  /** Sent with each file. */
  headers?: Record<string, string>
}

export async function serve ({ files, port = 0, headers = {} }: ServeInit): Promise<PageServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const path = pathname === '/' ? '/index.html' : pathname
    const file = files.get(path)

    if (file == null) {
      response.writeHead(404, headers).end()
    } else {
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'cache-control': 'no-store', ...headers }).end(file)
    }
  })

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })

  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise(resolve => { server.close(resolve) })
    }
  }
}
