/**
 * What others have of this node and it may lack: it lost its disk, or has an
 * old one, or somebody else has its key.
 *
 * Everybody who ever kept something of this node has old assignments that it
 * signed, and may show them again. So nothing here holds the node up for long
 * on the word of one member, and all of it is bounded; but who may have
 * something that nobody else has is neither asked to keep another thing nor to
 * delete what it has, since it would be lost.
 *
 * @module
 */

import { HEARTBEAT, MAX_KNOWN_ROOTS, MAX_MERGES, MAX_PEERS, MAX_UNMERGED, MERGE_RETRY } from '../constants.ts'
import type { Assignment } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Peers } from './peers.ts'
import type { PeerKey } from '../../core.ts'

interface Unmerged {
  assignment: Assignment

  /** Who says that it has it, or knows of it, and when it said so last, in ms. */
  sources: Map<PeerKey, number>

  /** Who should have it, and did not say so yet. */
  others: PeerKey[]
  asked: boolean
  again: number
  failures: number
}

export class Merges {
  readonly #peers: Peers
  readonly #out: Outbox
  readonly #unmerged = new Map<string, Unmerged>()

  /** Roots that hold nothing this node does not have, the oldest first. */
  readonly #known = new Set<string>()

  /** How many times each member told of something that could not be had. */
  readonly #doubts = new Map<PeerKey, number>()

  constructor (peers: Peers, out: Outbox) {
    this.#peers = peers
    this.#out = out
  }

  get isOpen (): boolean {
    return this.#unmerged.size > 0
  }

  /** `true` as long as something may still be had from somebody who can be believed. */
  get isWaiting (): boolean {
    return [...this.#unmerged.values()].some(unmerged => this.#here(unmerged).some(peer => (this.#doubts.get(peer) ?? 0) < MAX_MERGES))
  }

  /** `true` if this node signed something that it does not know; nobody else could have made that up. */
  get isMissing (): boolean {
    return [...this.#unmerged.values()].some(({ others }) => others.length > 0)
  }

  /** `true` for who may have something that this node lacks. */
  spares (peer: PeerKey): boolean {
    return [...this.#unmerged.values()].some(({ sources, others }) => sources.has(peer) || others.includes(peer))
  }

  /** This node has everything of this root. */
  know (root: string): void {
    this.#unmerged.delete(root)
    this.#known.delete(root)
    this.#known.add(root)
    shorten(this.#known, MAX_KNOWN_ROOTS)
  }

  /** Somebody has what this node had at some time, or knows that there was such a thing. */
  add (from: PeerKey, assignment: Assignment, isNews: boolean): void {
    if (this.#known.has(assignment.root)) {
      return
    }

    const others = isNews ? assignment.contingents : []
    const unmerged = this.#unmerged.get(assignment.root) ?? { assignment, sources: new Map<PeerKey, number>(), others, asked: false, again: 0, failures: 0 }
    this.#unmerged.set(assignment.root, unmerged)
    unmerged.sources.set(from, this.#out.now)
    shorten(unmerged.sources, MAX_UNMERGED)

    if (this.#unmerged.size > MAX_UNMERGED) {
      const [oldest] = [...this.#unmerged.values()].sort((a, b) => a.assignment.epoch - b.assignment.epoch)
      this.#unmerged.delete(oldest.assignment.root)
    }
  }

  /** What somebody has now is of this epoch; whatever it had before and that is not in there, it has deleted. */
  moved (from: PeerKey, epoch: number): void {
    for (const [root, { assignment, sources, others }] of this.#unmerged) {
      if (assignment.epoch < epoch && sources.delete(from) && sources.size === 0 && others.length === 0) {
        this.#unmerged.delete(root)
      }
    }
  }

  merged (root: string, ok: boolean): void {
    const unmerged = this.#unmerged.get(root)

    if (ok) {
      unmerged?.sources.forEach((_, peer) => this.#doubts.delete(peer))
      this.know(root)
    } else if (unmerged != null) {
      unmerged.asked = false
      unmerged.failures++
      unmerged.again = this.#out.now + Math.min(HEARTBEAT, MERGE_RETRY * 2 ** unmerged.failures)
      this.#here(unmerged).forEach(peer => { this.#doubts.set(peer, (this.#doubts.get(peer) ?? 0) + 1) })
      shorten(this.#doubts, MAX_PEERS)
    }
  }

  /** Asks for what is due, from those who are here. */
  ask (): void {
    for (const unmerged of this.#unmerged.values()) {
      const sources = this.#here(unmerged)

      if (!unmerged.asked && unmerged.again <= this.#out.now && sources.length > 0) {
        unmerged.asked = true
        this.#out.put({ type: 'merge', assignment: unmerged.assignment, sources })
      }
    }
  }

  /** When something is to be asked for next, in ms. */
  get due (): number {
    return Math.min(...[...this.#unmerged.values()].map(unmerged => unmerged.asked || this.#here(unmerged).length === 0 ? Infinity : Math.max(unmerged.again, this.#out.now + 1)))
  }

  /** Who can be asked; somebody may have spoken before it was heard that it is here. */
  #here ({ sources }: Unmerged): PeerKey[] {
    return [...sources].filter(([peer, heardAt]) => this.#peers.isHere(peer) || heardAt > this.#out.now - HEARTBEAT).map(([peer]) => peer)
  }
}

/** Forgets what was added first. */
function shorten<T> (items: Set<T> | Map<T, unknown>, max: number): void {
  if (items.size > max) {
    items.delete(items.keys().next().value as T)
  }
}
