/**
 * The table of members.
 *
 * Parts of two tables are compared by a hash each, so that only what differs
 * travels. A member's part of the hash is over its key, its incarnation, and
 * whether it is down; a hash of a bucket is all of its members' hashes XORed,
 * so that a change costs O(1).
 *
 * @module
 */

import { BUCKETS, FORGET_AFTER, MAX_MEMBERS, MAX_VERSIONS } from '../constants.ts'
import { compareIncarnations } from './messages.ts'
import type { Suspicion } from './suspicion.ts'
import type { SignedRecord, Version } from './messages.ts'
import type { PeerKey } from '../../core.ts'

/** What this node thinks of a member. */
export type MemberState = 'alive' | 'suspected' | 'down' | 'left'

/** One row of the table. */
export interface Member {
  readonly peer: PeerKey
  signed: SignedRecord
  state: MemberState

  /** When its state changed last, in ms. */
  since: number
  suspicion?: Suspicion

  /** `true` if it was passed on that others take this incarnation for dead. */
  doubted: boolean

  /** `true` if our link with it broke, and it has not said anything since. */
  broken: boolean
}

/** Everybody this node has heard of, itself included. */
export class Members {
  readonly #members = new Map<PeerKey, Member>()
  readonly #buckets: Array<Set<PeerKey>> = Array.from({ length: BUCKETS }, () => new Set())
  readonly #hashes = new Uint32Array(BUCKETS)
  readonly #self: PeerKey
  #living = 0
  #ring?: PeerKey[]
  #full?: PeerKey[]

  constructor (self: PeerKey) {
    this.#self = self
  }

  get size (): number {
    return this.#members.size
  }

  /** How many are alive or suspected, this node included. */
  get living (): number {
    return this.#living
  }

  get (peer: PeerKey): Member | undefined {
    return this.#members.get(peer)
  }

  values (): IterableIterator<Member> {
    return this.#members.values()
  }

  /** Adds a member; `undefined` if there is no room, even after forgetting the oldest that is not alive. */
  add (signed: SignedRecord, state: MemberState, now: number): Member | undefined {
    if (this.#members.size >= MAX_MEMBERS && !this.#forgetOldest()) {
      return undefined
    }

    const { peer } = signed.record
    const member: Member = { peer, signed, state, since: now, doubted: false, broken: false }
    this.#members.set(peer, member)
    this.#buckets[bucketOf(peer)].add(peer)
    this.#count(member, 1)
    this.#ring = this.#full = undefined

    return member
  }

  /** Changes what is known of a member. */
  set (member: Member, change: { signed?: SignedRecord, state?: MemberState }, now: number): void {
    const wasLiving = isLiving(member)
    const wasLight = isLight(member)
    this.#count(member, -1)
    member.doubted &&= change.signed == null
    member.broken &&= change.signed == null
    member.signed = change.signed ?? member.signed

    if (change.state != null && change.state !== member.state) {
      member.state = change.state
      member.since = now
    }

    if (member.state !== 'suspected') {
      member.suspicion = undefined
    }

    this.#count(member, 1)

    if (isLiving(member) !== wasLiving) {
      this.#ring = this.#full = undefined
    } else if (isLight(member) !== wasLight) {
      this.#full = undefined
    }
  }

  /** Forgets those who have been gone for long. */
  forgetGone (now: number): void {
    for (const member of this.#members.values()) {
      if (isGone(member) && now - member.since > FORGET_AFTER) {
        this.#remove(member)
      }
    }
  }

  /** Everybody who is alive, this node included, in the order of a ring that is the same for all. */
  livingPeers (): readonly PeerKey[] {
    this.#ring ??= [...this.#members.values()].filter(isLiving)
      .map(({ peer }) => ({ peer, place: hash(peer) }))
      .sort((a, b) => a.place - b.place || (a.peer < b.peer ? -1 : 1))
      .map(({ peer }) => peer)

    return this.#ring
  }

  /** Those of them that are not light, this node included if it is none. */
  fullPeers (): readonly PeerKey[] {
    this.#full ??= this.livingPeers().filter(peer => !this.isLight(peer))

    return this.#full
  }

  /** The next one on that ring, so that everybody is on somebody's list. */
  successor (): PeerKey | undefined {
    return this.#neighbour(1)
  }

  /** The one before this node, whose successor it is. */
  predecessor (): PeerKey | undefined {
    return this.#neighbour(-1)
  }

