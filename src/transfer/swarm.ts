import { CID } from 'multiformats/cid'
import type { Hello, Message } from './core/messages.ts'
import type { Fetch } from './fetch.ts'
import type { TransferContent } from './index.ts'
import type { Line } from './line.ts'
import type { Session, SessionEnd, SessionHandler } from './session.ts'
import type { Holding, Server } from './server.ts'
import type { Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'

/** What a {@link Swarm} works with. */
export interface SwarmInit {
  cid: CID

  /** This node, to decide which of two sessions stays. */
  self: PeerKey
  server: Server

  /** Opens the content if this node shares it. */
  open (): Promise<TransferContent | undefined>

  /** Nobody is there any more, and nothing is fetched. */
  onEmpty (): void
}

/**
 * The peers of one content, as far as this node has sessions with them, and
 * what it has of the content itself: what is being fetched, or what it shares.
 */
export class Swarm implements SessionHandler, Holding {
  readonly cid: CID
  readonly key: string

  readonly #init: SwarmInit
  readonly #sessions = new Map<PeerKey, Session>()
  #fetch?: Fetch
  #fetchEnded = Promise.resolve()
  #opening?: Promise<TransferContent | undefined>
  #content?: TransferContent

  /** Sessions that wait for the content to be opened. */
  #entering = 0

  constructor (init: SwarmInit) {
    this.cid = init.cid
    this.key = String(init.cid)
    this.#init = init
  }

  /** The download of this content, while there is one. */
  get fetch (): Fetch | undefined {
    return this.#fetch
  }

  get pieceCount (): number | undefined {
    return this.#manifest?.pieceCount
  }

  get complete (): boolean {
    return this.#content != null
  }

  pieceSize (piece: number): number {
    return this.#manifest?.pieceSize(piece) ?? 0
  }

  has (piece: number): boolean {
    return this.#content != null || this.#fetch?.have?.has(piece) === true
  }

  node (cid: Uint8Array): Uint8Array | undefined {
    return this.#manifest?.nodes.get(CID.decode(cid).toString())
  }

  async read (offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#fetch?.read(offset, length)

    if (bytes != null) {
      return bytes
    }

    await this.#fetch?.done
    const content = await this.#open()

    if (content == null) {
      throw new Error('The content is not shared any more')
    }

    return content.read(offset, length)
  }

  /** Settles when the download is over and forgotten. */
  get fetchEnded (): Promise<void> {
    return this.#fetchEnded
  }

  /** Fetches the content, from these peers too. */
  start (fetch: Fetch): void {
    this.#fetch = fetch
    this.#sessions.forEach(session => { fetch.peers.opened(session) })
    this.#fetchEnded = fetch.done.then(async () => this.#finished(true), async () => this.#finished(false))
  }

  /** The download is over; `complete` if the content is shared from now on. */
  async #finished (complete: boolean): Promise<void> {
    const pieceCount = this.#fetch?.manifest?.pieceCount ?? 0

    for (const session of [...this.#sessions.values()]) {
      if (!complete || !session.open || session.pieces(pieceCount).full) {
        session.end()
      }
    }

    // opened before the download is forgotten, so that there is no gap in which nothing is served
    if (this.#sessions.size > 0 && await this.#open().catch(() => undefined) == null) {
      this.#sessions.forEach(session => { session.end() })
    }

    this.#fetch = undefined

    this.#leaveIfEmpty()
  }

  /** `true` if there is a session, or one is being begun, with a peer. */
  hasSession (peer: PeerKey): boolean {
    return this.#sessions.has(peer)
  }

  /** Begins a session on a line. */
  begin (line: Line): void {
    const session = line.begin(this.key, this.#hello(), this)
    this.#sessions.set(session.key, session)
    this.#fetch?.peers.begun(session)
  }

  /** Answers a session that a peer began. */
  async accept (session: Session): Promise<void> {
    this.#entering++

    try {
      if (this.#fetch != null || await this.#open() != null) {
        this.#admit(session)
      } else {
        session.end()
      }
    } finally {
      this.#entering--
      this.#leaveIfEmpty()
    }
  }

  #admit (session: Session): void {
    const existing = this.#sessions.get(session.key)

    if (existing?.dialled === true && !existing.open && this.#init.self < session.key) {
      session.end()
      return
    }

    if (!session.over) {
      // first in its place, or the swarm would be empty for a moment and let go of the content
      this.#sessions.set(session.key, session)
      existing?.end()
      session.accept(this.key, this.#hello(), this)
    }
  }

  /** Ends the session with a peer. */
  drop (peer: PeerKey): void {
    this.#sessions.get(peer)?.end()
  }

  /** Where the content was opened it may be gone: opens it anew, from wherever it is. */
  async reopen (): Promise<void> {
    const before = this.#opening

    if (before == null) {
      return
    }

    const opening = this.#init.open()
    this.#opening = opening
    const content = await opening.catch(() => undefined)

    // unless that was let go of meanwhile, and closed
    if (this.#opening === opening) {
      this.#content = content
      closeContent(before)

      if (content == null) {
        this.close()
      }
    } else {
      closeContent(before)
    }
  }

  /** The content is not shared any more. */
  close (): void {
    this.#letGo()

    if (this.#fetch == null) {
      this.#sessions.forEach(session => { session.end() })
      this.#leaveIfEmpty()
    }
  }

  opened (session: Session): void {
    if (this.pieceCount != null) {
      // throws if what it says it has does not fit
      session.pieces(this.pieceCount)
    }

    this.#init.server.join(session, this)
    this.#fetch?.peers.opened(session)
  }

  message (session: Session, message: Message): void {
    // bytes first: what they complete is what may be asked for next
    this.#fetch?.peers.message(session, message)
    this.#init.server.message(session, message)
  }

  closed (session: Session, end: SessionEnd): void {
    this.#init.server.leave(session)
    this.#fetch?.peers.closed(session, end)

    if (this.#sessions.get(session.key) === session) {
      this.#sessions.delete(session.key)
      this.#leaveIfEmpty()
    }
  }

  get #manifest (): Manifest | undefined {
    return this.#fetch?.manifest ?? this.#content?.manifest
  }

  #hello (): Hello {
    const have = this.#fetch?.have
    const bitfield = have == null || have.count === 0 ? 'none' : have.toBytes()

    return { type: 'hello', root: this.cid.bytes, have: this.#content == null ? bitfield : 'all', size: this.#manifest?.size, ...(this.#fetch?.background === true && { background: true }) }
  }

  async #open (): Promise<TransferContent | undefined> {
    this.#opening ??= this.#init.open()
    const opening = this.#opening

    try {
      const content = await opening

      // unless it was let go of meanwhile
      if (this.#opening === opening) {
        this.#content = content
        this.#opening = content == null ? undefined : opening
      }

      return this.#content
    } catch (err) {
      this.#opening = this.#opening === opening ? undefined : this.#opening
      throw err
    }
  }

  #letGo (): void {
    closeContent(this.#opening)
    this.#opening = undefined
    this.#content = undefined
  }

  #leaveIfEmpty (): void {
    if (this.#sessions.size === 0 && this.#entering === 0 && this.#fetch == null) {
      this.#letGo()
      this.#init.onEmpty()
    }
  }
}

function closeContent (opening?: Promise<TransferContent | undefined>): void {
  void opening?.then(async content => { await content?.close() }).catch(() => {})
}
