import { PIECE_SIZE } from '../content/index.ts'
import { delay } from '../delay.ts'
import { Driver } from '../driver.ts'
import { ProtocolError } from '../errors.ts'
import { BLOCK_SIZE, MAX_QUEUED_NODES, MAX_SKIPPED } from './constants.ts'
import { blocksOf, UploadCore } from './core/upload.ts'
import { Pace } from './pace.ts'
import type { Message, Range } from './core/messages.ts'
import type { UploadInput, UploadOutput } from './core/upload.ts'
import type { Session } from './session.ts'
import type { Count } from '../metrics.ts'
import type { Logger } from '@libp2p/interface'

/** Blocks sent in one go: 256 KiB at a time is as fast as it gets. */
const BATCH = 4

/** What is served in a session. */
export interface Holding {
  /** How many pieces there are; `undefined` if that is not known, so that nothing can be had. */
  readonly pieceCount: number | undefined

  /** `true` if all of it is here. */
  readonly complete: boolean

  /** Bytes in a piece. */
  pieceSize (piece: number): number

  /** `true` if the piece can be read. */
  has (piece: number): boolean

  /** An interior node, if it is known. */
  node (cid: Uint8Array): Uint8Array | undefined

  /** Reads bytes that are known to be right. */
  read (offset: number, length: number): Promise<Uint8Array>
}

/** What a {@link Server} is made with. */
export interface ServerInit {
  slots: number

  /** Bytes a second. */
  limit: number
  log: Logger

  /** Counts bytes, by direction. */
  count?: Count
}

interface Served {
  session: Session
  holding: Holding
  /** Aborted when it is over; made when somebody has to be told. */
  gone?: AbortController

  /** Ends when all that was begun has been sent. */
  sending: Promise<void>

  /** Blocks that were asked for, taken back, and may not be sent yet. */
  skipped: Range[]

  /** Nodes that were asked for and not sent. */
  nodes: number
}

/** Serves what this node has, to all peers of all swarms. */
export class Server {
  readonly #init: ServerInit
  #driver: Driver<UploadInput, UploadOutput>
  readonly #served = new Map<string, Served>()
  readonly #ids = new Map<Session, string>()
  readonly #pace: Pace
  readonly #batch: number
  readonly #log: Logger
  #nextId = 0
  #uploaded = 0

  constructor (init: ServerInit) {
    const { limit, log } = init
    this.#init = init
    this.#log = log
    this.#pace = new Pace(limit)
    this.#batch = limit < 16 * BATCH * BLOCK_SIZE ? 1 : BATCH
    this.#driver = this.#makeDriver()
  }

  /** Bytes of pieces that were sent. */
  get uploaded (): number {
    return this.#uploaded
  }

