import { Bans } from './bans.ts'
import { Finder } from './finder.ts'
import { piecesOf } from './stored.ts'
import type { Message } from './core/messages.ts'
import type { FetchInit } from './fetch-init.ts'
import type { Source } from './index.ts'
import type { ManifestFetch } from './manifest-fetch.ts'
import type { Meter } from './meter.ts'
import type { PeerActions, PieceFetch } from './piece-fetch.ts'
import type { Session, SessionEnd } from './session.ts'
import type { DownloadUsers } from './users.ts'
import type { Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'

/** A download in the background looks for nobody else while bytes come; when none did for so long, in ms, it does. */
const SERVED_TIME = 5_000

/** How far a download is. */
export interface FetchState {
  /** Known as soon as all interior nodes are here. */
  manifest?: Manifest

  /** The interior nodes, while they are being fetched. */
  nodes?: ManifestFetch

  /** The pieces, once they are being fetched. */
  pieces?: PieceFetch
}

/** What {@link FetchPeers} work with. */
export interface FetchPeersInit extends FetchInit {
  state: FetchState
  users: DownloadUsers
  meter: Meter

  /** A session is open. */
  onOpened (): void

  /** Called now and then, about twice a second, once peers are looked for. */
  onTick (): void
}

/**
 * The peers of one download: looks for them, has those with whom there is a
 * session asked for what is being fetched, and does away with those that are
 * no good.
 */
export class FetchPeers {
  readonly #init: FetchPeersInit
  readonly #finder: Finder
  readonly #sessions = new Map<PeerKey, Session>()
  readonly #dropped = new Bans()
  #background: boolean

  constructor (init: FetchPeersInit) {
    this.#init = init
    this.#background = init.background
    this.#finder = new Finder({
      ...init,
      isExcluded: peer => this.#dropped.has(peer) || init.isBanned(peer),
      isServed: () => this.#background && init.state.pieces?.starving === false && performance.now() - init.meter.bytesAt < SERVED_TIME
    })
  }

  /** Whether they are told that the download gives way to others. */
  get background (): boolean {
    return this.#background
  }

  /** How many there are. */
  get size (): number {
    return this.#sessions.size
  }

  /** What is done with those that are no good. */
  readonly actions: PeerActions = {
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

  /** The sessions there are. */
  sessions (): IterableIterator<Session> {
    return this.#sessions.values()
  }

  /** Takes somebody who may have the content. */
  add (source: Source): void {
    this.#finder.add(source)
  }

  /** Begins to look for others; once is enough. */
  look (): void {
    this.#finder.start()
  }

  /** Looks for nobody any more. */
  stop (): void {
    this.#finder.stop()
  }

  /** Tells them from now on that the download gives way, or not any more. They are told in a hello, so others are begun. */
  hurry (background: boolean): void {
    this.#background = background
    this.#init.state.pieces?.background(background)
    this.beginAnew('it is in another hurry')
  }

  /** Ends all sessions, in which there may be answers under way to what is not asked for any more, and begins others. */
  beginAnew (reason: string): void {
    const peers = [...this.#sessions.keys()]
    peers.forEach(peer => { this.#init.drop(peer, reason) })
    this.#finder.retry()
  }

  /** The interior nodes are fetched from now on. */
  askForNodes (): void {
    this.#sessions.forEach(session => { this.#init.state.nodes?.join(session) })
    this.look()
  }

  /** Pieces are fetched from now on; those that are here already can be had of us. */
  askForPieces (): void {
    const have = this.#init.state.pieces?.have

    for (const session of [...this.#sessions.values()]) {
      try {
        this.#joinPieces(session)
      } catch (err) {
        // what it said it has could not be checked before
        session.line.abort(err as Error)
      }

      session.tell(have == null ? [] : piecesOf(have))
    }

    this.look()
  }

  /** A session was begun by us, and not answered yet. */
  begun (session: Session): void {
    const { manifest, nodes, pieces } = this.#init.state

    // a small content whose size is known, and the root, can be asked for before it has said hello
    if (nodes != null || manifest?.pieceCount === 1) {
      this.#sessions.set(session.key, session)
      nodes?.join(session)
      pieces?.join(session, true)
    }
  }

  /** A session is open. */
  opened (session: Session): void {
    if (session.background !== this.#background) {
      // it was begun in another hurry
      this.#init.drop(session.key, 'it was told another hurry')
      this.#finder.retry()

      return
    }

    const { cid, state, users, meter, onOpened } = this.#init
    this.#sessions.set(session.key, session)
    this.#finder.connected(session.key)
    users.report({ type: 'transfer:peer', detail: { cid, peer: session.peer, state: 'joined' } })

    if (state.pieces == null) {
      meter.hope(performance.now())
    }

    onOpened()
    state.nodes?.join(session)
    this.#joinPieces(session)
  }

  /** A session is over. */
  closed (session: Session, end: SessionEnd): void {
    const { cid, state: { nodes, pieces }, users, isBanned } = this.#init
    this.#finder.closed(session.key, end)

    if (this.#sessions.get(session.key) === session) {
      this.#sessions.delete(session.key)
      nodes?.leave(session.key)
      pieces?.leave(session.key)
      users.report({ type: 'transfer:peer', detail: { cid, peer: session.peer, state: isBanned(session.key) ? 'banned' : 'left' } })
    }

    if (this.#sessions.size === 0) {
      this.#finder.hurry()
    }
  }

  /** A message came in a session. */
  message (session: Session, message: Message): void {
    const { state: { nodes, pieces }, meter, onBytes } = this.#init

    if (message.type === 'block') {
      meter.bytes(message.bytes.byteLength, performance.now())
      onBytes(message.bytes.byteLength, this.#background)
      this.#finder.useful(session.key)
    } else if (message.type === 'node' && message.bytes != null) {
      meter.hope(performance.now())
    }

    nodes?.message(session.key, message)
    pieces?.message(session.key, message)
  }

  #joinPieces (session: Session): void {
    const { manifest, pieces } = this.#init.state

    if (session.open && manifest != null) {
      session.pieces(manifest.pieceCount)
      pieces?.consider(session)
    }
  }
}
