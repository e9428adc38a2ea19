import { isNodeCid, isPieceCid, Manifest } from '../content/index.ts'
import { AbortError } from '@libp2p/interface'
import { failureOf } from '../delay.ts'
import { InvalidParametersError } from '../errors.ts'
import { DownloadUsers } from './users.ts'
import { Bitfield } from './core/bitfield.ts'
import { FetchPeers } from './fetch-peers.ts'
import { keptManifest } from './kept-manifest.ts'
import { ManifestFetch } from './manifest-fetch.ts'
import { Meter } from './meter.ts'
import { PieceFetch } from './piece-fetch.ts'
import { UNKNOWN_LATENESS } from './constants.ts'
import { progressOf } from './progress.ts'
import { Readers } from './readers.ts'
import { Sizes } from './sizes.ts'
import { finishPart, openPart, piecesOf, readFinished, verifiedPieces } from './stored.ts'
import type { FetchInit } from './fetch-init.ts'
import type { FetchState } from './fetch-peers.ts'
import type { CatalogName, TransferProgress } from './index.ts'
import type { PieceReader } from './readers.ts'
import type { Entry } from '../content/entry.ts'
import type { Finished, Part } from '../store/index.ts'
import type { CID } from 'multiformats/cid'

/**
 * One content being fetched, from the first question to the entry: the
 * manifest, the part in the store, the pieces, the end. Lives as long as
 * somebody wants it.
 */
export class Fetch {
  readonly cid: CID

  /** Which catalog it is for. */
  readonly into: CatalogName

  /** `true` if it was given up because nobody wants it in that catalog any more. */
  unwanted = false

  /** The entry, once all is stored. Rejects with the reason why that failed. */
  readonly done: Promise<Entry>

  /** Who waits for it. */
  readonly users: DownloadUsers

  /** Whom it is fetched from. */
  readonly peers: FetchPeers

  readonly #init: FetchInit
  readonly #state: FetchState = {}
  readonly #ended = new AbortController()
  readonly #manifestKnown = Promise.withResolvers<void>()
  #size?: number
  readonly #sizes = new Sizes()
  #otherSize = Promise.withResolvers<number>()
  readonly #meter = new Meter(performance.now())
  readonly #readers: Readers
  #finishing = false
  #finished?: Finished

