/**
 * Membership: who is here, without a server.
 *
 * SWIM with Lifeguard over libp2p streams. Members of a colony speak
 * `/formicary/<network>/membership/1.0.0`; a stream lasts as long as its link,
 * and carries messages both ways, frames of MessagePack (see
 * `src/wire/frame.ts`) of at most 64 KiB:
 *
 * | message | meaning |
 * | --- | --- |
 * | `hello { record }` | first on a link, both ways: who I am |
 * | `ping { seq, … }`, `ack { seq, … }` | are you there? I am |
 * | `probe { seq, target }`, `report { seq, reached }` | can you reach it? What I found |
 * | `gossip { … }` | news |
 * | `sync { buckets }` | 64 hashes of 4 bytes, one for each part of my table |
 * | `versions { buckets, members: [[peer, epoch, counter, down]] }` | what I have in parts that differ, in as many messages as it takes |
 * | `want { peers }` | give me their records |
 * | `bye {}` | I end this link, and am well |
 *
 * News, wherever it travels, is `records`, `claims` and `doubts`. A record is
 * what a member says of itself, a claim what one says of another that it does
 * not reach, both in signed envelopes of libp2p; a doubt, `{ peer, epoch,
 * counter }`, tells a member that somebody takes it for dead.
 *
 * - **Truth.** Only a member's own records make it alive, and the newer one
 *   counts: by epoch, which a start raises, then by counter. Claims of several
 *   members, and a member's own tries, make it take another for down. So
 *   nobody can forge a member, and nobody alone can make one disappear.
 * - **Finding out.** A member pings one of its links each second. One that
 *   does not answer it or three others is suspected; whoever has a link with
 *   the suspect, and four members next to it on a ring over all, check it at
 *   once. A closed connection is checked too. The suspect hears of it and
 *   answers with a newer record. `core/suspicion.ts` has the times.
 * - **Spreading.** News goes to three links at once, and again every 200 ms,
 *   a number of times that grows with the digits of the colony's size. Every
 *   5 s tables are compared with a random link.
 * - **Coming in.** A new link begins with `hello` and a comparison of tables. Two
 *   pings more, one after another, tell each side when it has what the other
 *   knew, and is known itself: from then on whoever comes in does not need the
 *   one it came through any more.
 * - **Links.** Up to 32 members everybody is linked with everybody; above,
 *   each keeps about twelve. A `light` member keeps about six in any colony:
 *   its neighbours on the ring, two that are not light, and others; the rest
 *   do not open links with it beyond that. Who has too many ends the newest
 *   with `bye`, and is left alone by that one for a minute, then longer, up to 30
 *   minutes. A light member opens 60 links at once, and 300 an hour after that.
 * - **Hidden members.** Timers of a tab that nobody sees run once a second, and
 *   after five minutes once a minute, though messages come in time. So a
 *   `hidden` member runs what is overdue when a message comes, and others wait
 *   longer for it: 10 s until they suspect it, 75 s until that is a verdict,
 *   unless two of them lost their connection with it (`broken` in a claim). It
 *   helps to probe, and looks after others, only where nobody else can.
 * - **Coming back.** Members that are down are tried again for three days, and the
 *   addresses of others are kept in the datastore, so that a colony that fell
 *   apart is whole again by itself.
 * - **Limits.** A peer may send 1,000 messages at once and 200 a second after
 *   that; 20,000 members are remembered; a peer that does not read is broken
 *   off with when 1 MiB waits for it.
 *
 * Non-goals: agreement on who is here at one moment, and secrecy of who is.
 *
 * @example
 *
 * ```ts
 * import { membership } from 'formicary/membership'
 * import { identify } from '@libp2p/identify'
 * import { createLibp2p } from 'libp2p'
 *
 * const node = await createLibp2p({
 *   // ...transports and so on
 *   services: { identify: identify(), membership: membership({ network: 'films', name: 'ada' }) }
 * })
 *
 * node.services.membership.addEventListener('member:joined', ({ detail: { member } }) => {
 *   console.log(member.name, String(member.peerId))
 * })
 * ```
 *
 * @module
 */

import { Membership as MembershipClass } from './membership.ts'
import type { MemberState } from './core/members.ts'
import type { AbortOptions, ComponentLogger, Libp2pEvents, Metrics, PeerId, PeerStore, PrivateKey, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Datastore } from 'interface-datastore'

export type { MemberState } from './core/members.ts'

/** What a member says of itself, beside who it is and where. */
export interface MemberDetails {
  /** Shown to others; at most 64 characters. */
  name: string

  /** What it is for others, e.g. `hub`; at most 8. */
  roles: string[]

  /** Bytes it would keep for others. */
  storage: number

  /** Which version of its search index it has; 0 if it tells nobody. */
  digest: number

  /**
   * `true` if it keeps few connections, about six, whatever the size of the
   * colony, as browsers should: Chrome allows a tab 500 of them in its life.
   */
  light: boolean

  /**
   * `true` while its timers may run once a minute, as those of a browser's tab
   * do that nobody sees. Others give it more time to answer, and ask it for
   * help last; {@link Membership.update} tells them at once.
   */
  hidden: boolean

