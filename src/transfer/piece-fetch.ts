import { hashPiece, PIECE_SIZE } from '../content/index.ts'
import { Driver } from '../driver.ts'
import { Bitfield } from './core/bitfield.ts'
import { DownloadCore } from './core/download.ts'
import { OpenBuffers } from './piece-buffers.ts'
import type { Allowance } from './core/allowance.ts'
import type { DownloadInput, DownloadOutput, Span } from './core/download.ts'
import type { Message } from './core/messages.ts'
import type { PieceBuffers } from './piece-buffers.ts'
import type { Session } from './session.ts'
import type { Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'
import type { Part } from '../store/index.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

/** What a download does about peers that are no good. */
export interface PeerActions {
  /** Breaks off with a peer, for the rest of this download. */
  drop (peer: PeerKey, reason: string): void

  /** Breaks off with a peer for good. */
  ban (peer: PeerKey): void
}

/** What a {@link PieceFetch} works with. */
export interface PieceFetchInit extends PeerActions {
  manifest: Manifest

  /** Where the bytes go; it may still be on its way when the first of them arrive. */
  part: Promise<Part>

  /** Pieces that are stored and right. */
  have: Bitfield

  buffers: PieceBuffers

  /** What all downloads in the background may have together, and whether this is one. */
  allowance: Allowance
  background: boolean

  /** A piece that came from these peers is verified and stored. */
  onPiece (piece: number, from: PeerKey[]): void
}

/** Fetches the pieces of a content into a part of the store. */
export class PieceFetch {
  /**
   * Resolves when every piece is stored.
   *
   * @throws what the store says
   */
  readonly complete: Promise<void>

  readonly #init: PieceFetchInit
  readonly #core: DownloadCore
  readonly #driver: Driver<DownloadInput, DownloadOutput>
  readonly #open: OpenBuffers
  readonly #sessions = new Map<PeerKey, Session>()
  readonly #work = new Set<Promise<void>>()
  readonly #complete = Promise.withResolvers<void>()
  #stopped = false

  constructor (init: PieceFetchInit) {
    this.#init = init
    this.#open = new OpenBuffers(init.buffers, init.background)
    this.#core = new DownloadCore({ layout: init.manifest, random: Math.random, budget: this.#open, have: init.have, allowance: init.allowance })
    this.#driver = new Driver({ core: this.#core, carryOut: outputs => { this.#carryOut(outputs) } })
    this.background(init.background)
    this.complete = this.#complete.promise
    this.complete.catch(() => {})

    if (init.have.full) {
      this.#complete.resolve()
    }
  }

  /** Pieces that are verified and stored. */
  get have (): Bitfield {
    return this.#core.have
  }

  /** `true` if it gives way to other downloads now. */
  get yields (): boolean {
    return this.#core.yields(performance.now())
  }

  /** Gives way to other downloads from now on, or not any more. */
  background (background: boolean): void {
    this.#open.background = background
    this.#driver.handle({ type: 'background', background })
  }

  /** `true` if no peer has a piece that is missing. */
  get starving (): boolean {
    return this.#core.starving
  }

  /**
   * Fetches from a peer too, or takes note of what it says it has. With
   * `early` it is asked before it has said hello, and taken to have all.
   *
   * @throws {ProtocolError} what it says it has does not fit
   */
  join (session: Session, early = false): void {
    const { pieceCount } = this.#init.manifest
    const unchoked = early || session.unchoked
    const have = early ? Bitfield.full(pieceCount) : new Bitfield(pieceCount, session.pieces(pieceCount).toBytes())
    this.#sessions.set(session.key, session)
    this.#driver.handle({ type: 'peer', peer: session.key, have, maxWindow: session.line.maxWindow, unchoked })
  }

  /** The same for a session that is open, if what it speaks of has the size that is fetched; else fetches nothing from it. */
  consider (session: Session): void {
    const { pieceCount, size } = this.#init.manifest
    const theirs = session.remote?.size

    if (pieceCount > 1 || theirs == null || theirs === size) {
      this.join(session)
    } else {
      this.leave(session.key)
    }
  }

  leave (peer: PeerKey): void {
    if (this.#sessions.delete(peer)) {
      this.#driver.handle({ type: 'gone', peer })
    }
  }

  message (from: PeerKey, message: Message): void {
    this.#driver.handle({ type: 'message', from, message })
  }

  /** What readers wait for, most urgent first. */
  want (spans: Span[]): void {
    this.#driver.handle({ type: 'want', spans })
  }

  /** Reads what is stored. */
  async read (offset: number, length: number): Promise<Uint8Array> {
    const reading = this.#init.part.then(async part => part.read(offset, length))
    this.#track(reading)

    return reading
  }

  /** Asks nobody any more, and resolves when nothing is being hashed, written or read. */
  async stop (): Promise<void> {
    this.#stopped = true
    this.#driver.stop()
    this.#sessions.clear()
    await Promise.allSettled(this.#work)
    this.#open.clear()
  }

  #carryOut (outputs: Array<Exclude<DownloadOutput, { type: 'timer' }>>): void {
    const messages = new Map<PeerKey, Message[]>()

    for (const output of outputs) {
      switch (output.type) {
        case 'send':
          if (output.message.type === 'have') {
            this.#sessions.get(output.to)?.defer(output.message)
          } else {
            addTo(messages, output.to, output.message)
          }

          break
        case 'block': {
          const { piece, begin, bytes } = output
          this.#open.put(piece, this.#init.manifest.pieceSize(piece), begin, bytes as Uint8Array | Uint8ArrayList)
          break
        }
        case 'complete': this.#track(this.#verify(output)); break
        case 'discard': this.#open.discard(output.piece); break
        case 'drop': this.#init.drop(output.peer, output.reason); break
        case 'ban': this.#init.ban(output.peer); break
        case 'done': this.#complete.resolve(); break
      }
    }

    for (const [key, list] of messages) {
      this.#sessions.get(key)?.send(...list)
    }
  }

  async #verify ({ piece, from }: { piece: number, from: PeerKey[] }): Promise<void> {
    const bytes = this.#open.remove(piece)

    try {
      const part = await this.#init.part
      // beside each other: bytes that turn out wrong are in a piece that is not marked, and will be overwritten
      const [hash] = await Promise.all([hashPiece(bytes), part.write(piece * PIECE_SIZE, bytes)])
      const expected = this.#init.manifest.hash(piece)
      const ok = hash.every((byte, i) => byte === expected[i])

      if (ok) {
        await part.mark(piece)
      }

      this.#open.release(bytes)
      this.#driver.handle({ type: 'verified', piece, ok })

      if (ok && !this.#stopped) {
        this.#init.onPiece(piece, from)
      }
    } catch (err) {
      this.#complete.reject(err)
    }
  }

  #track (work: Promise<unknown>): void {
    const tracked: Promise<void> = work.then(() => {}, () => {}).finally(() => { this.#work.delete(tracked) })
    this.#work.add(tracked)
  }
}

function addTo<Key, Value> (lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)

  if (list == null) {
    lists.set(key, [value])
  } else {
    list.push(value)
  }
}