  constructor (init: FetchInit) {
    this.cid = init.cid
    this.into = init.into
    this.#init = init
    this.#size = init.size
    this.users = new DownloadUsers(() => this.#progress(), init.log)
    this.peers = new FetchPeers({
      ...init,
      state: this.#state,
      users: this.users,
      meter: this.#meter,
      onOpened: () => { this.#considerSizes() },
      onTick: () => { this.#tick() }
    })
    this.#readers = new Readers({
      want: pieces => { this.#state.pieces?.want(pieces.map(piece => ({ from: piece, to: this.manifest?.pieceCount ?? 0 }))) },
      has: piece => this.#finishing || this.#state.pieces?.have.has(piece) === true,
      read: async (offset, length) => await this.read(offset, length) ??
        this.done.then(async () => readFinished(this.#init.store, this.#finished as Finished, offset, length))
    })
    this.done = this.#run()
    this.done.catch(() => {})
    this.#manifestKnown.promise.catch(() => {})
  }

  /** Known as soon as all interior nodes are here. */
  get manifest (): Manifest | undefined {
    return this.#state.manifest
  }

  /** It gives way to other downloads. */
  get background (): boolean {
    return this.peers.background
  }

  /** Pieces that can be served already; `undefined` as long as nothing is known of the content. */
  get have (): Bitfield | undefined {
    return this.#state.pieces?.have
  }

  /** `true` if it was given up, and only has to let go of what it holds. */
  get ending (): boolean {
    return this.#ended.signal.aborted
  }

  /**
   * Those who wait for it changed: gives it up if nobody does any more, and
   * gives way as long as nobody is in a hurry. Those who want it in another
   * catalog fetch it for that one then.
   */
  usersChanged (): void {
    const { background } = this.users

    if (!this.users.want(this.into)) {
      this.unwanted = true
      this.fail(new AbortError('Nobody waits for the download any more'))
    } else if (background !== this.background) {
      this.peers.hurry(background)
    }
  }

  /** Ends it; what is stored stays for the next time. */
  fail (error: Error): void {
    this.#ended.abort(error)
  }

  /** Reads pieces that are stored; `undefined` if the content is being finished, and to be read from where it went. */
  async read (offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#finishing ? undefined : this.#state.pieces?.read(offset, length)
  }

  /** Resolves when the manifest is known. */
  async manifestKnown (): Promise<Manifest> {
    await this.#manifestKnown.promise

    return this.manifest as Manifest
  }

  /** Begins to read in order; what is read next is fetched before all else. */
  beginReading (): PieceReader {
    return this.#readers.begin()
  }

  async #run (): Promise<Entry> {
    // let whoever made this add sources and users first
    await Promise.resolve()
    const ended = new Promise<never>((_resolve, reject) => {
      this.#ended.signal.addEventListener('abort', () => { reject(this.#ended.signal.reason as Error) })
    })
    ended.catch(() => {})

    try {
      return await this.#fetch(ended)
    } catch (err) {
      this.fail(err as Error)
      this.#manifestKnown.reject(err)
      this.#readers.fail(err as Error)
      throw err
    } finally {
      this.peers.stop()
      this.#state.nodes?.stop()
      this.users.reportProgress(true)
    }
  }

  async #fetch (ended: Promise<never>): Promise<Entry> {
    for (;;) {
      const manifest = this.#state.manifest = await Promise.race([this.#findManifest(), ended])
      const part = await this.#fetchPieces(manifest, ended)

      if (part != null) {
        return this.#finish(manifest, part)
      }
    }
  }

  async #findManifest (): Promise<Manifest> {
    if (isNodeCid(this.cid)) {
      const nodes = this.#state.nodes = new ManifestFetch(this.cid, this.peers.actions, keptManifest(this.#init, this.#ended))
      this.peers.askForNodes()
      const manifest = await nodes.manifest
      nodes.stop()
      this.#state.nodes = undefined

      return manifest
    }

    if (!isPieceCid(this.cid)) {
      throw new InvalidParametersError(`${this.cid} is not a CIDv1 of raw bytes or dag-pb with SHA-256`)
    }

    if (this.#size == null) {
      this.peers.look()
      this.#size = await this.#otherSize.promise
    }

    return Manifest.single(this.cid, this.#size)
  }

  /** Fetches all pieces; `undefined` if the content turns out to have another size. */
  async #fetchPieces (manifest: Manifest, ended: Promise<never>): Promise<Part | undefined> {
    const opening = openPart(this.#init, manifest, this.#init.name ?? String(this.cid))
    opening.catch(() => {})

    try {
      // what is small is asked for while its part is being made
      const have = manifest.pieceCount === 1 ? new Bitfield(1) : await Promise.race([verifiedPieces(await opening, manifest), ended])
      const pieces = this.#startPieces(manifest, opening, have)
      const size = await Promise.race([pieces.complete, this.#otherSize.promise, failureOf(opening), ended])
      this.#finishing = size == null
      await pieces.stop()

      if (size != null) {
        this.#state.pieces = undefined
        this.#size = size
        this.peers.beginAnew('the content has another size than we thought')
        await (await opening).discard()

        return undefined
      }

      return await opening
    } catch (err) {
      await this.#state.pieces?.stop()
      await opening.then(async part => { await part.close() }).catch(() => {})
      throw err
    }
  }

  #startPieces (manifest: Manifest, part: Promise<Part>, have: Bitfield): PieceFetch {
    this.#otherSize = Promise.withResolvers()
    const pieces = this.#state.pieces = new PieceFetch({
      ...this.peers.actions,
      manifest,
      part,
      have,
      buffers: this.#init.buffers,
      allowance: this.#init.allowance,
      background: this.background,
      onPiece: (piece, from) => {
        this.#readers.stored(piece)
        this.users.reportPiece(this.cid, piece, from)
        this.users.reportProgress()
      }
    })
    this.#meter.begin(performance.now())
    this.#manifestKnown.resolve()
    piecesOf(have).forEach(piece => { this.users.reportPiece(this.cid, piece, []) })

    this.peers.askForPieces()

    return pieces
  }

  async #finish (manifest: Manifest, part: Part): Promise<Entry> {
    return finishPart(part, async finished => {
      this.#finished = finished

      return this.#init.onFinished(manifest, finished, this.#init.path)
    })
  }

  #tick (): void {
    const now = performance.now()
    this.#considerSizes()
    const fault = this.#meter.fault(this.cid, { pieces: this.#state.pieces, patience: this.users.patience, peers: this.peers.size }, now)

    if (fault != null) {
      this.fail(fault)
    }

    this.users.reportProgress()
  }

  /** Peers say how large a content of one piece is, which its CID does not tell. Another size is tried when the first leads nowhere. */
  #considerSizes (): void {
    if (!isPieceCid(this.cid) || (this.#state.pieces?.starving === false && performance.now() - this.#meter.bytesAt < UNKNOWN_LATENESS)) {
      return
    }

    const size = this.#sizes.next(this.peers.sessions(), this.manifest?.size)

    if (size != null) {
      this.#otherSize.resolve(size)
    }
  }

  #progress (): TransferProgress {
    const { cid, manifest, have } = this

    return progressOf({ cid, manifest, have, rate: this.#meter.rate(performance.now()), peers: this.peers.size })
  }
}
