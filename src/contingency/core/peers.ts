/**
 * Who is here, and who comes first for whom.
 *
 * @module
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { MAX_PEERS, MAX_WEIGHT, SETTLE_TIME } from '../constants.ts'
import type { PeerKey } from '../../core.ts'

export type PeerState = 'alive' | 'suspected' | 'down' | 'left'

interface Peer {
  state: PeerState
  weight: number

  /** Since when it has been in this state, in ms. */
  since: number
}

/** Wards whose members' turns are remembered; each turn costs a hash to find again. */
const MAX_RANKINGS = 32

/** Members, as this node sees them, itself left out. */
export class Peers {
  readonly #self: PeerKey
  readonly #peers = new Map<PeerKey, Peer>()

  /** Whose turn it is for whom, by ward: see {@link rank}. */
  readonly #rankings = new Map<PeerKey, Map<PeerKey, number>>()
  #begun?: number

  constructor (self: PeerKey) {
    this.#self = self
  }

  /** When this node started, in ms; who has not been seen since may just not have been heard of yet. */
  get begun (): number {
    return this.#begun ?? 0
  }

  /** Says what time it is; the first time is when the node started. */
  begin (now: number): void {
    this.#begun ??= now
  }

  /** `true` for a moment after the start about those of whom nothing was heard. */
  mayCome (peer: PeerKey, now: number): boolean {
    return peer !== this.#self && !this.#peers.has(peer) && now < this.begun + SETTLE_TIME
  }

  /** Takes news of a member; returns `true` if its state is another one than before. */
  set (peer: PeerKey, state: PeerState, weight: number, now: number): boolean {
    const known = this.#peers.get(peer)
    const changed = known?.state !== state

    if (changed) {
      // in the order of these changes, for whom to forget first
      this.#peers.delete(peer)
    }

    this.#peers.set(peer, { state, weight: Math.min(MAX_WEIGHT, weight > 0 ? weight : 0), since: changed ? now : known.since })

    if (this.#peers.size > MAX_PEERS) {
      this.#forgetOne()
    }

    return changed
  }

  /** `true` for a member that answers, or may; for this node itself too. */
  isHere (peer: PeerKey): boolean {
    const state = this.#peers.get(peer)?.state

    return peer === this.#self || state === 'alive' || state === 'suspected'
  }

  isAlive (peer: PeerKey): boolean {
    return this.#peers.get(peer)?.state === 'alive'
  }

  /** Since when a member is gone, in ms; for ever if it said goodbye, and since the start if nothing was heard of it. */
  goneSince (peer: PeerKey): number | undefined {
    const known = this.#peers.get(peer)

    if (this.isHere(peer)) {
      return undefined
    }

    return known?.state === 'left' ? -Infinity : known?.since ?? this.begun
  }

  /** `true` for who is gone and did not say so. */
  isDown (peer: PeerKey): boolean {
    return this.#peers.get(peer)?.state === 'down'
  }

  /** Members that are alive and keep things for others, the first choice for `ward` first. */
  candidates (ward: PeerKey): PeerKey[] {
    const found = [...this.#peers].filter(([peer, { state, weight }]) => state === 'alive' && weight > 0 && peer !== ward).map(([peer]) => peer)

    return this.rank(ward, found)
  }

  /**
   * Sorts members by whose turn it is to keep something of `ward`: weighted
   * rendezvous hashing, so that all who see the same members agree, and a
   * change moves few. A member with twice the weight comes first twice as often
   * (Schindelhauer and Schomaker, SPAA 2005: `-w / ln(h)`).
   */
  rank (ward: PeerKey, peers: PeerKey[]): PeerKey[] {
    const ranking = this.#rankingOf(ward)
    const scored = peers.map(peer => ({ peer, score: Math.max(this.#peers.get(peer)?.weight ?? 1, 1e-9) * turnOf(ranking, ward, peer) }))

    return scored.sort((a, b) => b.score - a.score || (a.peer < b.peer ? -1 : 1)).map(({ peer }) => peer)
  }

  /** Sorts members by a turn in which they count alike, however each sees the others. */
  draw (ward: PeerKey, peers: PeerKey[]): PeerKey[] {
    const ranking = this.#rankingOf(ward)

    return [...peers].sort((a, b) => turnOf(ranking, ward, b) - turnOf(ranking, ward, a) || (a < b ? -1 : 1))
  }

  /** Who has been gone for longest counts as never heard of, which is the same; where nobody is gone, nobody is forgotten. */
  #forgetOne (): void {
    for (const peer of this.#peers.keys()) {
      if (!this.isHere(peer)) {
        this.#peers.delete(peer)

        return
      }
    }
  }

  #rankingOf (ward: PeerKey): Map<PeerKey, number> {
    const ranking = this.#rankings.get(ward) ?? new Map<PeerKey, number>()

    if (!this.#rankings.has(ward)) {
      // as many wards as members, and none for long
      if (this.#rankings.size >= MAX_RANKINGS) {
        this.#rankings.delete(this.#rankings.keys().next().value as PeerKey)
      }

      this.#rankings.set(ward, ranking)
    }

    if (ranking.size > MAX_PEERS) {
      ranking.clear()
    }

    return ranking
  }
}

/** `-1 / ln(h)`, with a number `h` between 0 and 1 that is the same everywhere, from 48 bits of a hash. */
function turnOf (ranking: Map<PeerKey, number>, ward: PeerKey, peer: PeerKey): number {
  let turn = ranking.get(peer)

  if (turn == null) {
    const hash = sha256(utf8ToBytes(`${ward} ${peer}`))
    const h = (new DataView(hash.buffer, hash.byteOffset).getUint32(0) * 65_536 + (hash[4] << 8 | hash[5]) + 0.5) / 2 ** 48
    turn = -1 / Math.log(h)
    ranking.set(peer, turn)
  }

  return turn
}
