import { peerIdFromString } from '@libp2p/peer-id'
import { CustomProgressEvent } from 'progress-events'
import { PATIENCE, PROGRESS_INTERVAL } from './constants.ts'
import type { CatalogName, DownloadOptions, TransferProgress, TransferProgressEvent } from './index.ts'
import type { PeerKey } from '../core.ts'
import type { Logger } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** A progress event before it is made. */
type Reported = TransferProgressEvent extends infer Event ? Event extends TransferProgressEvent ? Pick<Event, 'type' | 'detail'> : never : never

/** Those who wait for one download: it serves them all, and ends when the last has gone. */
export class DownloadUsers {
  readonly #progress: () => TransferProgress
  readonly #log: Logger
  readonly #users = new Set<DownloadOptions>()
  #reportedAt = -Infinity

  /** @param log - told what callbacks of users throw, which is nothing to the download or its peers */
  constructor (progress: () => TransferProgress, log: Logger) {
    this.#progress = progress
    this.#log = log
  }

  /** `true` if nobody is left. */
  get none (): boolean {
    return this.#users.size === 0
  }

  /** `true` if somebody wants it in this catalog. */
  want (into: CatalogName): boolean {
    return [...this.#users].some(user => (user.into ?? 'catalog') === into)
  }

  /** `true` if nobody is in a hurry. */
  get background (): boolean {
    return [...this.#users].every(user => user.background === true)
  }

  /** How long to go on in vain, in ms: as long as the most patient. */
  get patience (): number {
    return Math.max(...Array.from(this.#users, user => user.patience ?? PATIENCE))
  }

  /** Somebody waits; returns what to call when they do not any more. */
  add (options: DownloadOptions): () => void {
    this.#users.add(options)

    return () => { this.#users.delete(options) }
  }

  /** Reports something that happened to everybody. */
  report (event: Reported): void {
    for (const { onProgress } of this.#users) {
      try {
        onProgress?.(new CustomProgressEvent(event.type, event.detail) as TransferProgressEvent)
      } catch (err) {
        this.#log.error('onProgress threw - %e', err)
      }
    }
  }

  /** Reports a piece that is stored, and who sent it: nobody, if it was stored before. */
  reportPiece (cid: CID, piece: number, from: PeerKey[]): void {
    this.report({ type: 'transfer:piece', detail: { cid, piece, from: from.map(key => peerIdFromString(key)) } })
  }

  /** Reports how far the download is, unless that was done a moment ago. */
  reportProgress (last = false): void {
    const now = performance.now()

    if (last || now - this.#reportedAt >= PROGRESS_INTERVAL) {
      this.#reportedAt = now
      this.report({ type: 'transfer:progress', detail: this.#progress() })
    }
  }
}
