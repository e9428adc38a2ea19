/**
 * Numbers of the transfer protocol, each with its unit and reason.
 *
 * @module
 */

import { MAX_NODE_SIZE } from '../content/constants.ts'

/** Version of the protocol; the last part of its id. */
export const TRANSFER_VERSION = '1.0.0'

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

/** The same over WebRTC, whose sender buffers 2 MiB at most. */
export const MAX_WINDOW_WEBRTC = 1024 * 1024

/** Bytes asked of a peer before anything is known about it; doubles each round trip. */
export const INITIAL_WINDOW = 256 * 1024

/** Memory for pieces on their way, for all downloads together, in bytes. */
export const MEMORY_BUDGET = 32 * 1024 * 1024

/** Peers that are served at once. libtorrent's default. */
export const UPLOAD_SLOTS = 8

/** How often it is decided anew who is served, in ms (BEP 3). */
export const RECHOKE_INTERVAL = 10_000

/** How long the optimistic slot stays with one peer, in ms (BEP 3). */
export const OPTIMISTIC_INTERVAL = 30_000

/**
 * Most bytes one peer may have asked for and not been sent. Above the largest
 * window, so that no honest peer meets it.
 */
export const MAX_QUEUED = 8 * 1024 * 1024

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
