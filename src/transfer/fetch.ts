import { hashPiece, isNodeCid, isPieceCid, Manifest, PIECE_SIZE } from '../content/index.ts'
import { AbortError } from '@libp2p/interface'
import { ContentChangedError, InvalidParametersError, NotFoundError } from '../errors.ts'
import { DownloadUsers } from './users.ts'
import { Bitfield } from './core/bitfield.ts'
import { Finder } from './finder.ts'
import { ManifestFetch } from './manifest-fetch.ts'
import { PieceFetch } from './piece-fetch.ts'
import { STALLED_TIMEOUT } from './constants.ts'
import { Rate } from './rate.ts'
import type { Message } from './core/messages.ts'
import type { FinderInit } from './finder.ts'
import type { Source, TransferProgress } from './index.ts'
import type { PieceBuffers } from './piece-buffers.ts'
import type { PeerActions } from './piece-fetch.ts'
import type { Session, SessionEnd } from './session.ts'
import type { PeerKey } from '../core.ts'
import type { Entry } from '../content/entry.ts'
import type { Finished, Part, Store } from '../store/index.ts'
import type { Logger } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** What a {@link Fetch} works with. */
export interface FetchInit extends Omit<FinderInit, 'onTick' | 'isExcluded'> {
  cid: CID
  name?: string
  path?: string
  size?: number
  store: Store
  buffers: PieceBuffers
  log: Logger

  isBanned (peer: PeerKey): boolean
  ban (peer: PeerKey): void

  /** Ends the session with a peer. */
  drop (peer: PeerKey, reason: string): void

  /** Bytes of blocks have come. */
  onBytes (bytes: number): void

  /** Makes an entry of what was fetched. */
  onFinished (manifest: Manifest, finished: Finished, path?: string): Promise<Entry>
}

/**
 * One content being fetched, from the first question to the entry: the
 * manifest, the part in the store, the pieces, the end. Lives as long as
 * somebody wants it.
 */
export class Fetch {
  readonly cid: CID

  /** The entry, once all is stored. Rejects with the reason why that failed. */
  readonly done: Promise<Entry>

  /** Who waits for it. */
  readonly users: DownloadUsers

  /** Known as soon as all interior nodes are here. */
  manifest?: Manifest

  readonly #init: FetchInit
  readonly #finder: Finder
  readonly #rate = new Rate()
  readonly #sessions = new Map<PeerKey, Session>()
  readonly #dropped = new Set<PeerKey>()
  readonly #ended = new AbortController()
  readonly #manifestKnown = Promise.withResolvers<void>()
  #manifests?: ManifestFetch
  #pieces?: PieceFetch
  #size?: number
  #otherSize = Promise.withResolvers<number>()
  #hopeAt = performance.now()
  #bytesAt = performance.now()
  readonly #readers = new Set<{ piece: number }>()
  readonly #stored = new Waiting()
  #finishing = false
  #finished?: Finished

  constructor (init: FetchInit) {
    this.cid = init.cid
    this.#init = init
    this.#size = init.size
    this.users = new DownloadUsers(() => this.#progress())
    this.#finder = new Finder({
      ...init,
      isExcluded: peer => this.#dropped.has(peer) || init.isBanned(peer),
      onTick: () => { this.#tick() }
    })
    this.done = this.#run()
    this.done.catch(() => {})
    this.#manifestKnown.promise.catch(() => {})
  }

  /** Bytes in the content, as far as they are known. */
  get size (): number | undefined {
    return this.manifest?.size
  }

  /** Pieces that can be served already; `undefined` as long as nothing is known of the content. */
  get have (): Bitfield | undefined {
    return this.#pieces?.have
  }

  /** What a peer can be asked for before it has said hello: a small content whose size is known, or the root. */
  get eager (): boolean {
    return this.#manifests != null || this.manifest?.pieceCount === 1
  }

  /** `true` if it was given up, and only has to let go of what it holds. */
  get ending (): boolean {
    return this.#ended.signal.aborted
  }

