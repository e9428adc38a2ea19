/**
 * Who is served: the choking algorithm.
 *
 * When no more ask than there are slots, nobody is choked. Otherwise those who
 * give us most of what we want are served, and one more at random (BEP 3); a
 * seed, to whom nobody gives anything, serves everybody in turn. Background
 * sessions have slots of their own.
 *
 * @module
 */

import { OPTIMISTIC_INTERVAL } from '../constants.ts'
import { pick } from '../../random.ts'
import type { UploadInit } from './upload-io.ts'
import type { UploadPeer } from './upload-peer.ts'
import type { PeerKey } from '../../core.ts'
import type { Random } from '../../random.ts'

/** What a {@link Choker} works with. */
export interface ChokerInit extends UploadInit {
  /** All sessions; among those who have waited as long, the first are let in first. */
  sessions (): Iterable<UploadPeer>

  choke (session: UploadPeer, now: number): void
  unchoke (session: UploadPeer, now: number): void
}

/** A peer that wants to be served. */
interface Candidate {
  peer: PeerKey
  sessions: UploadPeer[]
  received: number
  choked: boolean
  waiting: number
}

/** Gives slots to peers. A peer needs one, for all it fetches, and one for all that may wait. */
export class Choker {
  readonly #init: ChokerInit
  readonly #slots: number
  readonly #random: Random

  /** Who was chosen at random, in the background and not. */
  readonly #optimistic = new Map<boolean, { peer: PeerKey, since: number }>()

  constructor (init: ChokerInit) {
    this.#init = init
    this.#slots = init.slots
    this.#random = init.random
  }

  /** Gives free slots to those who have waited longest; `true` if somebody still waits. */
  fill (now: number): boolean {
    return [false, true].map(background => this.#fill(background, now)).includes(true)
  }

  /** Chooses anew who is served. */
  rechoke (now: number): void {
    this.#rechoke(false, now)
    this.#rechoke(true, now)

    for (const session of this.#init.sessions()) {
      session.received = 0
    }
  }

  #fill (background: boolean, now: number): boolean {
    const interested = [...this.#init.sessions()].filter(session => session.interested && session.background === background)
    const served = new Set(interested.filter(session => !session.choked).map(({ peer }) => peer))
    const waiting = interested.filter(session => session.choked).sort((a, b) => a.waiting - b.waiting)

    for (const session of waiting) {
      if (served.has(session.peer) || served.size < this.#slots) {
        served.add(session.peer)
        this.#init.unchoke(session, now)
      }
    }

    return waiting.some(session => session.choked)
  }

  #rechoke (background: boolean, now: number): void {
    const candidates = this.#candidates(background)

    if (candidates.length > this.#slots) {
      const served = this.#chooseServed(candidates, background, now)

      for (const candidate of candidates) {
        if (!served.has(candidate)) {
          candidate.sessions.forEach(session => { this.#init.choke(session, now) })
        }
      }

      for (const { sessions } of served) {
        sessions.filter(session => session.choked).forEach(session => { this.#init.unchoke(session, now) })
      }
    }
  }

  /** Peers that want something, each with all its sessions. */
  #candidates (background: boolean): Candidate[] {
    const candidates = new Map<PeerKey, Candidate>()

    for (const session of this.#init.sessions()) {
      const candidate = candidates.get(session.peer) ?? { peer: session.peer, sessions: [], received: 0, choked: true, waiting: Infinity }
      candidate.received += session.received

      if (session.interested && session.background === background) {
        candidate.sessions.push(session)
        candidate.choked &&= session.choked
        candidate.waiting = Math.min(candidate.waiting, session.waiting)
      }

      candidates.set(session.peer, candidate)
    }

    return [...candidates.values()].filter(({ sessions }) => sessions.length > 0)
  }

  #chooseServed (candidates: Candidate[], background: boolean, now: number): Set<Candidate> {
    // who gave most first; among equals, as at a seed, who waits longest, then who was let in last
    const order = candidates.sort((a, b) => b.received - a.received ||
      Number(b.choked) - Number(a.choked) || (a.choked ? a.waiting - b.waiting : b.waiting - a.waiting))
    const gives = order[0].received > 0
    const served = new Set(order.slice(0, gives ? this.#slots - 1 : this.#slots))

    if (gives) {
      served.add(this.#chooseOptimistic(order.slice(this.#slots - 1), background, now))
    }

    return served
  }

  #chooseOptimistic (rest: Candidate[], background: boolean, now: number): Candidate {
    const current = this.#optimistic.get(background)
    const stays = current !== undefined && now - current.since < OPTIMISTIC_INTERVAL
      ? rest.find(({ peer }) => peer === current.peer)
      : undefined
    const chosen = stays ?? pick(this.#random, rest) ?? rest[0]

    if (stays === undefined) {
      this.#optimistic.set(background, { peer: chosen.peer, since: now })
    }

    return chosen
  }
}
