/**
 * All that the page needs, in one program: builds it, starts a hub, and serves
 * both until it is told to stop.
 *
 * `node examples/page/serve.ts [--port 8080] [--host 127.0.0.1] [--ice stun:stun.example.org]`
 */

import { createServer } from 'node:http'
import { extname } from 'node:path'
import { parseArgs } from 'node:util'
import { createHub } from 'formicary/hub'
import { build } from 'vite'
import config from './vite.config.ts'
import type { Server } from 'node:http'
import type { Rollup } from 'vite'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json'
}

/** Sent with every file. Nothing runs but the scripts of the page itself; `ws:` is for hubs and other members. */
const HEADERS = {
  'content-security-policy': [
    'default-src \'none\'', 'script-src \'self\'', 'style-src \'self\'', 'worker-src \'self\'', 'connect-src \'self\' ws: wss:',
    'img-src \'self\' data:', 'media-src \'self\' blob:', 'base-uri \'none\'', 'form-action \'none\'', 'frame-ancestors \'none\''
  ].join('; '),
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

const { values: { port, host, ice } } = parseArgs({
  options: {
    // what a page keeps belongs to its origin, port included: with another port, it is gone
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
    // none: on one network nobody outside has to be asked
    ice: { type: 'string', multiple: true, default: [] }
  }
})

const files = await buildPage()
const hub = await createHub({
  network: 'page',
  listen: [`/ip4/${host}/tcp/0`, `/ip4/${host}/tcp/0/ws`, `/ip4/${host}/udp/0/webrtc-direct`],
  http: false
})
const server = await serve().catch(async (err: NodeJS.ErrnoException) => {
  await hub.stop()
  throw err.code === 'EADDRINUSE' ? new Error(`Port ${port} is taken: choose another with --port`) : err
})
const address = server.address()

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => { void stop() })
}

console.log(`Open http://${host === '127.0.0.1' || host === '0.0.0.0' ? 'localhost' : host}:${typeof address === 'object' ? address?.port : port} in two windows, or more`)
console.log(`Programs come in through ${hub.addresses[0]}`)

/** Every file of the built page, by its path in the URL. */
async function buildPage (): Promise<Map<string, string | Uint8Array>> {
  const built = await build({ ...config, configFile: false, build: { ...config.build, write: false } }) as Rollup.RollupOutput

  return new Map(built.output.map(file => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]))
}

async function serve (): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const path = pathname === '/' ? '/index.html' : pathname
    const body = path === '/hub.json' ? JSON.stringify(entrance()) : files.get(path)

    response.writeHead(body == null ? 404 : 200, { ...HEADERS, 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(Number(port), host, resolve)
  })

  return server
}

/** What a page has to know to come in. */
function entrance (): object {
  return { network: 'page', bootstrap: hub.addresses.map(String), iceServers: ice.map(urls => ({ urls })) }
}

async function stop (): Promise<void> {
  server.closeAllConnections()
  server.close()
  await hub.stop()
}
