/**
 * Numbers of the transfer protocol, each with its unit and reason.
 *
 * @module
 */

import { MAX_NODE_SIZE } from '../content/constants.ts'

/** The protocol's id in a colony. */
export function transferProtocol (network: string): string {
  return `/formicary/${network}/transfer/1.0.0`
}

/**
 * Bytes in a block, the unit that is asked for and sent. Sends of 64 to
 * 256 KiB are the fastest on every transport; more would make a slow peer's
 * answer to one request take too long.
 */
export const BLOCK_SIZE = 64 * 1024

/**
 * Largest message, in bytes: a block or an interior node with its envelope, or
 * the bitfield of the largest content, 128 KiB.
 */
export const MAX_MESSAGE_SIZE = Math.max(BLOCK_SIZE, MAX_NODE_SIZE, 128 * 1024) + 1024

/**
 * Most bytes asked for and not yet here, per stream. Any libp2p stream is
 * reset when more than 4 MiB lie unread.
 */
export const MAX_WINDOW = 3 * 1024 * 1024

/**
 * The same over WebRTC, where nothing but this holds the sender back, so that
 * blocks taken back and still coming have to fit as well. Half of it bounds the
 * size of a request: reads of less than a piece cost pages much, as each is a
 * question to another process that blocks the page.
 */
export const MAX_WINDOW_WEBRTC = 2 * 1024 * 1024

/** Bytes asked of a peer before anything is known about it; doubles each round trip. */
export const INITIAL_WINDOW = 256 * 1024

/** Memory for pieces on their way, for all downloads together, in bytes. */
export const MEMORY_BUDGET = 32 * 1024 * 1024

/** Peers that are served at once. libtorrent's default. */
export const UPLOAD_SLOTS = 8

/** A second after the last foreground bytes, background traffic has all there is, in ms. */
export const BACKGROUND_QUIET = 1_000

/** Somebody to whom nothing could be sent for so long does not hold background traffic up any more, in ms. */
export const FOREGROUND_STALL = 10_000

/** What background traffic may have beside foreground traffic, as a share of that: a tenth of all. */
export const BACKGROUND_SHARE = 1 / 9

/** What it may save up of that, in bytes: as much as a fast network earns between two ticks. */
export const BACKGROUND_CREDIT = 1024 * 1024

/** Background sessions get a block after so long in any case, in ms: well before they would be dropped as stalled. */
export const BACKGROUND_PATIENCE = 5_000

/** How often it is looked whether background sessions may have more, in ms. */
export const BACKGROUND_TICK = 100

/** How often it is decided anew who is served, in ms (BEP 3). */
export const RECHOKE_INTERVAL = 10_000

/** How long the optimistic slot stays with one peer, in ms (BEP 3). */
export const OPTIMISTIC_INTERVAL = 30_000

/**
 * Most bytes one peer may have asked for and not been sent. Above the largest
 * window, so that no honest peer meets it.
 */
export const MAX_QUEUED = 8 * 1024 * 1024

/** Requests that one peer may have made and not been answered, twice as many as so many bytes have blocks: those of few bytes, or none, take memory too. */
export const MAX_REQUESTS = 2 * MAX_QUEUED / BLOCK_SIZE

/** A block is late after so many times the time it was expected to take. */
export const LATE_FACTOR = 3

/**
 * No block is late before this, in ms: a process that is busy or collects
 * garbage stands still for longer than a block takes on a fast network.
 */
export const MIN_LATENESS = 1_000

/** When a block is late if nothing is known about the peer's speed yet, in ms. */
export const UNKNOWN_LATENESS = 4_000

/** A peer that owes us blocks and sends nothing for so long is dropped, in ms. libtorrent's piece timeout. */
export const STALL_TIMEOUT = 20_000

/** How often late peers are looked for, in ms. */
export const TICK_INTERVAL = 250

/** A peer that has not said hello after so long is dropped, in ms. */
export const HELLO_TIMEOUT = 10_000

/** How long a download goes on without anybody who has what is missing, in ms. */
export const PATIENCE = 15_000

/** Sessions a download keeps at once; more add overhead, not speed. */
export const MAX_SESSIONS = 50

/** Sources a download remembers; a content routing may name any number. */
export const MAX_SOURCES = 1_000

/** Dials of one download that are under way at once. */
export const MAX_DIALS = 8

/** How long to wait for a connection and a stream to a source, in ms. */
export const DIAL_TIMEOUT = 10_000

/** How often a download goes through the sources it knows, in ms. */
export const SOURCE_INTERVAL = 500

/** A source that failed is tried again after so many ms; doubles up to the largest. */
export const RETRY_DELAY = 1_000
export const MAX_RETRY_DELAY = 15_000

/** A download that has sources looks for others after so many ms, so that a short one never does. */
export const FIRST_LOOKUP = 1_000

/** How often a download looks for more sources, in ms. */
export const LOOKUP_INTERVAL = 20_000

/** Who does not have the content is asked again after so many ms, and later each time, up to the interval: it may be about to have it. */
export const LACKING_DELAY = 4_000

/** A download that has peers but gets no byte for so long fails, in ms: every peer is full, or plays with us. */
export const STALLED_TIMEOUT = 180_000

/**
 * Streams of the protocol per connection, each way. One stream carries a
 * session at a time, and each content that is fetched needs one, so libp2p's
 * default of 32 would be met by anyone who fetches a folder.
 */
export const MAX_STREAMS = 512

/** How long whoever opened a stream keeps it for the next content, in ms. */
export const IDLE_STREAM_TIME = 5_000

/** Streams kept for a peer without a session. */
export const MAX_IDLE_STREAMS = 16

/** A session in which nothing is said for so long is ended, in ms. */
export const IDLE_SESSION_TIME = 120_000

/** Messages that may wait for our hello; a download that begins at once sends three. */
export const MAX_EARLY_MESSAGES = 256

/**
 * Bytes that may wait to be sent on a stream, beyond what the other side has
 * room for: it is broken off with more. Blocks and nodes wait until the stream
 * takes them, so that only short answers can pile up, for somebody who asks
 * and does not read.
 */
export const MAX_UNSENT = 1024 * 1024

/** Requests that a peer may take back while they are being met; an honest one has a few dozen blocks under way. */
export const MAX_SKIPPED = 256

/** Interior nodes a peer may have asked for and not been sent. */
export const MAX_QUEUED_NODES = 128

/** Nodes asked of one peer at once. */
export const NODE_WINDOW = 8

/** A node that has not come after so long is counted as lost, in ms. */
export const NODE_TIMEOUT = 4_000

/**
 * No peer is late with a node before this, in ms; then others are asked as
 * well. Most round trips of the internet are below 300 ms.
 */
export const NODE_LATENESS = 500

/**
 * Peers that are asked for one node at the same time. So a manifest, which is
 * 55 bytes for each MiB of content, comes twice too often at the very worst.
 */
export const NODE_ASKS = 3

/** Least time between two reports of progress, in ms. */
export const PROGRESS_INTERVAL = 100

/** Contents waiting to be announced; what is over is announced when its turn comes again. */
export const ANNOUNCE_INTERVAL = 100

/** UTF-16 code units in the path of an entry, as in the catalog: what Windows takes. */
export const MAX_PATH_LENGTH = 32_767