  /** A session is open. */
  join (session: Session, holding: Holding): void {
    const id = String(this.#nextId++)
    this.#ids.set(session, id)
    this.#served.set(id, { session, holding, sending: Promise.resolve(), skipped: [], nodes: 0 })
    this.#driver.handle({ type: 'peer', session: id, peer: session.key, content: session.content, complete: holding.complete, background: session.remote?.background })
  }

  /** A session is over. */
  leave (session: Session): void {
    const id = this.#ids.get(session)

    if (id != null) {
      this.#served.get(id)?.gone?.abort()
      this.#served.delete(id)
      this.#ids.delete(session)
      this.#driver.handle({ type: 'gone', session: id })
    }
  }

  /**
   * A message came in a session.
   *
   * @throws {ProtocolError} it asks for something that no content has
   */
  message (session: Session, message: Message): void {
    const id = this.#ids.get(session)
    const served = this.#served.get(id ?? '')

    if (id == null || served == null) {
      return
    }

    if (message.type === 'manifest') {
      this.#sendNode(served, message.cid)
    } else if (message.type === 'block') {
      this.#driver.handle({ type: 'received', session: id, bytes: message.bytes.byteLength })
    } else if (message.type !== 'request' || this.#canServe(served, message)) {
      this.#driver.handle({ type: 'message', session: id, message })
    }
  }

  /** Serves nobody any more, of those there are; others may come. */
  stop (): void {
    this.#driver.stop()
    this.#driver = this.#makeDriver()

    for (const { gone } of this.#served.values()) {
      gone?.abort()
    }

    this.#served.clear()
    this.#ids.clear()
  }

  #makeDriver (): Driver<UploadInput, UploadOutput> {
    return new Driver({
      core: new UploadCore({ slots: this.#init.slots, random: Math.random }),
      carryOut: outputs => { outputs.forEach(output => { this.#carryOut(output) }) }
    })
  }

  #canServe ({ session, holding }: Served, { piece, begin, length }: Range): boolean {
    const { pieceCount } = holding
    const fits = pieceCount != null && piece < pieceCount && begin % BLOCK_SIZE === 0 &&
      begin + length <= holding.pieceSize(piece) && (length > 0 || holding.pieceSize(piece) === 0)

    // whoever asked before our hello can be wrong about the size of a small content, and about what we have
    if (!fits && pieceCount != null && pieceCount > 1) {
      throw new ProtocolError(`It asked for ${length} bytes at ${begin} of piece ${piece}, which do not exist`)
    }

    const can = fits && holding.has(piece)

    if (!can) {
      session.send({ type: 'reject', piece, begin, length })
    }

    return can
  }

  #carryOut (output: Exclude<UploadOutput, { type: 'timer' }>): void {
    switch (output.type) {
      case 'send': this.#served.get(output.to)?.session.send(output.message); break
      case 'drop': this.#served.get(output.session)?.session.line.abort(new ProtocolError(output.reason)); break
      case 'serve': this.#serve(output.session, output.range); break
      case 'skip': this.#skip(output.session, output.range); break
    }
  }

  #skip (id: string, range: Range): void {
    const served = this.#served.get(id)

    if (served != null && served.skipped.push(range) > MAX_SKIPPED) {
      served.session.line.abort(new ProtocolError('It took back more than it can have asked for'))
    }
  }

  #serve (id: string, range: Range): void {
    const served = this.#served.get(id)

    if (served != null) {
      // read at once, sent in turn
      const reading = served.holding.read(range.piece * PIECE_SIZE + range.begin, range.length)
      reading.catch(() => {})
      served.sending = served.sending.then(async () => { await this.#send(id, served, range, reading) })
    }
  }

  async #send (id: string, served: Served, range: Range, reading: Promise<Uint8Array>): Promise<void> {
    try {
      await this.#sendBlocks(served, range, await reading)
    } catch (err) {
      if (!served.session.over) {
        this.#log('could not serve %s - %e', served.session.content, err)
        served.session.send({ type: 'reject', ...range })
      }
    }

    served.skipped = served.skipped.filter(skipped => !overlap(skipped, range))

    if (this.#served.has(id)) {
      this.#driver.handle({ type: 'served', session: id, range })
    }
  }

  async #sendBlocks (served: Served, range: Range, bytes: Uint8Array): Promise<void> {
    const { session } = served
    const blocks = [...blocksOf(range)].map(({ piece, begin, length }) => {
      const start = begin - range.begin

      return { piece, begin, bytes: bytes.subarray(start, start + length) }
    })

    for (let i = 0; i < blocks.length && !session.over; i += this.#batch) {
      const batch = blocks.slice(i, i + this.#batch).filter(block => !this.#isSkipped(served, block))
      const size = batch.reduce((sum, block) => sum + block.bytes.byteLength, 0)
      const now = performance.now()
      const wait = this.#pace.take(size, now)

      if (wait > 0) {
        await delay(wait, { signal: untilGone(served) })
        this.#pace.waited(now + wait, performance.now())
      }

      session.sendBlocks(batch)
      this.#uploaded += size
      this.#init.count?.('sent', size)

      if (session.line.full) {
        await session.line.drained({ signal: untilGone(served) })
      }
    }
  }

  /** Says that a block will not come, if it was taken back. */
  #isSkipped ({ session, skipped }: Served, { piece, begin, bytes: { byteLength: length } }: Omit<Range, 'length'> & { bytes: Uint8Array }): boolean {
    const range = { piece, begin, length }
    const skip = skipped.some(other => overlap(other, range))

    if (skip) {
      session.send({ type: 'reject', ...range })
    }

    return skip
  }

  #sendNode (served: Served, cid: Uint8Array): void {
    const { session, holding } = served
    const node = { type: 'node' as const, cid, bytes: holding.node(cid) }

    if (served.nodes === 0 && !session.line.full) {
      session.send(node)
      return
    }

    if (++served.nodes > MAX_QUEUED_NODES) {
      throw new ProtocolError('It asked for more nodes than it may at once')
    }

    served.sending = served.sending.then(async () => {
      try {
        await session.line.drained({ signal: untilGone(served) })
        session.send(node)
      } catch {
        // the session is over
      } finally {
        served.nodes--
      }
    })
  }
}

function overlap (a: Range, b: Range): boolean {
  return a.piece === b.piece && a.begin < b.begin + b.length && b.begin < a.begin + a.length
}

function untilGone (served: Served): AbortSignal {
  served.gone ??= new AbortController()

  return served.gone.signal
}
