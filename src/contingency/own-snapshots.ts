/**
 * Makes snapshots of what this node has, one after another: when nothing has
 * changed for a moment, or a while after the first change.
 *
 * @module
 */

import { CID } from 'multiformats/cid'
import { inParallel } from '../parallel.ts'
import { CHANGE_DELAY, MAX_CHANGE_DELAY } from './constants.ts'
import { buildSnapshot } from './snapshot.ts'
import type { Blocks } from './blocks.ts'
import type { Snapshot as CoreSnapshot } from './core/outbox.ts'
import type { ItemKey, Items } from './items.ts'
import type { Snapshot } from './snapshot.ts'
import type { Logger } from '@libp2p/interface'

/** Blocks of a snapshot that are written at once. */
const CONCURRENCY = 16

/** Snapshots of which it is known what has changed since: others have the last, or are about to. */
const MAX_RECENT = 3

export interface OwnSnapshotsInit {
  items: Items
  blocks: Blocks
  log: Logger

  /** Puts all items on record. */
  write: () => Promise<void>

  /** There is something new to be kept, and it can be fetched. */
  onSnapshot: (snapshot: CoreSnapshot) => void
}

/** A snapshot that was made lately. */
export interface RecentSnapshot {
  /** The highest version in it. */
  newest: number

  /** What has changed since. */
  changed: Set<ItemKey>
}

export class OwnSnapshots {
  readonly #init: OwnSnapshotsInit
  readonly #recent = new Map<string, RecentSnapshot>()

  /** CIDs of the blocks of the last, and of the one before, which somebody may be fetching. */
  readonly #blocks: Array<Set<string>> = []
  #last?: Snapshot
  #timer?: ReturnType<typeof setTimeout>

  /** When the first thing changed that is in no snapshot, in ms. */
  #changedAt?: number
  #publishing?: Promise<void>

  /** Why the last could not be made. */
  #failure?: Error
  #again = false
  #closed = false

  constructor (init: OwnSnapshotsInit) {
    this.#init = init
  }

  /** One of the last, by its root. */
  recent (root: string): RecentSnapshot | undefined {
    return this.#recent.get(root)
  }

  /** `true` if the snapshot with this root holds everything there is, and nothing else. */
  isLast (root: string): boolean {
    return this.#last?.root.toString() === root && this.#last.from.revision === this.#init.items.revision
  }

  /** `true` if these bytes are part of a snapshot that others may fetch. */
  needs (cid: CID): boolean {
    const text = String(cid)

    return this.#blocks.some(blocks => blocks.has(text))
  }

  /** An item is not what it was in those snapshots there are. */
  note (key: ItemKey): void {
    this.#recent.forEach(({ changed }) => changed.add(key))
  }

  /** An item has changed: there will be a snapshot with it. */
  changed (key: ItemKey): void {
    const now = performance.now()
    this.note(key)
    this.#changedAt ??= now
    this.#makeAfter(Math.max(0, Math.min(CHANGE_DELAY, this.#changedAt + MAX_CHANGE_DELAY - now)))
  }

  /**
   * Makes one now.
   *
   * @throws what came in the way; it is tried again later
   */
  async publish (): Promise<void> {
    clearTimeout(this.#timer)
    await this.#publish()

    if (this.#failure != null) {
      throw this.#failure
    }
  }

  /** Makes no more, and resolves when none is being made. */
  async close (): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#publishing
  }

  #makeAfter (ms: number): void {
    clearTimeout(this.#timer)

    if (!this.#closed) {
      this.#timer = setTimeout(() => { void this.#publish() }, ms)
    }
  }

  /** One after another; whatever asks meanwhile gets one more after that. */
  async #publish (): Promise<void> {
    if (this.#publishing != null) {
      this.#again = true
      await this.#publishing

      return
    }

    this.#publishing = this.#makeAll()
    await this.#publishing
  }

  async #makeAll (): Promise<void> {
    try {
      do {
        this.#again = false
        await this.#make()
      } while (this.#again && !this.#closed)

      this.#failure = undefined
    } catch (err) {
      this.#failure = err as Error
      this.#init.log.error('could not make a snapshot - %e', err)
      this.#makeAfter(MAX_CHANGE_DELAY)
    } finally {
      this.#publishing = undefined
    }
  }

  async #make (): Promise<void> {
    const { items, blocks, write, onSnapshot } = this.#init
    this.#changedAt = undefined
    await write()

    // a node with nothing to keep has nothing to say
    if (items.size === 0 && this.#last == null) {
      return
    }

    const snapshot = buildSnapshot(items, this.#last)
    this.#remember(snapshot)

    await inParallel(snapshot.blocks, CONCURRENCY, async ([cid, bytes]) => {
      if (!this.#closed && !blocks.has(CID.parse(cid))) {
        await blocks.add(bytes)
      }
    })

    // the next start makes it anew
    if (this.#closed) {
      return
    }

    if (snapshot.root.toString() !== this.#last?.root.toString()) {
      this.#blocks.unshift(new Set(snapshot.blocks.keys()))
      const old = this.#blocks.length > 2 ? this.#blocks.pop() : undefined
      await Promise.all([...old ?? []].map(async cid => blocks.release(CID.parse(cid))))
    }

    this.#last = snapshot
    const rootSize = snapshot.blocks.get(snapshot.root.toString())?.byteLength ?? 0
    onSnapshot({ root: snapshot.root.toString(), rootSize, size: items.bytes, items: items.size })
  }

  #remember ({ root, from: { newest } }: Snapshot): void {
    this.#recent.delete(root.toString())
    this.#recent.set(root.toString(), { newest, changed: new Set() })

    if (this.#recent.size > MAX_RECENT) {
      this.#recent.delete(this.#recent.keys().next().value as string)
    }
  }
}
