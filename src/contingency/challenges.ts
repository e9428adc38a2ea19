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

/** Proofs that are waited for at once. */
const MAX_OPEN = 100

interface Open {
  peer: PeerKey
  expected: Uint8Array
  timer: ReturnType<typeof setTimeout>
}

export interface ChallengesInit {
  random: Random

  /** Bytes of a content that are here; `undefined` if they are not. */
  read (cid: CID, offset: number, length: number): Promise<Uint8Array | undefined>
  send (to: PeerKey, message: Challenge | Proof): void

  /** It answered, rightly or not; who does not answer is asked again at another time. */
  onResult (peer: PeerKey, right: boolean): void
}

export class Challenges {
  readonly #init: ChallengesInit
  readonly #open = new Map<number, Open>()

  constructor (init: ChallengesInit) {
    this.#init = init
  }

  /** Asks for a part of a content that is here too. */
  async ask (peer: PeerKey, cid: CID, size: number): Promise<void> {
    const { random, read, send } = this.#init
    const length = Math.min(size, MAX_CHALLENGE)
    const offset = Math.floor(random() * (size - length + 1))
    const bytes = await read(cid, offset, length)

    if (bytes == null || this.#open.size >= MAX_OPEN) {
      return
    }

    const nonce = crypto.getRandomValues(new Uint8Array(16))
    // nobody who did not get the question may answer it
    const [id] = crypto.getRandomValues(new Uint32Array(1))
    const timer = setTimeout(() => { this.#open.delete(id) }, PROOF_TIMEOUT)
    this.#open.set(id, { peer, expected: await digest(nonce, bytes), timer })
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
      this.#init.onResult(from, digest?.every((byte, i) => byte === open.expected[i]) === true)
    }
  }

  close (): void {
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
