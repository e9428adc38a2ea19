/**
 * Numbers of the membership protocol, each with its unit and reason.
 *
 * @module
 */

/** The protocol's id in a colony. */
export function membershipProtocol (network: string): string {
  return `/formicary/${network}/membership/1.0.0`
}

/** Time between two probes, in ms (memberlist, LAN). */
export const PROBE_INTERVAL = 1_000

/** How long to wait for an answer before others are asked to try, in ms (memberlist, LAN). */
export const PROBE_TIMEOUT = 500

/** Members asked to try one that does not answer (SWIM's k; memberlist). */
export const INDIRECT_PROBES = 3

/** Pings of one check, evenly spread over its time: a single lost message is no evidence. */
export const CHECK_PINGS = 3

/** Members on the ring before a suspect that check it, linked or not: it may have come a moment ago and have few links. */
export const GUARDS = 4

/** How long a check of a suspected member takes, in ms. */
export const CHECK_TIME = 900

/** Time between two rounds of gossip, in ms (memberlist, LAN). */
export const GOSSIP_INTERVAL = 200

/** News goes out so many ms after it came: at once, but all that comes together in one message. */
export const GOSSIP_DELAY = 10

/** Members told in each round (memberlist, LAN). */
export const GOSSIP_FANOUT = 3

/** A piece of news is passed on so many times the number of digits of the colony's size (memberlist: RetransmitMult). */
export const RETRANSMIT_FACTOR = 4

/** Most bytes of news in one message; a signed record has 250 to 1,500. */
export const MAX_NEWS_SIZE = 16 * 1024

/** Largest message, in bytes: the news, or the versions of {@link MAX_VERSIONS} members. */
export const MAX_MESSAGE_SIZE = 64 * 1024

/** Time between two comparisons of tables, in ms. */
export const SYNC_INTERVAL = 5_000

/** Most members named in one message of a comparison. */
export const MAX_VERSIONS = 500

/** Parts of the table that are compared by a hash each. */
export const BUCKETS = 64

/** How often somebody who is down is tried again, in ms; half of it is random. */
export const REJOIN_INTERVAL = 8_000

/** A suspicion that enough others confirm lasts so many ms for each digit of the colony's size. */
export const SUSPICION_TIME = 950

/** A suspicion that nobody confirms lasts so many times longer (memberlist: SuspicionMaxTimeoutMult). */
export const SUSPICION_MAX_FACTOR = 6

/** Confirmations that make a suspicion as short as it gets. */
export const CONFIRMATIONS = 3

/** Links that are asked for a newer record before somebody is taken for dead, and how long they have to answer, in ms. */
export const LAST_QUESTIONS = 4
export const LAST_ANSWERS = 250

/**
 * A suspicion of a hidden member lasts at least so many ms: Chrome runs the
 * timers of a tab that was hidden for five minutes once a minute, and what it
 * answers then takes some seconds to get around.
 */
export const HIDDEN_SUSPICION = 75_000

/** So many members whose links with a hidden one broke, each for itself, make it a suspect like any other. */
export const BROKEN_LINKS = 2

/** How long a check of a hidden member takes, in ms: a hidden tab's timers run once a second at first, and an answer may take several. */
export const HIDDEN_CHECK_TIME = 9_000

/** Largest local health multiplier (Lifeguard's S). */
export const MAX_HEALTH = 8

/** A timer so much too late, in ms, means that this process stood still: what it missed says nothing of others. */
export const STANDSTILL = 1_000

/** The same for a hidden member, whose timers are late by rule: it runs them when a message comes, and several seconds may pass without one. */
export const HIDDEN_STANDSTILL = 5_000

/** A timer so much too late, in ms, is not waited for when a message comes: messages wake a hidden tab when its timers do not. */
export const OVERDUE = 250

/** Up to so many members, everybody is connected with everybody. */
export const FULL_MESH = 32

/** Connections a member keeps in a larger colony; half of them it opens itself. */
export const VIEW_SIZE = 12

/** The same for one that says it is light. */
export const LIGHT_VIEW_SIZE = 6

/** How many of those are with members that are not light, as far as there are any: they last longer. */
export const LIGHT_FULL_LINKS = 2

/** A light member takes so many links; more are ended. */
export const LIGHT_MAX_LINKS = LIGHT_VIEW_SIZE + 2

/** In a colony that is not small, a member that is not light takes so many links with light ones: they cost little, but not nothing. */
export const MAX_LIGHT_LINKS = 64

/** A light member opens so many links at once, and so many each second after that: 360 in its first hour, as Chrome has 500 connections for a tab. */
export const LIGHT_DIALS = 60
export const LIGHT_DIALS_PER_SECOND = 1 / 12

/** A light member tries somebody who is down so many times less often than others. */
export const LIGHT_REJOIN_FACTOR = 6

/** Links that others open are taken up to so many times the size of the view. */
export const MAX_VIEW_FACTOR = 2

/** A link that could not be made is tried again after so many ms; doubles up to the largest. */
export const LINK_RETRY = 2_000
export const MAX_LINK_RETRY = 60_000

/** Somebody who ended a link is left alone for so many ms, who has links enough; doubles up to the largest. */
export const ENDED_RETRY = 60_000
export const MAX_ENDED_RETRY = 30 * 60_000

/** Who has the larger key waits so many ms for the other to open the link. */
export const LINK_PATIENCE = 2_000

/** Least time between two refutations that nobody signed for, in ms. */
export const DOUBT_INTERVAL = 5_000

/** Members that are down or have left are forgotten after so many ms: three days, so that a partition may last over a weekend (Serf: one). */
export const FORGET_AFTER = 3 * 24 * 60 * 60 * 1_000

/** Members that are remembered, whatever their state. */
export const MAX_MEMBERS = 20_000

/** Largest name, in characters, and largest free metadata, in bytes. */
export const MAX_NAME_LENGTH = 64
export const MAX_METADATA_SIZE = 512

/** Most roles of a member, and the longest of them, or reason to leave, in characters. */
export const MAX_ROLES = 8
export const MAX_TEXT_LENGTH = 128

/** Largest signed envelope, in bytes: that of a record, with its fields at their largest, and the signature. */
export const MAX_ENVELOPE_SIZE = 8 * 1024

/** Most addresses in a record, and the longest of them, in bytes. */
export const MAX_ADDRESSES = 16
export const MAX_ADDRESS_SIZE = 256
