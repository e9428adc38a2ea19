/**
 * Limits of search: each with its unit, and why it is that number.
 *
 * @module
 */

/** The protocol id of search in a colony. */
export function searchProtocol (network: string): string {
  return `/formicary/${network}/search/1.0.0`
}

/** Hits of a search that does not say how many it wants. */
export const DEFAULT_LIMIT = 100

/** Ms a search waits for answers: eight times what a query takes around the earth and back, three hops far. */
export const DEFAULT_TIMEOUT = 5_000

/** Hops of a query: with eight neighbours each, 200 members; further out a flood costs more than it finds. */
export const DEFAULT_HOPS = 3

/** Most hits a query can ask for. What it makes each member on the way remember is bounded by this. */
export const MAX_LIMIT = 1_000

/** Ms a query can last, at most: what it makes each member on the way keep open. */
export const MAX_TIMEOUT = 60_000

/** Most hops of a query: seven reach 10,000 members by three neighbours each. */
export const MAX_HOPS = 7

/** UTF-16 code units in the text of a query: a whole name of 255 bytes in quotes fits. */
export const MAX_QUERY_LENGTH = 260

/** Words of a query that are looked up; each takes about half a ms. */
export const MAX_QUERY_WORDS = 16

/** Bytes in the id of a query, drawn at random: no two queries meet by chance. */
export const QUERY_ID_SIZE = 16

/** Members a query tells to have been asked already: all neighbours of three members, in 256 bytes. */
export const MAX_ASKED = 64

/** Addresses of a holder in a hit: more are never dialled, and a busy member announces hundreds. */
export const MAX_ADDRESSES = 16

/** Bytes in an address: a relayed WebRTC address with two certificate hashes has about 250. */
export const MAX_ADDRESS_SIZE = 256

/** UTF-16 code units in a path, as long as most file systems let a path be. */
export const MAX_PATH_LENGTH = 1_024

/** Characters in a media type: twice 127, and the slash, by RFC 6838. */
export const MAX_MEDIA_TYPE_LENGTH = 255

/** Characters in a filter's extension. */
export const MAX_EXTENSION_LENGTH = 32

/** Hits in a message. */
export const MAX_HITS_PER_MESSAGE = 8

/**
 * Bytes in a message: {@link MAX_HITS_PER_MESSAGE} hits of the largest size,
 * which is 4 KiB of addresses, 3 KiB of path, and less than 1 KiB of the rest.
 */
export const MAX_MESSAGE_SIZE = 64 * 1024

/** Members that may have been asked, or messages sent, in what an answer reports: more would be a lie. */
export const MAX_COST = 1_000_000_000

/** Query ids remembered: those of 100 s at the rate of {@link TOTAL_RATE}, in about 2 MiB. */
export const SEEN_COUNT = 10_000

/** Ms a query id is remembered: as long as it can travel, and as long again for clocks that stood still. */
export const SEEN_TIME = 2 * MAX_TIMEOUT

/**
 * Queries a neighbour may send at once: 200 searches together, each of which
 * may arrive twice (a second time with more hops left), with room to spare.
 */
export const NEIGHBOUR_BURST = 600

/** Queries a second from one neighbour, once its burst is spent: many times what people type. */
export const NEIGHBOUR_RATE = 50

/** Queries from all neighbours at once. */
export const TOTAL_BURST = 2_000

/** Queries a second from all neighbours: passing one on to a dozen costs about 5 ms, so this is half of one core. */
export const TOTAL_RATE = 100

/** What a query seen before costs of a budget where a new one costs 1: it is read, and neither looked up nor passed on. */
export const DUPLICATE_PRICE = 0.1

/** Neighbours whose budget is remembered; those gone are forgotten first. */
export const BUDGET_COUNT = 1_024

/** Queries of one neighbour being answered at the same time. */
export const MAX_ACTIVE_PER_NEIGHBOUR = 400

/** Queries being answered at the same time, in all: some KiB each. */
export const MAX_ACTIVE = 2_000

/**
 * Streams of search on one connection, each way. Queries over their limits are
 * still read, to be refused with an answer; yamux takes 1,000 of everything.
 */
export const MAX_STREAMS = 800

/**
 * Part of the time left that a member keeps for itself when it passes a query
 * on, so that what is found just in time still travels back.
 */
export const HOP_MARGIN_RATIO = 0.1

/** Ms of that part, at most: more than an answer takes for one hop around the earth. */
export const MAX_HOP_MARGIN = 300

/** Ms left below which a query is not passed on. */
export const MIN_TIMEOUT = 5

/** Ms for a query to arrive on a new stream, and for the other side to end one that is over. */
export const STREAM_PATIENCE = 10_000

/** Bytes of an answer that wait for a slow reader, beyond the window of its stream, before it is broken off: 1,000 hits of the usual size. */
export const MAX_UNSENT = 512 * 1024

/** Entries added to the index between two breaths: about 2 ms. */
export const INDEX_SLICE = 200
