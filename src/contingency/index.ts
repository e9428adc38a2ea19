/**
 * Contingency: what a member has is kept by others, and served when it is gone.
 *
 * Every member is the *ward* of a few others, its *contingents*, and the
 * contingent of some. Members speak `/formicary/<network>/contingency/1.0.0`;
 * whoever has something to say opens a stream for it, and answers come over
 * one of the other's. Messages are frames of MessagePack (see
 * `src/wire/frame.ts`) of at most 32 KiB:
 *
 * | message | meaning |
 * | --- | --- |
 * | `offer { appointment, sources, urgent }` | keep this; whom to fetch it from. Said again every 30 s, to see that it is still so |
 * | `accept { ward, epoch, quota }` | I am about to, so many bytes of it |
 * | `refuse { ward, epoch, reason, appointment? }` | I do not: `stale` (I know this newer one), `full`, `busy`, `unwilling` |
 * | `receipt { receipt }` | I have all of it, and have checked it |
 * | `keep { appointment, held? }` | I keep this of yours, and this older one is what I have in whole |
 * | `leaving { ward, epoch }` | I am about to go: let somebody else have what I keep |
 * | `release { appointment, receipts }` | others have what you keep, as they sign here |
 * | `released { ward, epoch }` | I have nothing of it any more |
 * | `challenge { id, cid, offset, length, nonce }` | prove that you have this |
 * | `proof { id, digest? }` | SHA-256 of the nonce and those bytes |
 *
 * Three things are signed, in envelopes of libp2p: an *assignment*, by the
 * ward (epoch, contingents, root and size of what is to be kept); a
 * *takeover*, by one of those who keep it, while the ward is gone (other
 * contingents, nothing else); a *receipt*. An appointment is an assignment
 * and the takeover that goes with it, if there is one.
 *
 * - **What is kept** is a snapshot: a block with the hashes of pages, pages
 *   with items, and the contents those name. All of it is fetched through
 *   `transfer` and checked by its hash, and only what is missing travels. Items
 *   are entries of the catalog, values of the vault, which are encrypted, and
 *   the keys of what was deleted.
 * - **Who keeps it** is chosen by weighted rendezvous hashing over the members
 *   that are alive, by the room they offer and the time they have been up, so
 *   that all name the same. Who has more wards than its share refuses
 *   while there are others.
 * - **Epochs.** Each change gets a higher epoch, and those who store refuse a
 *   lower one. A node never signs one before it has merged what others have
 *   of it under another root, so an empty or old disk, or a second node with
 *   the same key, deletes nothing. As it may not have heard of that yet, nothing of
 *   a ward is deleted in the ten seconds after it is back.
 * - **Letting go.** A contingent deletes what it keeps only when an
 *   appointment that leaves it out comes with receipts of all who are named
 *   in it. While the ward is gone, those whom it named itself do not let go at all,
 *   unless they leave.
 * - **A ward that is gone** is answered for as soon as somebody suspects it.
 *   A minute later the first of those who keep its data, in an order that all
 *   know, appoints others for those who are missing; if it does not, the next
 *   does 15 s later. When the ward is back it signs a higher epoch, and nothing
 *   is copied that is there.
 * - **Lies.** A receipt can be a lie, so now and then each contingent has to prove that it has
 *   something; who cannot is never asked again. Who keeps what was not asked for
 *   costs itself room and nothing else.
 *
 * Needs `membership`, `transfer`, and a second catalog named `kept`, for
 * what is kept for others, among the components; with a `catalog`, what is
 * shared is kept by others. Alone it waits, and {@link Contingency.status}
 * says `unprotected`.
 *
 * Non-goals: hiding how much somebody has, and keeping data for those who
 * never come back: that ends after 90 days.
 *
 * @module
 */

import { ContingencyService } from './contingency.ts'
import type { ContingencyComponents } from './components.ts'
import type { Vault } from './vault.ts'
import type { Entry } from '../content/entry.ts'
import type { AbortOptions, PeerId, TypedEventTarget } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { ProgressEvent, ProgressOptions } from 'progress-events'

export type { ContingencyCatalog, ContingencyComponents, ContingencyMember, ContingencyMembership, ContingencyTransfer, KeptCatalog, KeptContent, MemberEvent } from './components.ts'
export type { Vault, VaultEntry } from './vault.ts'
export type { Entry } from '../content/entry.ts'

/** How contingency is made. */
export interface ContingencyInit {
  /**
   * Name of the colony; part of the protocol id, and of all that is signed.
   *
   * @default 'formicary'
   */
  network?: string

  /**
   * How many members keep what this node has, 1 to 8. With one, data is lost
   * when two members fail within about a minute.
   *
   * @default 2
   */
  copies?: number

  /**
   * Which entries others are to keep.
   *
   * @default all
   */
  filter?: (entry: Entry) => boolean

  /**
   * Bytes that this node keeps for others, at most; 0 for none.
   *
   * @default 1_073_741_824
   */
  room?: number

  /**
   * Members whose data this node keeps, at most.
   *
   * @default 1_000
   */
  maxWards?: number

  /**
   * How long a member that is down may come back before others are asked to
   * keep what it kept, in ms. A longer one saves traffic, a shorter one gains
   * safety.
   *
   * @default 60_000
   */
  grace?: number

  /**
   * How long stopping waits, at most, until others have what this node keeps,
   * in ms, where no signal says otherwise.
   *
   * @default 10_000
   */
  handoverTimeout?: number

  /**
   * How often each contingent has to prove that it has something, in ms.
   *
   * @default 3_600_000
   */
  challengeInterval?: number

