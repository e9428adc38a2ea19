import { isNodeCid, isPieceCid, Manifest } from '../content/index.ts'
import { AbortError } from '@libp2p/interface'
import { failureOf } from '../delay.ts'
import { InvalidParametersError } from '../errors.ts'
import { DownloadUsers } from './users.ts'
import { Bitfield } from './core/bitfield.ts'
import { Finder } from './finder.ts'
import { keptManifest } from './kept-manifest.ts'
import { ManifestFetch } from './manifest-fetch.ts'
import { Meter } from './meter.ts'
import { PieceFetch } from './piece-fetch.ts'
import { UNKNOWN_LATENESS } from './constants.ts'
import { progressOf } from './progress.ts'
import { Readers } from './readers.ts'
import { Sizes } from './sizes.ts'
import { finishPart, openPart, piecesOf, readFinished, verifiedPieces } from './stored.ts'
import type { Message } from './core/messages.ts'
import type { FetchInit } from './fetch-init.ts'
import type { CatalogName, Source, TransferProgress } from './index.ts'
import type { PeerActions } from './piece-fetch.ts'
import type { PieceReader } from './readers.ts'
import type { Session, SessionEnd } from './session.ts'
import type { PeerKey } from '../core.ts'
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

  /** It gives way to other downloads. */
  background: boolean

  /** `true` if it was given up because nobody wants it in that catalog any more. */
  unwanted = false

  /** The entry, once all is stored. Rejects with the reason why that failed. */
  readonly done: Promise<Entry>

  /** Who waits for it. */
  readonly users: DownloadUsers

  /** Known as soon as all interior nodes are here. */
  manifest?: Manifest

  readonly #init: FetchInit
  readonly #finder: Finder
  readonly #sessions = new Map<PeerKey, Session>()
  readonly #dropped = new Set<PeerKey>()
  readonly #ended = new AbortController()
  readonly #manifestKnown = Promise.withResolvers<void>()
  #manifests?: ManifestFetch
  #pieces?: PieceFetch
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
    this.background = init.background
    this.#init = init
    this.#size = init.size
    this.users = new DownloadUsers(() => this.#progress(), init.log)
    this.#finder = new Finder({
      ...init,
      isExcluded: peer => this.#dropped.has(peer) || init.isBanned(peer),
      onTick: () => { this.#tick() }
    })
    this.#readers = new Readers({
      want: pieces => { this.#pieces?.want(pieces.map(piece => ({ from: piece, to: this.manifest?.pieceCount ?? 0 }))) },
      has: piece => this.#finishing || this.#pieces?.have.has(piece) === true,
      read: async (offset, length) => await this.read(offset, length) ??
        this.done.then(async () => readFinished(this.#init.store, this.#finished as Finished, offset, length))
    })
    this.done = this.#run()
    this.done.catch(() => {})
    this.#manifestKnown.promise.catch(() => {})
  }

  /** Pieces that can be served already; `undefined` as long as nothing is known of the content. */
  get have (): Bitfield | undefined {
    return this.#pieces?.have
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
      this.background = background
      this.#pieces?.background(background)
      // the others are told in a hello
      this.#beginAnew('it is in another hurry')
    }
  }

  /** Takes somebody who may have the content. */
  addSource (source: Source): void {
    this.#finder.add(source)
  }

  /** Ends it; what is stored stays for the next time. */
  fail (error: Error): void {
    this.#ended.abort(error)
  }

  /** A session was begun by us, and not answered yet. */
  begun (session: Session): void {
    // a small content whose size is known, and the root, can be asked for before it has said hello
    if (this.#manifests != null || this.manifest?.pieceCount === 1) {
      this.#sessions.set(session.key, session)
      this.#manifests?.join(session)
      this.#pieces?.join(session, true)
    }
  }

  /** A session is open. */
  opened (session: Session): void {
    if (session.background !== this.background) {
      // it was begun in another hurry
      this.#init.drop(session.key, 'it was told another hurry')
      this.#finder.retry()

      return
    }

    this.#sessions.set(session.key, session)
    this.#finder.connected(session.key)
    this.users.report({ type: 'transfer:peer', detail: { cid: this.cid, peer: session.peer, state: 'joined' } })

    if (this.#pieces == null) {
      this.#meter.hope(performance.now())
    }

    this.#considerSizes()
    this.#manifests?.join(session)
    this.#joinPieces(session)
  }

  /** A session is over. */
  closed (session: Session, end: SessionEnd): void {
    this.#finder.closed(session.key, end)

    if (this.#sessions.get(session.key) === session) {
      this.#sessions.delete(session.key)
      this.#manifests?.leave(session.key)
      this.#pieces?.leave(session.key)
      this.users.report({ type: 'transfer:peer', detail: { cid: this.cid, peer: session.peer, state: this.#init.isBanned(session.key) ? 'banned' : 'left' } })
    }

    if (this.#sessions.size === 0) {
      this.#finder.hurry()
    }
  }

  /** A message came in a session. */
  message (session: Session, message: Message): void {
    if (message.type === 'block') {
      this.#meter.bytes(message.bytes.byteLength, performance.now())
      this.#init.onBytes(message.bytes.byteLength, this.background)
      this.#finder.useful(session.key)
    } else if (message.type === 'node' && message.bytes != null) {
      this.#meter.hope(performance.now())
    }

    this.#manifests?.message(session.key, message)
    this.#pieces?.message(session.key, message)
  }

  /** Reads pieces that are stored; `undefined` if the content is being finished, and to be read from where it went. */
  async read (offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#finishing ? undefined : this.#pieces?.read(offset, length)
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
      this.#finder.stop()
      this.#manifests?.stop()
      this.users.reportProgress(true)
    }
  }

  async #fetch (ended: Promise<never>): Promise<Entry> {
    for (;;) {
      this.manifest = await Promise.race([this.#findManifest(), ended])
      const part = await this.#fetchPieces(this.manifest, ended)

      if (part != null) {
        return this.#finish(this.manifest, part)
      }
    }
  }

  async #findManifest (): Promise<Manifest> {
    if (isNodeCid(this.cid)) {
      this.#manifests = new ManifestFetch(this.cid, this.#peerActions, keptManifest(this.#init, this.#ended))
      this.#sessions.forEach(session => { this.#manifests?.join(session) })
      this.#finder.start()
      const manifest = await this.#manifests.manifest
      this.#manifests.stop()
      this.#manifests = undefined

      return manifest
    }

    if (!isPieceCid(this.cid)) {
      throw new InvalidParametersError(`${this.cid} is not a CIDv1 of raw bytes or dag-pb with SHA-256`)
    }

    if (this.#size == null) {
      this.#finder.start()
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
        this.#pieces = undefined
        this.#size = size
        this.#beginAnew('the content has another size than we thought')
        await (await opening).discard()

        return undefined
      }

      return await opening
    } catch (err) {
      await this.#pieces?.stop()
      await opening.then(async part => { await part.close() }).catch(() => {})
      throw err
    }
  }

  /** Ends all sessions, in which there may be answers under way to what is not asked for any more, and begins others. */
  #beginAnew (reason: string): void {
    const peers = [...this.#sessions.keys()]
    peers.forEach(peer => { this.#init.drop(peer, reason) })
    this.#finder.retry()
  }

  #startPieces (manifest: Manifest, part: Promise<Part>, have: Bitfield): PieceFetch {
    this.#otherSize = Promise.withResolvers()
    this.#pieces = new PieceFetch({
      ...this.#peerActions,
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

    for (const session of [...this.#sessions.values()]) {
      try {
        this.#joinPieces(session)
      } catch (err) {
        // what it said it has could not be checked before
        session.line.abort(err as Error)
      }

      session.tell(piecesOf(have))
    }

    this.#finder.start()

    return this.#pieces
  }

  #joinPieces (session: Session): void {
    if (session.open && this.manifest != null) {
      session.pieces(this.manifest.pieceCount)
      this.#pieces?.consider(session)
    }
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
    const fault = this.#meter.fault(this.cid, { pieces: this.#pieces, patience: this.users.patience, peers: this.#sessions.size }, now)

    if (fault != null) {
      this.fail(fault)
    }

    this.users.reportProgress()
  }

  /** Peers say how large a content of one piece is, which its CID does not tell. Another size is tried when the first leads nowhere. */
  #considerSizes (): void {
    if (!isPieceCid(this.cid) || (this.#pieces?.starving === false && performance.now() - this.#meter.bytesAt < UNKNOWN_LATENESS)) {
      return
    }

    const size = this.#sizes.next(this.#sessions.values(), this.manifest?.size)

    if (size != null) {
      this.#otherSize.resolve(size)
    }
  }

  readonly #peerActions: PeerActions = {
    drop: (peer, reason) => {
      this.#init.log('dropped %s: %s', peer, reason)
      this.#dropped.add(peer)
      this.#finder.exclude(peer)
      this.#init.drop(peer, reason)
    },
    ban: peer => {
      this.#finder.exclude(peer)
      this.#init.ban(peer)
    }
  }

  #progress (): TransferProgress {
    const { cid, manifest, have } = this

    return progressOf({ cid, manifest, have, rate: this.#meter.rate(performance.now()), peers: this.#sessions.size })
  }
}
