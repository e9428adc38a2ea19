/**
 * Search: find files by name across the colony.
 *
 * Members that are connected and speak `/formicary/<network>/search/1.0.0` are
 * neighbours. Whoever searches asks its own index, and all its neighbours, who
 * ask theirs, up to a number of hops. One libp2p stream carries one query from
 * one neighbour to another, and the answer back; messages are frames of
 * MessagePack (see `src/wire/frame.ts`) of at most 64 KiB:
 *
 * | message | meaning |
 * | --- | --- |
 * | `query { id, text, hops, limit, timeout, filter, asked }` | from who opens the stream, once: tell me what fits, you and all you reach in so many more hops; `timeout` is how many ms I wait, and `asked` marks members that have it |
 * | `hits { hits: [{ cid, name, path, size, mediaType?, modified?, holder, addresses, ward?, score }] }` | any number of times, at most 8 hits each, and `limit` together; CID, PeerIds of the holder and of the ward and multiaddrs as bytes |
 * | `done { messages, members, hops, unanswered }` | once, then the stream is closed: there is no more, and what it has cost |
 *
 * - **Spreading.** `id` is 16 random bytes. A member that has seen it with as
 *   many hops left, or more, answers `done` at once; otherwise it passes the
 *   query on, with one hop less and a tenth less time (300 ms at most), to all
 *   neighbours that are not marked, and then looks into its index. A mark is
 *   32 bits of a hash of `id` and PeerId, 64 marks at most.
 * - **Hits** go back the way the query came, so nobody is dialled to answer.
 *   Only the holder makes a hit; others pass it on as it is, once for each CID
 *   and holder, and never more than `limit`.
 * - **Wards.** A member answers for others that are gone, whose contents it
 *   keeps: such a hit names it as the holder, and who shared the content as the
 *   `ward`. What the member shares itself goes before what it keeps.
 * - **Ending.** A member is done when all it asked are, when it has passed on
 *   `limit` hits, or when the time is up; a slow one delays no one's hits. Who
 *   breaks off or closes its stream before that does not want the rest, and
 *   the member breaks off in turn what it has asked.
 * - **Limits.** A neighbour may send 600 queries at once and 50 a second
 *   after that, all together 2,000 and 100, and 400 may be under way; more are
 *   refused with a `done` that counts them as `unanswered`. Anything that is
 *   not a message of the protocol, a second query, or more hits than were
 *   asked for, ends the stream.
 *
 * What fits: words of the name and the folders, in any case, without accents,
 * by their beginning and with typos; all words of a query must. `"quoted"`
 * text is a whole name, and a CID is that content.
 *
 * Hits are claims of those who make them and of all on the way. What is
 * fetched is checked against its CID; a name is not.
 *
 * Non-goals: being told of files that appear later, and hiding who searches
 * for what. Flooding reaches some hundred members; larger colonies need
 * digests, which a later version has.
 *
 * With a `catalog` among the components, it is what this node shares. Without
 * one this node finds what others share, and passes on what they search. A
 * second source, `contingency`, is what it keeps for members that are gone. With
 * `membership`, neighbours in a large colony are its links, so that a query
 * reaches all parts of it and none too often.
 *
 * @example
 *
 * ```ts
 * import { identify } from '@libp2p/identify'
 * import { createLibp2p } from 'libp2p'
 *
 * const node = await createLibp2p({
 *   // ...transports and so on, and a catalog if there is something to share
 *   services: { identify: identify(), search: search({ network: 'films' }) }
 * })
 *
 * for await (const hit of node.services.search.find('especial', { limit: 20 })) {
 *   console.log(hit.name, hit.size, hit.holder)
 * }
 * ```
 *
 * @module
 */