  /**
   * Bytes of all values in the vault together, encrypted, at most.
   *
   * @default 268_435_456
   */
  vaultLimit?: number
}

/** An entry that this node answers for. */
export interface KeptEntry extends Entry {
  /** Whose it is. */
  ward: PeerId
}

/** One of those who keep what this node has. */
export interface ContingentStatus {
  peerId: PeerId

  /** `asked`, `copying` since it has accepted, `verified` if it has signed that it has everything, or `gone`. */
  state: 'asked' | 'copying' | 'verified' | 'gone'

  /** Bytes it keeps, at most, once it has accepted. */
  quota?: number
}

/** A member whose data this node keeps. */
export interface WardStatus {
  peerId: PeerId

  /** Bytes of its contents that are here. */
  bytes: number

  /** `true` if all of its newest snapshot is here, up to the quota. */
  complete: boolean

  /** `true` while this node answers for it, because it is gone. */
  serving: boolean
}

/** How safe everything is. */
export interface ContingencyStatus {
  /** `protected` if as many members as wanted have everything, `unprotected` if none has. */
  state: 'unprotected' | 'partly' | 'protected'

  /** How many copies are wanted. */
  wanted: number

  /** How many members that are here have signed that they have everything, up to their quota. */
  verified: number
  contingents: ContingentStatus[]

  /** What others should keep: entries and values, and the bytes of their contents. */
  items: number
  bytes: number

  /** What of that nobody is known to have but this node. */
  atRisk: { items: number, bytes: number }

  /** Whom this node keeps something for. */
  wards: WardStatus[]

  /** Bytes that this node would keep for others, and has promised. */
  room: number
  used: number
}

/** What happens to contingency. */
export interface ContingencyEvents {
  /** As many members as wanted have everything that this node has. */
  'contingency:protected': CustomEvent<{ epoch: number, contingents: PeerId[] }>

  /** They had, and one of them is missing, named by `peer` where it is gone; or this node stops before others have what it keeps for these wards, or something of its own. */
  'contingency:at-risk': CustomEvent<{ peer?: PeerId, wards: PeerId[] }>

  /** Others have what this node kept for a ward; it is here no more. */
  'contingency:handed-over': CustomEvent<{ ward: PeerId, contingents: PeerId[] }>

  /** A ward is gone: this node answers for it. */
  'contingency:serving': CustomEvent<{ ward: PeerId }>

  /** The ward is back, and answers for itself. */
  'contingency:returned': CustomEvent<{ ward: PeerId }>

  /** An entry of a ward that is gone can be found here. */
  'entry:added': CustomEvent<KeptEntry>

  /** It cannot any more. */
  'entry:removed': CustomEvent<KeptEntry>
}

/** What came back. */
export interface Recovery {
  /** Entries that are in the catalog again. */
  entries: number

  /** Values of the vault that are here again. */
  values: number

  /** Bytes of both. */
  bytes: number

  /** What nobody who could be reached has; asking again later may help. */
  missing: Array<{ name: string, cid: CID }>
}

/** Progress of a recovery: something is here again, or could not be had. */
export type RecoverProgressEvent =
  | ProgressEvent<'recover:entry', Entry>
  | ProgressEvent<'recover:value', { size: number }>
  | ProgressEvent<'recover:missing', { name: string, cid: CID }>

/** Settings of a recovery. */
export interface RecoverOptions extends AbortOptions, ProgressOptions<RecoverProgressEvent> {
  /**
   * How long to wait for somebody who keeps something, in ms.
   *
   * @default 15_000
   */
  patience?: number
}

/** Sees to it that nothing is lost when a member goes. Methods throw a `NotStartedError` while it is not running. */
export interface Contingency extends TypedEventTarget<ContingencyEvents> {
  /** Values that outlive this device, and that nobody else can read. */
  readonly vault: Vault

  /** How safe everything is, now. */
  status (): ContingencyStatus

  /** How many members that are here have signed that they have a content of this node. */
  copiesOf (cid: CID): number

  /** Entries of wards that are gone, for which this node answers. */
  entries (): IterableIterator<KeptEntry>

  /**
   * Resolves when as many members as wanted have everything there is now;
   * waits for members as long as there are none.
   *
   * @throws the reason of `signal`, or what kept this node from writing what there is to be kept, or that others have it
   */
  settled (options?: AbortOptions): Promise<void>

  /**
   * Fetches everything that others keep of this node and that is not here, as
   * after a lost disk: entries go to the catalog, values to the vault.
   *
   * @throws {NotFoundError} nobody is known to keep anything of this node
   * @throws the reason of `signal`; what is here stays
   */
  recover (options?: RecoverOptions): Promise<Recovery>

  /**
   * Has others keep a content no longer that is not shared any more because
   * its bytes were lost. A backup is not whole as long as nobody has one of
   * its contents; this ends that. Returns how many entries that were.
   */
  forget (cid: CID): Promise<number>

  /**
   * Has others take over what this node keeps for them, and resolves when they
   * have, or the time is up: then `contingency:at-risk` names the wards. It
   * comes as well, and may name nobody, when nobody who is here has something of
   * this node's own. Stopping the node does all that too.
   *
   * @throws the reason of `signal` never: leaving late is better than not at all
   */
  leave (options?: AbortOptions): Promise<void>
}

/** Makes contingency as a libp2p service. */
export function contingency (init: ContingencyInit = {}): (components: ContingencyComponents) => Contingency {
  return components => new ContingencyService(components, init)
}
