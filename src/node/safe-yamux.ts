import { yamux } from '@libp2p/yamux'
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'

/** What a muxer sends its frames with; a method of all of libp2p's, though not of the interface. */
interface Sender extends StreamMuxer {
  send (data: unknown): boolean
}

/**
 * Yamux that survives its connection. @libp2p/yamux 8.0.3 opens a stream in
 * two steps, the second from a microtask; if the connection closes between
 * them, sending throws where nobody can catch it, which ends the process. Here
 * it breaks off with the connection, as it would have done a moment later.
 *
 * And its connection does not survive it: one on which no stream can be opened
 * any more would be taken for open, and nobody would dial another.
 */
export function safeYamux (): () => StreamMuxerFactory {
  return () => {
    const factory = yamux()() as StreamMuxerFactory

    return {
      protocol: factory.protocol,
      createStreamMuxer (connection) {
        const muxer = factory.createStreamMuxer(connection) as Sender
        const send = muxer.send.bind(muxer)
        const abort = muxer.abort.bind(muxer)

        muxer.abort = err => {
          abort(err)
          connection.abort(err)
        }

        muxer.send = data => {
          try {
            return send(data)
          } catch (err) {
            muxer.abort(err as Error)

            return false
          }
        }

        return muxer
      }
    }
  }
}
