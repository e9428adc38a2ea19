/**
 * WebSockets that say what they are given in one message. Those of
 * @libp2p/websockets 10.1.21 make a message of each part of a list: three of
 * what Noise has encrypted at once (length, bytes and tag), and more if a head
 * and a block went into it. Each costs the page that receives it about 0.1 ms,
 * far more than copying the parts together.
 *
 * @module
 */

import { Uint8ArrayList } from 'uint8arraylist'
import type { webSockets } from '@libp2p/websockets'
import type { MultiaddrConnection, Transport, Upgrader, UpgraderOptions } from '@libp2p/interface'

/** Largest message, in bytes: what is waiting to be sent need not be copied as a whole. */
const MAX_SIZE = 256 * 1024

/** What a connection sends its bytes with; a method of all of libp2p's, though not of the interface. */
interface Sender {
  sendData (data: Uint8ArrayList): unknown
}

/** The same transport, whose connections send few large messages. */
export function joinedSends (factory: ReturnType<typeof webSockets>): ReturnType<typeof webSockets> {
  return components => {
    const transport = factory(components)
    const dial: Transport['dial'] = transport.dial.bind(transport)
    const createListener: Transport['createListener'] = transport.createListener.bind(transport)
    transport.dial = async (address, options) => dial(address, { ...options, upgrader: joining(options.upgrader) })
    transport.createListener = options => createListener({ ...options, upgrader: joining(options.upgrader) })

    return transport
  }
}

/** Every connection comes by here before anything is sent on it. */
function joining (upgrader: Upgrader): Upgrader {
  return {
    upgradeOutbound: async (connection: MultiaddrConnection, options: object) => upgrader.upgradeOutbound(joined(connection), options as UpgraderOptions),
    upgradeInbound: async (connection: MultiaddrConnection, options: object) => upgrader.upgradeInbound(joined(connection), options as UpgraderOptions),
    createInboundAbortSignal: signal => upgrader.createInboundAbortSignal(signal),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters()
  }
}

function joined (connection: MultiaddrConnection): MultiaddrConnection {
  const sender = connection as MultiaddrConnection & Sender
  const sendData = sender.sendData.bind(sender)

  sender.sendData = data => {
    const whole = new Uint8ArrayList()

    for (let at = 0; at < data.byteLength; at += MAX_SIZE) {
      whole.append(data.subarray(at, Math.min(at + MAX_SIZE, data.byteLength)))
    }

    return sendData(whole)
  }

  return connection
}
