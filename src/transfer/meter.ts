import { NotFoundError } from '../errors.ts'
import { STALLED_TIMEOUT } from './constants.ts'
import { Rate } from './rate.ts'
import type { PieceFetch } from './piece-fetch.ts'
import type { CID } from 'multiformats/cid'

/** How fast a download is, and how long it has gone on in vain; times are in ms. */
export class Meter {
  readonly #rate = new Rate()
  #hopeAt: number
  #bytesAt: number

  constructor (now: number) {
    this.#hopeAt = now
    this.#bytesAt = now
  }

  /** When bytes came last. */
  get bytesAt (): number {
    return this.#bytesAt
  }

  /** Bytes a second, lately. */
  rate (now: number): number {
    return this.#rate.perSecond(now)
  }

  /** Bytes came. */
  bytes (bytes: number, now: number): void {
    this.#bytesAt = now
    this.#rate.add(bytes, now)
  }

  /** Somebody may have what is missing. */
  hope (now: number): void {
    this.#hopeAt = now
  }

  /** Pieces are fetched from now on. */
  begin (now: number): void {
    this.#hopeAt = now
    this.#bytesAt = now
  }

  /** Why the download is to be given up, if it is. */
  fault (cid: CID, { pieces, patience, peers }: { pieces?: PieceFetch, patience: number, peers: number }, now: number): NotFoundError | undefined {
    if (pieces?.starving === false) {
      this.#hopeAt = now
    }

    // what it does not ask for cannot come
    if (pieces?.yields === true) {
      this.#bytesAt = now
    }

    if (now - this.#hopeAt > patience) {
      return new NotFoundError(`Nobody has what is missing of ${cid}`)
    }

    if (peers > 0 && now - this.#bytesAt > Math.max(patience, STALLED_TIMEOUT)) {
      return new NotFoundError(`Nobody has sent anything of ${cid} for too long`)
    }
  }
}
