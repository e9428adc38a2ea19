/**
 * Typed messages, both ways, over one libp2p stream.
 *
 * A message is one frame on the wire: `uint32be n`, then `n` bytes of
 * MessagePack, with `n <= maxMessageSize`. Frames follow one another until the
 * stream closes; there is no other envelope.
 *
 * Nothing read is trusted: `n` is checked before the body is kept, and a value
 * reaches the caller only through the `parse` function they pass. Whatever is
 * wrong with a message aborts the stream, since there is no way to find the
 * start of the message after.
 *
 * Messages are handed over as they arrive and are not queued here, so a
 * caller that cannot keep up has to bound what it asks for.
 *
 * @example One question, many answers
 *
 * ```ts
 * const channel = openChannel(stream, {
 *   maxMessageSize: 64 * 1024,
 *   parse: parseAnswer,
 *   onMessage: answer => { answers.push(answer) },
 *   onClose: error => { error == null ? done.resolve() : done.reject(error) }
 * })
 *
 * channel.send({ question: 'owls' })
 * ```
 *
 * @module
 */

import { Decoder, encode } from '@msgpack/msgpack'
import { InvalidMessageError, MessageTooLargeError, ProtocolError } from '../errors.ts'
import { encodeFrame, FrameDecoder } from './frame.ts'
import type { Parse } from './parse.ts'
import type { AbortOptions, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** How a channel reads and reports what arrives. */
export interface ChannelInit<In> {
  /** Largest message body to send or accept, in bytes. */
  maxMessageSize: number

  /** Reads a decoded value, or throws. */
  parse: Parse<In>

  /** Takes one message. If it throws, the stream is aborted with that error. */
  onMessage (message: In): void

  /**
   * Called once, after the last message: without an error when the other side
   * ended what it has to say, otherwise with the reason why the stream broke.
   * Our own side may still send after a clean end.
   */
  onClose? (error?: Error): void

  /**
   * Turns a body into a value for `parse`.
   *
   * @default {@link decodeValue}
   */
  decode? (body: Uint8ArrayList): unknown
}

/** Messages both ways over one stream. */
export interface Channel<Out> {
  /** The stream below. */
  readonly stream: Stream

  /**
   * Sends one message; `false` if the stream is full: wait for
   * {@link Channel.drained} before sending more.
   *
   * @throws {MessageTooLargeError} the message is over `maxMessageSize`; nothing was sent
   * @throws {StreamStateError} the stream is closed
   */
  send (message: Out): boolean

  /**
   * Sends a body that is already encoded; it is not copied.
   *
   * @throws like {@link Channel.send}
   */
  sendBody (body: Uint8Array | Uint8ArrayList): boolean

  /**
   * Sends whole frames, headers and all, in one go; they are not copied.
   *
   * @throws {StreamStateError} the stream is closed
   */
  sendFrames (frames: Uint8Array | Uint8ArrayList): boolean

  /**
   * Resolves when the stream can take more.
   *
   * @throws {ProtocolError} the stream closed; its error is the `cause`
   * @throws the reason of `signal`, once it is aborted
   */
  drained (options?: AbortOptions): Promise<void>

  /** Ends our side once all is sent; the other may go on. Never rejects. */
  close (options?: AbortOptions): Promise<void>

  /** Breaks the stream off, both ways. */
  abort (error: Error): void
}

/**
 * A decoder with limits: a few bytes can announce an array of four billion
 * items, for which memory would be reserved before the first is read.
 */
const DECODER_LIMITS = { maxArrayLength: 65_536, maxMapLength: 1024, maxExtLength: 0 }

const decoder = new Decoder(DECODER_LIMITS)

/** Decodes one MessagePack value. Bytes in it are views of `body` where it is in one part. */
export function decodeValue (body: Uint8Array | Uint8ArrayList): unknown {
  return decoder.decode(body.subarray())
}

/** Puts a channel on a stream that nobody else reads. */
export function openChannel<In, Out> (stream: Stream, init: ChannelInit<In>): Channel<Out> {
  const frames = new FrameDecoder(init.maxMessageSize)
  const decode = init.decode ?? decodeValue
  let closed = false

  /** Stops listening; `false` if that was done before. */
  function leave (): boolean {
    const first = !closed
    closed = true
    stream.removeEventListener('message', onData)
    stream.removeEventListener('end', onEnd)
    stream.removeEventListener('close', onStreamClose)

    return first
  }

  function finish (error?: Error): void {
    if (leave()) {
      init.onClose?.(error)
    }
  }

  function fail (error: Error): void {
    // not listening any more, or the end that an abort brings about would be taken for the reason
    if (leave()) {
      stream.abort(error)
      init.onClose?.(error)
    }
  }

  function read (body: Uint8ArrayList): In {
    try {
      return init.parse(decode(body))
    } catch (err) {
      throw new InvalidMessageError('Could not read message', { cause: err })
    }
  }

  function onData (event: StreamMessageEvent): void {
    try {
      for (const body of frames.push(event.data)) {
        init.onMessage(read(body))

        if (closed) {
          return
        }
      }
    } catch (err) {
      fail(err as Error)
    }
  }

  function onEnd (): void {
    if (frames.pending > 0) {
      fail(new ProtocolError('The stream ended inside a message'))
    } else if (stream.status === 'aborted' || stream.status === 'reset') {
      // 'close' follows at once, and knows the reason
    } else {
      finish()
    }
  }

  function onStreamClose (event: StreamCloseEvent): void {
    finish(event.error)
  }

  stream.addEventListener('message', onData)
  stream.addEventListener('end', onEnd)
  stream.addEventListener('close', onStreamClose)

  function sendBody (body: Uint8Array | Uint8ArrayList): boolean {
    if (body.byteLength > init.maxMessageSize) {
      throw new MessageTooLargeError(`A message of ${body.byteLength} bytes is over the limit of ${init.maxMessageSize}`)
    }

    return stream.send(encodeFrame(body))
  }

  return {
    stream,
    send: message => sendBody(encode(message, { ignoreUndefined: true })),
    sendBody,
    sendFrames: frames => stream.send(frames),
    drained: async options => { await drained(stream, options) },
    async close (options) {
      await stream.close(options).catch((err: Error) => { stream.abort(err) })
    },
    abort (error) {
      fail(error)
    }
  }
}

/**
 * `stream.onDrain()` of @libp2p/utils 7.4.1 resolves at once after its first
 * time, so the events are waited for instead.
 */
async function drained (stream: Stream, options?: AbortOptions): Promise<void> {
  options?.signal?.throwIfAborted()

  while (stream.writableNeedsDrain) {
    if (stream.writeStatus !== 'writable') {
      throw new ProtocolError(`The stream is ${stream.status}`)
    }

    await new Promise<void>((resolve, reject) => {
      const settle = (then: () => void): void => {
        stream.removeEventListener('drain', onDrain)
        stream.removeEventListener('close', onClose)
        options?.signal?.removeEventListener('abort', onAbort)
        then()
      }
      const onDrain = (): void => { settle(resolve) }
      const onClose = (event: StreamCloseEvent): void => {
        settle(() => { reject(new ProtocolError('The stream closed', { cause: event.error })) })
      }
      const onAbort = (): void => { settle(() => { reject(options?.signal?.reason as Error) }) }

      stream.addEventListener('drain', onDrain)
      stream.addEventListener('close', onClose)
      options?.signal?.addEventListener('abort', onAbort)
    })
  }
}
