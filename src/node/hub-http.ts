import { createServer } from 'node:http'
import { listenError } from './listen-error.ts'
import type { HttpAddress } from './check-hub-init.ts'
import type { Health } from './hub-health.ts'
import type { HubMetrics } from './hub-metrics.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Connections that are open at once: a scraper, a supervisor, and a few people. */
const MAX_CONNECTIONS = 64

/** What a {@link HubHttp} is made with. */
export interface HubHttpInit extends HttpAddress {
  health (): Promise<Health>
  metrics?: Pick<HubMetrics, 'text' | 'contentType'>
}

interface Answer {
  status: number
  type: string
  body: string
}

/** The health and the metrics of a hub over HTTP. Answers to `GET` and `HEAD`, and changes nothing. */
export class HubHttp {
  readonly #init: HubHttpInit
  readonly #server: Server

  constructor (init: HubHttpInit) {
    this.#init = init
    this.#server = createServer((request, response) => { void this.#handle(request, response) })
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Where it is, or `undefined` while it does not listen. */
  get url (): string | undefined {
    const { address, family, port } = (this.#server.address() ?? {}) as Partial<AddressInfo>

    return address == null ? undefined : `http://${family === 'IPv6' ? `[${address}]` : address}:${String(port)}`
  }

  /** @throws {ListenError} the address is taken, or not of this machine */
  async listen (): Promise<void> {
    const { host, port } = this.#init

    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', err => { reject(listenError(err, `http ${host}:${port}`)) })
      this.#server.listen({ host, port }, () => {
        this.#server.removeAllListeners('error')
        // such as no file descriptor being left; the next connection may have one
        this.#server.on('error', () => {})
        resolve()
      })
    })
  }

  async close (): Promise<void> {
    await new Promise<void>(resolve => {
      this.#server.close(() => { resolve() })
      this.#server.closeAllConnections()
    })
  }

  async #handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#answer(request).catch((err: Error) => text(500, err.message))
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      ...status === 405 ? { allow: 'GET, HEAD' } : {}
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  async #answer ({ method, url = '' }: IncomingMessage): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') {
      return text(405, 'Only GET and HEAD are answered')
    }

    const [path] = url.split('?')

    if (path === '/health') {
      return { status: 200, type: 'application/json', body: `${JSON.stringify(await this.#init.health(), null, 2)}\n` }
    }

    if (path === '/metrics' && this.#init.metrics != null) {
      return { status: 200, type: this.#init.metrics.contentType, body: await this.#init.metrics.text() }
    }

    return text(404, 'There are /health and /metrics')
  }
}

function text (status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}
