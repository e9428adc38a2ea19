/**
 * WebSockets that cannot be held up by those who connect and say nothing.
 *
 * The listener of @libp2p/websockets 10.1.21 waits without limit for the first
 * byte of a connection, and for the end of the HTTP request: it hands sockets to
 * an HTTP server that never listens itself, and so enforces none of Node's
 * timeouts. And it cannot be closed while one of the former is open. So this
 * ends those that are idle before they are a WebSocket, and all when it closes.
 *
 * @module
 */

import { webSockets } from '@libp2p/websockets'
import { joinedSends } from './joined-sends.ts'
import type { Listener, Transport } from '@libp2p/interface'
import type { Server, Socket } from 'node:net'

/** How long a connection may be idle before it has become a WebSocket, in ms; libp2p lets the handshake after that take as long. */
const IDLE_TIMEOUT = 10_000

/** Settings of {@link boundedWebSockets}. */
export interface WebSocketLimits {
  /**
   * How long a connection may be idle before it has become a WebSocket, in ms.
   *
   * @default 10_000
   */
  idleTimeout?: number
}

/** The transport of @libp2p/websockets, with bounds on what comes in. */
export function boundedWebSockets ({ idleTimeout = IDLE_TIMEOUT }: WebSocketLimits = {}): ReturnType<typeof webSockets> {
  const factory = joinedSends(webSockets())

  return components => {
    const transport = factory(components)
    const createListener: Transport['createListener'] = transport.createListener.bind(transport)
    transport.createListener = options => bound(createListener(options), idleTimeout)

    return transport
  }
}

function bound (listener: Listener, idleTimeout: number): Listener {
  const { server } = listener as unknown as { server: Server }
  const close: Listener['close'] = listener.close.bind(listener)
  const sockets = new Set<Socket>()

  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => { sockets.delete(socket) })
    // what becomes a WebSocket has this timeout taken away by `ws`
    socket.setTimeout(idleTimeout, () => { socket.destroy() })
  })

  listener.close = async () => {
    const closed = close()
    sockets.forEach(socket => { socket.destroy() })
    await closed
  }

  return listener
}