  /** `true` if a member keeps few connections. */
  isLight (peer: PeerKey): boolean {
    const member = this.#members.get(peer)

    return member != null && isLight(member)
  }

  /** `true` if a member may be slow to answer, without being ill. */
  isHidden (peer: PeerKey): boolean {
    return this.#members.get(peer)?.signed.record.hidden === true
  }

  /** `true` if this member is one of the `count` before `peer` on the ring, who look after it; hidden ones only where others are too few. */
  isGuard (peer: PeerKey, count: number): boolean {
    const ring = this.livingPeers()
    const place = ring.indexOf(peer)

    if (place < 0) {
      return false
    }

    const guards: PeerKey[] = []
    const spare: PeerKey[] = []

    for (let i = 1; i < ring.length && guards.length < count; i++) {
      const other = ring.at((place - i + ring.length) % ring.length) as PeerKey
      (this.isHidden(other) ? spare : guards).push(other)
    }

    return [...guards, ...spare].slice(0, count).includes(this.#self)
  }

  /** The hashes of all buckets. */
  digest (): Uint8Array {
    const bytes = new Uint8Array(4 * BUCKETS)
    const view = new DataView(bytes.buffer)
    this.#hashes.forEach((hash, i) => { view.setUint32(4 * i, hash) })

    return bytes
  }

  /** Buckets that differ from those of somebody else's digest. */
  differing (digest: Uint8Array): number[] {
    const view = new DataView(digest.buffer, digest.byteOffset)

    return [...this.#hashes.keys()].filter(i => view.getUint32(4 * i) !== this.#hashes[i])
  }

  /** What is in some buckets, in parts that fit a message. */
  * versions (buckets: number[]): Generator<{ buckets: number[], members: Version[] }> {
    let part: { buckets: number[], members: Version[] } = { buckets: [], members: [] }

    for (const bucket of buckets) {
      const members = this.bucket(bucket).map(versionOf)

      if (part.buckets.length > 0 && part.members.length + members.length > MAX_VERSIONS) {
        yield part
        part = { buckets: [], members: [] }
      }

      part.buckets.push(bucket)
      part.members.push(...members)
    }

    if (part.buckets.length > 0) {
      yield part
    }
  }

  /** The members of a bucket. */
  bucket (index: number): Member[] {
    return [...this.#buckets[index]].flatMap(peer => this.#members.get(peer) ?? [])
  }

  #neighbour (by: 1 | -1): PeerKey | undefined {
    const ring = this.livingPeers()
    const other = ring[(ring.indexOf(this.#self) + by + ring.length) % ring.length] as PeerKey | undefined

    return other === this.#self ? undefined : other
  }

  #count (member: Member, by: 1 | -1): void {
    this.#hashes[bucketOf(member.peer)] ^= hashOf(versionOf(member))

    if (isLiving(member)) {
      this.#living += by
    }
  }

  #remove (member: Member): void {
    this.#count(member, -1)
    this.#members.delete(member.peer)
    this.#buckets[bucketOf(member.peer)].delete(member.peer)
  }

  #forgetOldest (): boolean {
    let oldest: Member | undefined

    for (const member of this.#members.values()) {
      if (isGone(member) && (oldest == null || member.since < oldest.since)) {
        oldest = member
      }
    }

    if (oldest != null) {
      this.#remove(oldest)
    }

    return oldest != null
  }
}

/** `true` if it is alive, as far as is known for sure. */
export function isLiving ({ state }: Member): boolean {
  return state === 'alive' || state === 'suspected'
}

function isLight ({ signed: { record } }: Member): boolean {
  return record.light === true
}

function isGone (member: Member): boolean {
  return !isLiving(member)
}

/** A member's row, without the record. */
export function versionOf ({ peer, signed: { record: { epoch, counter } }, state }: Member): Version {
  return { peer, epoch, counter, down: state === 'down' }
}

/** `true` if the first is newer. */
export function isNewer (a: SignedRecord, b: SignedRecord): boolean {
  return compareIncarnations(a.record, b.record) > 0
}

/** Which bucket a member is in. */
function bucketOf (peer: PeerKey): number {
  return hash(peer) % BUCKETS
}

function hashOf ({ peer, epoch, counter, down }: Version): number {
  return hash(`${peer} ${epoch} ${counter} ${down}`)
}

/** FNV-1a, with the finish of MurmurHash3, since XORing keeps what two hashes have in common. */
function hash (text: string): number {
  let value = 0x811c9dc5

  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  }

  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)

  return (value ^ (value >>> 16)) >>> 0
}
