/**
 * Search: find files by name across the colony.
 *
 * (protocol doc to be written by whoever writes the service)
 *
 * @module
 */

import { Search as SearchClass } from './search.ts'
import type { Entry } from '../content/entry.ts'
import type { AbortOptions, ComponentLogger, PeerId, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

/** One member's answer to a query: an entry, and who holds it. */
export interface Hit extends Entry {
  /** Who has the content. */
  holder: PeerId

  /** Where the holder can be dialled, as it says itself; empty for a local hit. */
  addresses: Multiaddr[]

  /** `true` if the holder is this node. */
  local: boolean

  /** How well the entry fits the query; larger is better, comparable within one query and holder only. */
  score: number
}

/** Narrows a query. */
export interface SearchFilter {
  /** Smallest size, in bytes. */
  minSize?: number

  /** Largest size, in bytes. */
  maxSize?: number

  /** A MIME type such as `video/mp4`, or all of a kind: `video/*`. */
  mediaType?: string

  /** The end of the name after the last dot, in any case: `mp4`. */
  extension?: string
}

/** What a search cost, as far as this node can know. */
export interface SearchCost {
  /** Query messages that were sent, by everybody. */
  messages: number

  /** Members that looked into their index. */
  members: number

  /** Most hops a query travelled. */
  hops: number

  /** Ms from the start to the first hit of somebody else, if there was one. */
  firstHitMs?: number
}

/** Progress of one search. */
export type SearchProgressEvent = ProgressEvent<'search:cost', SearchCost>

/** Settings of one search. */
export interface FindOptions extends AbortOptions, SearchFilter, ProgressOptions<SearchProgressEvent> {
  /**
   * Stop after so many hits.
   *
   * @default 100
   */
  limit?: number

  /**
   * How long to wait for answers, in ms.
   *
   * @default 5_000
   */
  timeout?: number

  /**
   * How many hops the query may travel; 0 asks only this node.
   *
   * @default 3
   */
  hops?: number
}

export interface SearchInit {
  /** Name of the colony; part of the protocol id. @default 'formicary' */
  network?: string
}

/** Where the entries to be found come from; the catalog is one. */
export interface SearchSource extends TypedEventTarget<{
  'entry:added': CustomEvent<Entry>
  'entry:removed': CustomEvent<Entry>
}> {
  entries (): IterableIterator<Entry>
}

/** The parts of a libp2p node that search uses. */
export interface SearchComponents {
  peerId: PeerId
  registrar: Registrar
  connectionManager: ConnectionManager
  addressManager: AddressManager
  logger: ComponentLogger
  catalog: SearchSource
}

/** Finds files across the colony. */
export interface Search {
  /**
   * Yields hits as they arrive, this node's own first, one for each CID and
   * holder, until `limit`, the deadline, or everybody has answered.
   *
   * Words match in any case, with typos and by their beginning; `"quoted"`
   * is the exact name, and a CID finds exactly that content.
   *
   * @throws {InvalidParametersError} the query is empty or too long
   * @throws {NotStartedError} the node is stopped
   * @throws the reason of `signal`, once it is aborted
   */
  find (query: string, options?: FindOptions): AsyncGenerator<Hit>
}

/** Makes search as a libp2p service. */
export function search (init: SearchInit = {}): (components: SearchComponents) => Search {
  return components => new SearchClass(components, init)
}
