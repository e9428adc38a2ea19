/**
 * The service worker of the player: answers requests for `play/<cid>/<name>`
 * with bytes that it gets from the page that made them.
 *
 * @module
 */

/** What the page is asked for: a content, its first byte, and its last, if that was said. */
export interface Ask {
  cid: string
  from: number
  to?: number
}

/** What the page has of it: where it ends, how much there is in all, and its media type. */
export interface Offer {
  last: number
  size: number
  type: string
}

/** The little of a service worker's world that is used; the types of TypeScript for it and for pages exclude each other. */
interface Worker {
  registration: { scope: string }
  clients: { claim: () => Promise<void>, get: (id: string) => Promise<{ postMessage: (message: Ask, transfer: MessagePort[]) => void } | undefined> }
  skipWaiting: () => Promise<void>
  addEventListener: (type: 'install' | 'activate' | 'fetch', listener: (event: WorkerEvent) => void) => void
}

interface WorkerEvent {
  request: Request
  clientId: string
  respondWith: (response: Response | Promise<Response>) => void
  waitUntil: (work: Promise<unknown>) => void
}

const worker = globalThis as unknown as Worker

worker.addEventListener('install', event => { event.waitUntil(worker.skipWaiting()) })
worker.addEventListener('activate', event => { event.waitUntil(worker.clients.claim()) })
worker.addEventListener('fetch', event => {
  const path = event.request.url.startsWith(`${worker.registration.scope}play/`) ? event.request.url.slice(worker.registration.scope.length) : ''
  const [, cid] = path.split('/')

  if (cid != null) {
    // opened as a page, what somebody else made would be a page of this site
    const isPlayer = ['audio', 'video'].includes(event.request.destination)
    event.respondWith(isPlayer ? respond(event, cid) : new Response(null, { status: 404 }))
  }
})

async function respond (event: WorkerEvent, cid: string): Promise<Response> {
  const page = await worker.clients.get(event.clientId)
  const range = /^bytes=(\d+)-(\d*)$/.exec(event.request.headers.get('range') ?? '')
  const from = Number(range?.[1] ?? 0)
  const to = range?.[2] == null || range[2] === '' ? undefined : Number(range[2])
  const { port1: port, port2 } = new MessageChannel()
  const offered = answerOf(port)
  page?.postMessage({ cid, from, to }, [port2])
  const offer = page == null ? undefined : await offered as Offer | undefined

  if (offer == null) {
    return new Response(null, { status: 404 })
  }

  const { body, ended } = bytesFrom(port)
  // a browser ends workers that seem to do nothing
  event.waitUntil(ended)

  return new Response(body, {
    status: range == null ? 200 : 206,
    headers: {
      'accept-ranges': 'bytes',
      'content-length': String(offer.last - from + 1),
      'content-type': offer.type,
      'x-content-type-options': 'nosniff',
      ...range != null && { 'content-range': `bytes ${from}-${offer.last}/${offer.size}` }
    }
  })
}

/** Bytes that the page sends, each time it is asked for more. */
function bytesFrom (port: MessagePort): { body: ReadableStream<Uint8Array>, ended: Promise<void> } {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const body = new ReadableStream<Uint8Array>({
    async pull (controller) {
      const answer = answerOf(port)
      port.postMessage('more')
      const bytes = await answer

      if (bytes instanceof Uint8Array) {
        controller.enqueue(bytes)
        return
      }

      bytes == null ? controller.close() : controller.error(new Error('The page could not read it'))
      end()
    },
    cancel () {
      port.postMessage('stop')
      end()
    }
  }, { highWaterMark: 0 })

  return { body, ended }
}

async function answerOf (port: MessagePort): Promise<unknown> {
  return new Promise(resolve => { port.onmessage = ({ data }) => { resolve(data) } })
}