  /** Gives it up if nobody waits for it any more. */
  endIfUnwanted (): void {
    if (this.users.none) {
      this.fail(new AbortError('Nobody waits for the download any more'))
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
    if (this.eager) {
      this.#sessions.set(session.key, session)
      this.#manifests?.join(session)
      this.#pieces?.join(session, true)
    }
  }

  /** A session is open. */
  opened (session: Session): void {
    this.#sessions.set(session.key, session)
    this.#finder.connected(session.key)
    this.users.report({ type: 'transfer:peer', detail: { cid: this.cid, peer: session.peer, state: 'joined' } })
    this.#hopeAt = this.#pieces == null ? performance.now() : this.#hopeAt
    const { size, have } = session.remote ?? {}

    if (isPieceCid(this.cid) && size != null && have !== 'none') {
      this.#offerSize(size)
    }

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
      this.#bytesAt = performance.now()
      this.#rate.add(message.bytes.byteLength, this.#bytesAt)
      this.#init.onBytes(message.bytes.byteLength)
      this.#finder.useful(session.key)
    } else if (message.type === 'node') {
      this.#hopeAt = performance.now()
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
  beginReading (): { read (offset: number, length: number): Promise<Uint8Array>, end (): void } {
    const reader = { piece: -1 }
    this.#readers.add(reader)

    return {
      read: async (offset, length) => {
        const piece = Math.floor(offset / PIECE_SIZE)

        if (reader.piece !== piece) {
          reader.piece = piece
          this.#tellWanted()
        }

        return this.#readWhenStored(piece, offset, length)
      },
      end: () => {
        this.#readers.delete(reader)
        this.#tellWanted()
      }
    }
  }

  #tellWanted (): void {
    const to = this.manifest?.pieceCount ?? 0
    this.#pieces?.want([...this.#readers].filter(({ piece }) => piece >= 0).map(({ piece }) => ({ from: piece, to })))
  }

  async #readWhenStored (piece: number, offset: number, length: number): Promise<Uint8Array> {
    if (!this.#finishing && this.#pieces?.have.has(piece) !== true) {
      await Promise.race([this.#stored.wait(piece), this.done])
    }

    return await this.read(offset, length) ?? this.#readFinished(offset, length)
  }

  async #readFinished (offset: number, length: number): Promise<Uint8Array> {
    await this.done
    const { location = '', version } = this.#finished ?? {}
    const reader = await this.#init.store.open(location)

    try {
      const bytes = await reader.read(offset, length)

      if (await reader.version() !== version) {
        throw new ContentChangedError(`${this.cid} was changed after it was fetched`)
      }

      return bytes
    } finally {
      await reader.close()
    }
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
      this.#manifestKnown.reject(err)
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
      this.#manifests = new ManifestFetch(this.cid, this.#peerActions)
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
    const opening = this.#init.store.part(String(this.cid), { size: manifest.size, name: this.#init.name ?? String(this.cid) })
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

  #startPieces (manifest: Manifest, part: Promise<Part>, have: Bitfield): PieceFetch {
    this.#otherSize = Promise.withResolvers()
    this.#pieces = new PieceFetch({
      ...this.#peerActions,
      manifest,
      part,
      have,
      buffers: this.#init.buffers,
      onPiece: piece => {
        this.#stored.settle(piece)
        this.users.report({ type: 'transfer:piece', detail: { cid: this.cid, piece } })
        this.users.reportProgress()
      }
    })
    this.#hopeAt = performance.now()
    this.#bytesAt = performance.now()
    this.#manifestKnown.resolve()

    for (const session of this.#sessions.values()) {
      this.#joinPieces(session)

      // those who have all need not know what was stored before
      if (have.count > 0 && session.remote?.have !== 'all') {
        session.send(...piecesOf(have).map(piece => ({ type: 'have' as const, piece })))
      }
    }

    this.#finder.start()

