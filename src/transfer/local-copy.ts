import { AbortError } from '@libp2p/interface'
import { hashPiece, PIECE_SIZE } from '../content/index.ts'
import { Rate } from './rate.ts'
import { progressOf } from './progress.ts'
import { openPart, piecesOf, verifiedPieces } from './stored.ts'
import { DownloadUsers } from './users.ts'
import type { Bitfield } from './core/bitfield.ts'
import type { TransferContent } from './index.ts'
import type { Entry, Manifest } from '../content/index.ts'
import type { Finished, Part, Store } from '../store/index.ts'
import type { Logger } from '@libp2p/interface'

/** What a {@link LocalCopy} works with. */
export interface LocalCopyInit {
  /** Where the bytes are; closed when they are copied. */
  content: TransferContent
  store: Store

  /** Key of the part. */
  key: string
  name?: string
  path?: string
  log: Logger

  /** Makes an entry of what was copied. */
  onFinished (manifest: Manifest, finished: Finished, path?: string): Promise<Entry>
}

/**
 * A content that goes from one catalog of this node into another: copied, so
 * that neither loses it when the other gives it up. Lives as long as somebody
 * wants it.
 */
export class LocalCopy {
  /**
   * The entry; `undefined` if the bytes cannot be read, or are not what they
   * should be. What was copied up to there is kept.
   *
   * @throws what the store says, and what it was failed with
   */
  readonly done: Promise<Entry | undefined>

  /** Who waits for it. */
  readonly users: DownloadUsers

  readonly #init: LocalCopyInit
  readonly #ended = new AbortController()
  readonly #rate = new Rate()
  #have?: Bitfield

  constructor (init: LocalCopyInit) {
    const { content: { manifest } } = init
    this.#init = init
    this.users = new DownloadUsers(() => progressOf({
      cid: manifest.root,
      manifest,
      have: this.#have,
      rate: this.#rate.perSecond(performance.now()),
      peers: 0
    }), init.log)
    this.done = this.#run()
    this.done.catch(() => {})
  }

  /** `true` if it was given up, and only has to let go of what it holds. */
  get ending (): boolean {
    return this.#ended.signal.aborted
  }

  /** Gives it up if nobody waits for it any more. */
  endIfUnwanted (): void {
    if (this.users.none) {
      this.fail(new AbortError('Nobody waits for the copy any more'))
    }
  }

  /** Ends it; what is copied stays for the next time. */
  fail (error: Error): void {
    this.#ended.abort(error)
  }

  async #run (): Promise<Entry | undefined> {
    const { content, name } = this.#init
    // let whoever made this add users first
    await Promise.resolve()

    try {
      const part = await openPart(this.#init, content.manifest, name ?? String(content.manifest.root))

      try {
        return await this.#copy(part)
      } finally {
        // nothing happens if it is finished
        await part.close()
      }
    } finally {
      await content.close()
      this.users.reportProgress(true)
    }
  }

  async #copy (part: Part): Promise<Entry | undefined> {
    const { content: { manifest }, path, onFinished } = this.#init
    const have = await verifiedPieces(part, manifest)
    this.#have = have
    piecesOf(have).forEach(piece => { this.users.reportPiece(manifest.root, piece, []) })

    for (let piece = 0; piece < manifest.pieceCount; piece++) {
      if (!have.has(piece) && !await this.#copyPiece(part, piece, have)) {
        return undefined
      }
    }

    this.#ended.signal.throwIfAborted()
    let entry: Entry | undefined
    await part.finish(async finished => { entry = await onFinished(manifest, finished, path) })

    return entry
  }

  /** Copies a piece; `false` if it cannot be had. */
  async #copyPiece (part: Part, piece: number, have: Bitfield): Promise<boolean> {
    const { content, log } = this.#init
    const { manifest } = content
    this.#ended.signal.throwIfAborted()
    const bytes = await content.read(piece * PIECE_SIZE, manifest.pieceSize(piece)).catch((err: Error) => {
      log('cannot copy %c - %e', manifest.root, err)
    })

    if (bytes == null) {
      return false
    }

    const hash = await hashPiece(bytes)
    const expected = manifest.hash(piece)

    if (!hash.every((byte, i) => byte === expected[i])) {
      log('cannot copy %c: piece %d is not what it should be', manifest.root, piece)

      return false
    }

    await part.write(piece * PIECE_SIZE, bytes)
    await part.mark(piece)
    have.add(piece)
    this.#rate.add(bytes.byteLength, performance.now())
    this.users.reportPiece(manifest.root, piece, [])
    this.users.reportProgress()

    return true
  }
}