import { Search as SearchClass } from './search.ts'
import type { SearchFilter } from './core/filter.ts'
import type { Entry } from '../content/entry.ts'
import type { AbortOptions, ComponentLogger, Metrics, PeerId, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

export type { SearchFilter } from './core/filter.ts'
export type { Entry } from '../content/entry.ts'

/** One member's answer to a query: an entry, and who holds it. */
export interface Hit extends Entry {
  /** Who has the content. */
  holder: PeerId

  /** Who shared it: the holder keeps it for this member, which is gone. */
  ward?: PeerId

  /** Where the holder can be dialled, as it says itself; empty for a local hit. */
  addresses: Multiaddr[]

  /** `true` if the holder is this node. */
  local: boolean

  /**
   * How well the entry fits the query; larger is better. All members reckon
   * alike, so it can be compared within one query: 7 for the whole name, 5 if
   * all words are the same, 3 if they begin so, 1 with typos, 1 more if they
   * are all in the name, and a fraction for how much of the name they are.
   */
  score: number
}

/** What a search cost, as far as this node can know. */
export interface SearchCost {
  /** Query messages that were sent, by everybody. */
  messages: number

  /** Members that looked into their index. */
  members: number

  /** Most hops a query travelled. */
  hops: number

  /** Queries that were refused, or not answered in time: if there are any, not everybody was heard. */
  unanswered: number

  /** Ms from the start to the first hit of somebody else, if there was one. */
  firstHitMs?: number
}

/** Progress of one search: after each answer of a neighbour, and at the end. */
export type SearchProgressEvent = ProgressEvent<'search:cost', SearchCost>

/** Settings of one search. */
export interface FindOptions extends AbortOptions, SearchFilter, ProgressOptions<SearchProgressEvent> {
  /**
   * Stop after so many hits, 1,000 at most.
   *
   * @default 100
   */
  limit?: number

  /**
   * How long to wait for answers, in ms, 60,000 at most.
   *
   * @default 5_000
   */
  timeout?: number

  /**
   * How many hops the query may travel, 7 at most; 0 asks only this node.
   *
   * @default 3
   */
  hops?: number
}

/** How search is made. */
export interface SearchInit {
  /**
   * Name of the colony; part of the protocol id.
   *
   * @default 'formicary'
   */
  network?: string
}

/**
 * Where the entries to be found come from; the catalog is one. An entry is
 * the same object each time.
 */
export interface SearchSource extends Pick<TypedEventTarget<SearchSourceEvents>, 'addEventListener' | 'removeEventListener'> {
  /** All entries there are. */
  entries (): IterableIterator<Entry>
}

/** A content that a node keeps for a member that is gone. */
export interface KeptEntry extends Entry {
  /** Who shared it. */
  ward: PeerId
}

/** What happens to the entries of a source. */
export interface SearchSourceEvents {
  /** An entry is new. */
  'entry:added': CustomEvent<Entry>

  /** An entry is gone. */
  'entry:removed': CustomEvent<Entry>
}

/** Who is worth asking; membership is one that knows. */
export interface SearchMembership extends Pick<TypedEventTarget<{ 'membership:links': CustomEvent<void> }>, 'addEventListener' | 'removeEventListener'> {
  /** `true` for a connected peer that should be asked. */
  isNeighbour (peer: PeerId): boolean
}

/** The parts of a libp2p node that search uses. */
export interface SearchComponents {
  peerId: PeerId
  registrar: Registrar
  connectionManager: ConnectionManager
  addressManager: AddressManager
  logger: ComponentLogger

  /** Counts what the core is told; without it, nothing does. */
  metrics?: Metrics

  /** What this node shares; without it, nothing. */
  catalog?: SearchSource

  /** What it keeps for members that are gone, as {@link KeptEntry}s; without it, nothing. */
  contingency?: SearchSource

  /** Who of the connected peers is asked; without it, all are. */
  membership?: SearchMembership
}

/** Finds files across the colony. */
export interface Search {
  /**
   * Yields hits as they arrive, this node's own first, one for each CID and
   * holder, until `limit`, the deadline, or everybody has answered.
   *
   * Words match in any case, with typos and by their beginning; `"quoted"`
   * is the exact name, and a CID finds exactly that content. Leaving the loop
   * ends the search everywhere.
   *
   * @throws {InvalidParametersError} the query is empty or too long, or an option cannot be used
   * @throws {NotStartedError} the node is stopped, now or before the end
   * @throws the reason of `signal`, once it is aborted
   */
  find (query: string, options?: FindOptions): AsyncGenerator<Hit>
}

/** Makes search as a libp2p service. */
export function search (init: SearchInit = {}): (components: SearchComponents) => Search {
  return components => new SearchClass(components, init)
}
