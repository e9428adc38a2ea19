/**
 * Proofs that others have what they say: now and then each contingent is asked
 * for the hash of a random part of something, and a number nobody could know
 * before. Who cannot give it does not have it.
 *
 * @module
 */

import { CID } from 'multiformats/cid'
import { hashPiece } from '../content/index.ts'
import { MAX_CHALLENGE } from './codec.ts'
import type { Challenge, Proof } from './codec.ts'
import type { PeerKey } from '../core.ts'
import type { Random } from '../random.ts'

/** How long to wait for a proof, in ms. */
const PROOF_TIMEOUT = 30_000

/** Who is here and does not answer so many times in a row does not have it. */
const MAX_SILENT = 3

/** Proofs that are waited for at once. */
const MAX_OPEN = 100

interface Open {
  peer: PeerKey
  expected: Uint8Array
  counts: () => boolean
  timer: ReturnType<typeof setTimeout>
}

export interface ChallengesInit {
  random: Random

  /** Bytes of a content that are here; `undefined` if they are not. */
  read (cid: CID, offset: number, length: number): Promise<Uint8Array | undefined>
  send (to: PeerKey, message: Challenge | Proof): void

  /** It has given a proof, or cannot give one. */
  onResult (peer: PeerKey, right: boolean): void

  /**
   * How long to wait for a proof, in ms.
   *
   * @default 30_000
   */
  patience?: number
}

export class Challenges {
  readonly #init: ChallengesInit
  readonly #open = new Map<number, Open>()

  /** How often in a row each did not answer. */
  readonly #silent = new Map<PeerKey, number>()

  #closed = false

  constructor (init: ChallengesInit) {
    this.#init = init
  }

  /**
   * Asks for a part of a content that is here too.
   *
   * @param counts - `true` as long as the peer should have it
   */
  async ask (peer: PeerKey, { cid, size }: { cid: CID, size: number }, counts: () => boolean): Promise<void> {
    const { random, read, send, patience = PROOF_TIMEOUT } = this.#init
    const length = Math.min(size, MAX_CHALLENGE)
    const offset = Math.floor(random() * (size - length + 1))
    const bytes = await read(cid, offset, length)

    const nonce = crypto.getRandomValues(new Uint8Array(16))
    const expected = bytes == null ? undefined : await digest(nonce, bytes)

    if (expected == null || this.#closed || this.#open.size >= MAX_OPEN) {
      return
    }

    // nobody who did not get the question may answer it
    const [id] = crypto.getRandomValues(new Uint32Array(1))
    const timer = setTimeout(() => {
      this.#open.delete(id)
      this.#missed(peer, counts)
    }, patience)
    this.#open.set(id, { peer, expected, counts, timer })
    send(peer, { type: 'challenge', id, cid: String(cid), offset, length, nonce })
  }

  /** Answers a question. */
  async answer (from: PeerKey, { id, cid, offset, length, nonce }: Challenge): Promise<void> {
    const bytes = await this.#init.read(CID.parse(cid), offset, length).catch(() => undefined)
    this.#init.send(from, { type: 'proof', id, digest: bytes == null ? undefined : await digest(nonce, bytes) })
  }

  take (from: PeerKey, { id, digest }: Proof): void {
    const open = this.#open.get(id)

    if (open?.peer === from) {
      clearTimeout(open.timer)
      this.#open.delete(id)
      this.#silent.delete(from)
      const right = digest?.every((byte, i) => byte === open.expected[i]) === true

      if (right || open.counts()) {
        this.#init.onResult(from, right)
      }
    }
  }

  /** It did not answer; a connection may have broken. */
  #missed (peer: PeerKey, counts: () => boolean): void {
    const times = (this.#silent.get(peer) ?? 0) + 1
    this.#silent.delete(peer)

    if (times < MAX_SILENT) {
      this.#silent.set(peer, times)
    } else if (counts()) {
      this.#init.onResult(peer, false)
    }

    if (this.#silent.size > MAX_OPEN) {
      this.#silent.delete(this.#silent.keys().next().value as PeerKey)
    }
  }

  close (): void {
    this.#closed = true
    this.#open.forEach(({ timer }) => { clearTimeout(timer) })
    this.#open.clear()
  }
}

async function digest (nonce: Uint8Array, bytes: Uint8Array): Promise<Uint8Array> {
  const joined = new Uint8Array(nonce.byteLength + bytes.byteLength)
  joined.set(nonce)
  joined.set(bytes, nonce.byteLength)

  return hashPiece(joined)
}
