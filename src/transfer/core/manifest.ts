/**
 * The rules of fetching a manifest: which interior node to ask of whom.
 *
 * Each node is asked of one peer, several of each peer. Who does not have it is
 * not asked for it again for a while. Who is late, by what it took for its
 * quickest answer, has its nodes asked of one other as well, and then of one
 * more; the first answer is taken. Every node is checked against the hash that
 * named it, so wrong bytes prove a liar.
 *
 * @module
 */

import { LATE_FACTOR, NODE_ASKS, NODE_LATENESS, NODE_TIMEOUT, NODE_WINDOW, STALL_TIMEOUT, TICK_INTERVAL } from '../constants.ts'
import type { Message } from './messages.ts'
import type { Core, CoreInput, PeerKey } from '../../core.ts'

/** Puts a manifest together; a node's key is its CID as a string. */
export interface NodeReader {
  /** Nodes that are missing. */
  wanted (): Array<{ key: string, cid: Uint8Array }>

  /**
   * Takes a node. `wrong` if the bytes are not that node; `invalid` if they
   * are, and the content is not one that this protocol carries.
   */
  accept (key: string, bytes: Uint8Array): 'ok' | 'wrong' | 'invalid'

  /** `true` if nothing is missing. */
  readonly complete: boolean
}

export type ManifestInput =
  | CoreInput<Message>
  | { type: 'peer', peer: PeerKey }

export type ManifestOutput =
  | { type: 'send', to: PeerKey, message: Message }
  | { type: 'timer', id: string, after: number }
  /** Break off with a peer, which broke the rules or does nothing. */
  | { type: 'drop', peer: PeerKey, reason: string }
  /** A peer was proved to send wrong bytes. */
  | { type: 'ban', peer: PeerKey }
  | { type: 'done' }
  /** Nobody can give a better one. */
  | { type: 'invalid' }

interface ManifestPeer {
  key: PeerKey

  /** Nodes asked for, with the time. */
  asked: Map<string, number>

  /** Nodes it does not have, and when it may be asked again. */
  lacks: Map<string, number>

  /** When it last answered. */
  heard: number

  /** Ms that its quickest answer took. */
  quickest: number
}

export interface ManifestCoreInit {
  reader: NodeReader

  /** Turns the CID of a message into a key. */
  keyOf (cid: Uint8Array): string
}

/** A manifest being fetched. */
export class ManifestCore implements Core<ManifestInput, ManifestOutput> {
  readonly #reader: NodeReader
  readonly #keyOf: (cid: Uint8Array) => string
  readonly #peers = new Map<PeerKey, ManifestPeer>()
  #out: ManifestOutput[] = []
  #over = false

  constructor (init: ManifestCoreInit) {
    this.#reader = init.reader
    this.#keyOf = init.keyOf
  }

  /** `true` if no peer can be asked for what is missing. */
  get starving (): boolean {
    return ![...this.#peers.values()].some(peer => peer.lacks.size === 0 || peer.asked.size > 0)
  }

  handle (input: ManifestInput, now: number): ManifestOutput[] {
    this.#out = []

    if (this.#over) {
      return this.#out
    }

    switch (input.type) {
      case 'peer':
        this.#peers.set(input.peer, { key: input.peer, asked: new Map(), lacks: new Map(), heard: now, quickest: 0 })
        this.#out.push({ type: 'timer', id: 'tick', after: TICK_INTERVAL })
        break
      case 'gone': this.#peers.delete(input.peer); break
      case 'timer': this.#tick(now); break
      case 'message':
        if (input.message.type === 'node') {
          this.#node(input.from, input.message.cid, input.message.bytes, now)
        }
        break
    }

    this.#ask(now)

    return this.#out
  }

  #node (from: PeerKey, cid: Uint8Array, bytes: Uint8Array | undefined, now: number): void {
    const peer = this.#peers.get(from)
    const key = this.#keyOf(cid)

    if (peer == null) {
      return
    }

    const asked = peer.asked.get(key)

    if (asked == null) {
      this.#drop(peer, 'it sent a node that was not asked for')
      return
    }

    peer.asked.delete(key)
    peer.heard = now
    peer.quickest = Math.min(peer.quickest || Infinity, now - asked)

    if (bytes == null) {
      peer.lacks.set(key, now + NODE_TIMEOUT)
      return
    }

    // somebody else may have been quicker
    if (this.#reader.wanted().some(wanted => wanted.key === key)) {
      this.#accept(peer, key, bytes)
    }
  }

  #accept (peer: ManifestPeer, key: string, bytes: Uint8Array): void {
    const verdict = this.#reader.accept(key, bytes)

    if (verdict === 'wrong') {
      this.#peers.delete(peer.key)
      this.#out.push({ type: 'ban', peer: peer.key })
    } else if (verdict === 'invalid' || this.#reader.complete) {
      this.#over = true
      this.#out.push({ type: verdict === 'invalid' ? 'invalid' : 'done' })
    }
  }

  #tick (now: number): void {
    for (const peer of [...this.#peers.values()]) {
      for (const [key, until] of peer.lacks) {
        if (until <= now) {
          peer.lacks.delete(key)
        }
      }

      if (peer.asked.size > 0 && now - peer.heard > STALL_TIMEOUT) {
        this.#drop(peer, 'it sent nothing of what it was asked for')
      }
    }

    this.#out.push({ type: 'timer', id: 'tick', after: TICK_INTERVAL })
  }

  #ask (now: number): void {
    if (this.#over) {
      return
    }

    for (const { key, cid } of this.#reader.wanted()) {
      if (!this.#isUnderWay(key, now)) {
        const peer = this.#choose(key, now)

        if (peer != null) {
          peer.heard = peer.asked.size === 0 ? now : peer.heard
          peer.asked.set(key, now)
          this.#out.push({ type: 'send', to: peer.key, message: { type: 'manifest', cid } })
        }
      }
    }
  }

  /** `true` if nobody else is to be asked for a node: somebody is not late with it, or enough are. */
  #isUnderWay (key: string, now: number): boolean {
    const asked = [...this.#peers.values()].filter(peer => now - (peer.asked.get(key) ?? -Infinity) < NODE_TIMEOUT)

    return asked.length >= NODE_ASKS || asked.some(peer => !isLate(peer, peer.asked.get(key), now))
  }

  /** Whoever answers, rather than who is late; among those who has least to do. */
  #choose (key: string, now: number): ManifestPeer | undefined {
    const load = (peer: ManifestPeer): number => peer.asked.size + (isLate(peer, firstOf(peer.asked), now) ? NODE_WINDOW : 0)

    return [...this.#peers.values()]
      .filter(peer => !peer.asked.has(key) && !peer.lacks.has(key) && peer.asked.size < NODE_WINDOW)
      .reduce<ManifestPeer | undefined>((best, peer) => best == null || load(peer) < load(best) ? peer : best, undefined)
  }

  #drop (peer: ManifestPeer, reason: string): void {
    this.#peers.delete(peer.key)
    this.#out.push({ type: 'drop', peer: peer.key, reason })
  }
}

/** `true` if a peer has been silent for too long since it was asked for something. */
function isLate ({ heard, quickest }: ManifestPeer, asked: number | undefined, now: number): boolean {
  return asked != null && now - Math.max(asked, heard) >= Math.max(NODE_LATENESS, LATE_FACTOR * quickest)
}

/** When the first question was asked that has no answer. */
function firstOf (asked: ManifestPeer['asked']): number | undefined {
  return asked.values().next().value
}