  /** Anything of an application's own, at most 512 bytes. */
  metadata?: Uint8Array
}

/** A member, as this node knows it. */
export interface Member extends MemberDetails {
  peerId: PeerId
  state: MemberState

  /** `true` for this node itself. */
  self: boolean

  /** Where it can be dialled, as it says. */
  addresses: Multiaddr[]

  /** When it started, as it says: seconds since 1970, or more if its clock went back. */
  epoch: number

  /** Why it left, and who takes over, if it did and said so. */
  reason?: string
  successor?: PeerId
}

/** What happens to members. */
export interface MembershipEvents {
  /** It is alive, and was not known, or down, or had left. */
  'member:joined': CustomEvent<{ member: Member }>

  /** Somebody cannot reach it. */
  'member:suspected': CustomEvent<{ member: Member }>

  /** It is alive after all. */
  'member:recovered': CustomEvent<{ member: Member }>

  /** Nobody reaches it. */
  'member:down': CustomEvent<{ member: Member }>

  /** It said goodbye. */
  'member:left': CustomEvent<{ member: Member }>

  /** It says something new of itself, or was suspected and answered. */
  'member:updated': CustomEvent<{ member: Member }>

  /** No other member is alive any more. */
  'membership:alone': CustomEvent<void>

  /** Another is, after none was. */
  'membership:together': CustomEvent<void>

  /** The links of this node are others than before; see {@link Membership.isNeighbour}. */
  'membership:links': CustomEvent<void>

  /**
   * This node and a member it was linked with a moment ago have what the other
   * knew; see {@link Membership.isIntroducing}.
   */
  'membership:introduced': CustomEvent<{ peerId: PeerId }>

  /**
   * No direct connection with a member could be had. It is tried again, later
   * each time, up to a minute, and others are asked whether they reach it.
   */
  'membership:unreachable': CustomEvent<Unreachable>
}

/** A member that could not be reached. */
export interface Unreachable {
  peerId: PeerId

  /** What dialling said. */
  error: Error

  /** How many times in a row. */
  failures: number
}

/** How membership is made. */
export interface MembershipInit extends Partial<MemberDetails> {
  /**
   * Name of the colony; part of the protocol id, and of all that is signed.
   *
   * @default 'formicary'
   */
  network?: string
}

/** The parts of a libp2p node that membership uses. */
export interface MembershipComponents {
  peerId: PeerId
  privateKey: PrivateKey
  registrar: Registrar
  connectionManager: ConnectionManager
  addressManager: AddressManager
  peerStore: PeerStore
  events: TypedEventTarget<Libp2pEvents>
  logger: ComponentLogger

  /** Counts messages and events; without it, nothing does. */
  metrics?: Metrics

  /** Keeps the epoch, and addresses of members; without it a restart knows nobody. */
  datastore?: Datastore
}

/** Which members to list. */
export interface MembersOptions {
  /** Only those in this state; all without it. */
  state?: MemberState
}

/** How to leave. */
export interface LeaveOptions extends AbortOptions {
  /** Why, at most 128 characters. */
  reason?: string

  /** Who takes over. */
  successor?: PeerId
}

/** Who is here. */
export interface Membership extends TypedEventTarget<MembershipEvents> {
  /**
   * This node, as others know it.
   *
   * @throws {NotStartedError} it has not started yet
   */
  readonly self: Member

  /** Members this node knows of, itself included, in no order. */
  members (options?: MembersOptions): IterableIterator<Member>

  /** One member; `undefined` if it is not known. */
  get (peer: PeerId): Member | undefined

  /**
   * `true` for whom this node should deal with of those it is connected with:
   * its links in a large colony, anybody in a small one.
   */
  isNeighbour (peer: PeerId): boolean

  /**
   * `true` while this node and a member it was linked with a moment ago tell
   * each other whom they know. Until then, who came into a colony through that
   * member may know nobody else, and be known to nobody else.
   */
  isIntroducing (peer: PeerId): boolean

  /**
   * Changes what this node says of itself; others know in a second or so.
   *
   * @throws {InvalidParametersError} a detail is too long, or not what it should be; nothing has changed
   * @throws {NotStartedError} the node is stopped
   */
  update (details: Partial<MemberDetails>): Promise<void>

  /**
   * Says goodbye before it returns, for a page that is about to be closed:
   * what is signed already is handed to open streams. Nobody waits for
   * an answer, so {@link Membership.leave} is better where there is time.
   * Nothing happens if that was done, or the node is stopped.
   *
   * @returns `false` if the goodbye is not signed yet, as in the moment after the node's own record changed; it follows when it is
   */
  leaveNow (): boolean

  /**
   * Says goodbye, so that nobody has to find out; stopping the node does it
   * too. Nothing happens if that was done.
   *
   * @throws {InvalidParametersError} `reason` cannot be told; nothing was said
   * @throws the reason of `signal`, if it is aborted before all links were told
   */
  leave (options?: LeaveOptions): Promise<void>
}

/** Makes membership as a libp2p service. */
export function membership (init: MembershipInit = {}): (components: MembershipComponents) => Membership {
  return components => new MembershipClass(components, init)
}