    return this.#pieces
  }

  #joinPieces (session: Session): void {
    const { size } = session.remote ?? {}

    if (session.open && this.manifest != null) {
      if (this.manifest.pieceCount > 1 || size == null || size === this.manifest.size) {
        this.#pieces?.join(session)
      } else {
        this.#pieces?.leave(session.key)
      }
    }
  }

  async #finish (manifest: Manifest, part: Part): Promise<Entry> {
    try {
      this.#finished = await part.finish()

      return await this.#init.onFinished(manifest, this.#finished, this.#init.path)
    } catch (err) {
      await part.close()
      throw err
    }
  }

  /** Somebody says how large a content of one piece is, which its CID does not tell. */
  #offerSize (size: number): void {
    if (size <= PIECE_SIZE && (this.manifest == null || (size !== this.manifest.size && this.#pieces?.starving !== false))) {
      this.#otherSize.resolve(size)
    }
  }

  #tick (): void {
    const now = performance.now()
    const { patience } = this.users

    if (this.#pieces?.starving === false) {
      this.#hopeAt = now
    } else {
      this.#tryOtherSizes()
    }

    if (now - this.#hopeAt > patience) {
      this.fail(new NotFoundError(`Nobody has what is missing of ${this.cid}`))
    } else if (this.#sessions.size > 0 && now - this.#bytesAt > Math.max(patience, STALLED_TIMEOUT)) {
      this.fail(new NotFoundError(`Nobody has sent anything of ${this.cid} for too long`))
    }

    this.users.reportProgress()
  }

  #tryOtherSizes (): void {
    for (const session of this.#sessions.values()) {
      if (isPieceCid(this.cid) && session.open && session.remote?.size != null && session.remote.have !== 'none') {
        this.#offerSize(session.remote.size)
      }
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
    const size = this.manifest?.size
    const bytes = this.#storedBytes()
    const rate = this.#rate.perSecond(performance.now())

    return {
      cid: this.cid,
      size,
      bytes,
      rate,
      peers: this.#sessions.size,
      msLeft: size == null || (rate === 0 && bytes < size) ? undefined : bytes < size ? (size - bytes) * 1000 / rate : 0
    }
  }

  #storedBytes (): number {
    const { manifest } = this
    const have = this.#pieces?.have

    if (manifest == null || have == null) {
      return 0
    }

    const last = manifest.pieceCount - 1

    return have.count * PIECE_SIZE - (have.has(last) ? PIECE_SIZE - manifest.pieceSize(last) : 0)
  }
}

/** The pieces of a part that are certain, and those doubtful ones whose hash is right. */
async function verifiedPieces (part: Part, manifest: Manifest): Promise<Bitfield> {
  const have = new Bitfield(manifest.pieceCount, part.marked.slice())

  for (const piece of piecesOf(new Bitfield(manifest.pieceCount, part.doubtful.slice()))) {
    const hash = await hashPiece(await part.read(piece * PIECE_SIZE, manifest.pieceSize(piece)))
    const expected = manifest.hash(piece)

    if (!have.has(piece) && hash.every((byte, i) => byte === expected[i])) {
      await part.mark(piece)
      have.add(piece)
    }
  }

  return have
}

/** Promises for pieces that are not here yet. */
class Waiting {
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>()

  async wait (piece: number): Promise<void> {
    let waiting = this.#waiting.get(piece)

    if (waiting == null) {
      waiting = Promise.withResolvers<void>()
      this.#waiting.set(piece, waiting)
    }

    return waiting.promise
  }

  settle (piece: number): void {
    this.#waiting.get(piece)?.resolve()
    this.#waiting.delete(piece)
  }
}

/** Rejects if `promise` does, and never resolves. */
async function failureOf (promise: Promise<unknown>): Promise<never> {
  await promise

  return new Promise<never>(() => {})
}

function piecesOf (pieces: Bitfield): number[] {
  const list: number[] = []

  for (let piece = 0; piece < pieces.size; piece++) {
    if (pieces.has(piece)) {
      list.push(piece)
    }
  }

  return list
}
