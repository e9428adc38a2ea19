/**
 * Numbers of the protocol, each with its unit and its reason.
 *
 * @module
 */

/** How many members keep what a member has, unless told otherwise: with one, data is lost when two fail within a minute of each other. */
export const COPIES = 2

/** Most contingents of one member. */
export const MAX_COPIES = 8

/** How long who is down may come back before others are asked to keep what it kept, in ms. Copying at every short absence is what storms are made of. */
export const GRACE = 60_000

/** The same where no verified copy is left on anybody who is alive, in ms: long enough for a connection that was only broken. */
export const CRITICAL_GRACE = 3_000

/** A grace is longer by up to this share of it, so that not all begin to copy at once. */
export const GRACE_JITTER = 0.25

/** How often contingents are asked whether they still have everything, in ms. */
export const HEARTBEAT = 30_000

/** What is lost before others said that they have it is given up after so many ms: all who are here are asked once in that time. */
export const LOSS_PATIENCE = HEARTBEAT

/** A ward is told what is kept for it once in so many ms at least: a second node with its key hears of the first by that. */
export const GREET_TIME = 300_000

/** What is kept of a ward is not deleted before it has been back for so long, in ms: it may have lost its disk, and sign something before it hears what is kept. It is told three times in this time. */
export const RETURN_PAUSE = 10_000

/** An offer that is not answered is made again after so many ms, twice that the next time, up to the heartbeat. */
export const OFFER_RETRY = 2_000

/** Who is alive and has not answered an offer for so long, in ms, is not waited for any more. */
export const OFFER_PATIENCE = 20_000

/** Who has accepted has so long to fetch everything, in ms, and more for what is large. */
export const FETCH_PATIENCE = 600_000

/** Bytes a ms at which what is large should arrive, at least: a slow line at home. */
export const FETCH_RATE = 128

/** A fetch that failed is tried again after so many ms. */
export const FETCH_RETRY = 5_000

/** Who refused is asked again after so many ms. */
export const REFUSED_TIME = 600_000

/** Who has as many wards as it should have, or did not answer, is asked again after so many ms. */
export const BUSY_TIME = 60_000

/** A contingent refuses while it has more wards than so many times the number of copies, as long as there are others: no one should carry three times the mean. */
export const FAIR_SHARE = 2.5

/** A contingent that is not needed any more is remembered until it knows; at most so many. */
export const MAX_FORMER = 64

/** What is kept for a member that did not come back is kept for so long, in ms: 90 days. */
export const KEEP_TIME = 90 * 24 * 3_600_000

/** A receipt proves for so long, in ms, that something may be deleted elsewhere: who signed it may lose its disk, and nobody hears of it if it is back soon. */
export const PROOF_TIME = 10_000

/** Who has not answered so many offers in a row does not count as having anything until it does; with a fifth of all messages lost that happens by chance to one in 160. */
export const SILENT_OFFERS = 5

/** Contingents are not changed again for so long, in ms: whatever makes two parts of the rules disagree makes no hot loop. */
export const SIGN_PAUSE = 500

/** What was to be signed and is not after so long, in ms, is asked for again. */
export const SIGN_PATIENCE = 10_000

/** A takeover of the present epoch makes a ward sign a higher one, and only once in so many ms: anybody could say there is one. */
export const OVERRULE_PAUSE = 5_000

/** Members that are remembered, those who are gone among them. */
export const MAX_PEERS = 10_000

/** Greatest weight of a member: no one should be able to make itself everybody's first choice. */
export const MAX_WEIGHT = 16

/** Who comes next may appoint others in the place of a member that is gone when who comes before has not done so for so long, in ms. */
export const TURN_PATIENCE = 15_000

/** Times in a row at which others may be appointed in the place of a member that is gone. */
export const MAX_GENERATION = 1_000_000

/** What others have of this node and it has not is asked for again after so many ms, twice that the next time. */
export const MERGE_RETRY = 1_000

/** A node does not wait for what a member says it has of it when it could not be had so many times. */
export const MAX_MERGES = 4

/** Snapshots of this node that it may lack parts of, and members that tell of one of them. */
export const MAX_UNMERGED = 16

/** Roots that are known to hold nothing new. */
export const MAX_KNOWN_ROOTS = 100

/** Nothing is deleted for its age by a node that has not been up for so long, in ms: its clock may be wrong until it was set. */
export const EXPIRY_PAUSE = 3_600_000

/** Where the clock on the wall goes ahead by so many ms more than time has passed it was set, and that does not count as time. */
export const CLOCK_JUMP = 60_000

/** A node that starts hears of the others within so many ms; before, nobody is taken for gone. */
export const SETTLE_TIME = 10_000

/** Largest message, in bytes: an offer with its signatures takes 2 KiB, a release with all its receipts 6. */
export const MAX_MESSAGE_SIZE = 32 * 1024

/** Streams of the protocol per connection, each way: one is enough, and another while one closes. */
export const MAX_STREAMS = 4

/** Bytes of the root of a snapshot, at most. */
export const MAX_ROOT_SIZE = 1024 * 1024

/** How long to wait after a change for others, in ms, before all of it is given to contingents, and how long at most. */
export const CHANGE_DELAY = 300
export const MAX_CHANGE_DELAY = 3_000

/** How long leaving takes at most, in ms, unless told otherwise. */
export const HANDOVER_TIMEOUT = 10_000

/** How often a contingent has to prove that it has something, in ms. */
export const CHALLENGE_INTERVAL = 3_600_000

/** Name of the protocol of one colony. */
export function contingencyProtocol (network: string): string {
  return `/formicary/${network}/contingency/1.0.0`
}
