/**
 * What this node keeps for its wards: fetching it, letting go of it, and
 * answering for wards that are gone.
 *
 * @module
 */

import { CID } from 'multiformats/cid'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Blocks } from './blocks.ts'
import type { Assignment } from './core/messages.ts'
import type { ContingencyOutput, KeptRecord } from './core/outbox.ts'
import type { Contents, Fetching, SnapshotToFetch } from './fetching.ts'
import type { KeptEntry } from './index.ts'
import type { PeerKey } from '../core.ts'
import type { Logger } from '@libp2p/interface'

export interface WardsInit {
  blocks: Blocks
  fetching: Fetching
  log: Logger
  onFetched (ward: PeerKey, root: string, ok: boolean, full: boolean): void

  /** An entry of a ward that is gone can be found here from now on, or cannot any more. */
  onEntry (type: 'entry:added' | 'entry:removed', entry: KeptEntry): void
}

/** What is here of one ward. */
interface Shelf {
  /** What was complete last. */
  contents?: Contents

  /** CIDs of all that is part of something complete and was not let go of yet, and of what was complete when that was done last. */
  kept: Set<string>
  tidied: Set<string>

  /** CIDs of what is being fetched. */
  coming: Set<string>

  /** CIDs of the root and the pages in which it is looked up what is needed. */
  looking: Set<string>
  fetch?: AbortController

  /** Resolves when nothing is being fetched. */
  fetched: Promise<void>

  /** Its entries, while it is gone. */
  served?: KeptEntry[]
}

export class Wards {
  readonly #init: WardsInit
  readonly #shelves = new Map<PeerKey, Shelf>()

  constructor (init: WardsInit) {
    this.#init = init
  }

  /** Reads what is here of what was kept before; returns the records with what is whole. */
  async open (records: KeptRecord[]): Promise<KeptRecord[]> {
    const open: KeptRecord[] = []

    for (const record of records) {
      open.push(await this.#open(record))
    }

    return open
  }

  async #open (record: KeptRecord): Promise<KeptRecord> {
    const quota = record.heldQuota ?? record.quota
    const held = await this.#read(record.held, quota)
    const before = await this.#read(record.before, record.quota)
    const shelf = this.#shelf(record.appointment.assignment.ward)
    shelf.kept = new Set([...held?.cids ?? [], ...before?.cids ?? []])
    shelf.tidied = (before ?? held)?.cids ?? new Set()

    // of what was kept in part only, all of the list counts: the ward is told of it
    if (this.#isWhole(held) || before == null) {
      shelf.contents = held

      return { ...record, held: this.#isWhole(held) ? record.held : undefined, before: before && record.before }
    }

    shelf.contents = before

    return { ...record, held: this.#isWhole(before) ? record.before : undefined, before: undefined }
  }

  #isWhole (contents?: Contents): boolean {
    return contents != null && [...contents.cids].every(cid => this.#init.blocks.has(CID.parse(cid)))
  }

  /** What a snapshot holds, as far as its root and its pages are here. */
  async #read (assignment: Assignment | undefined, quota: number): Promise<Contents | undefined> {
    if (assignment == null) {
      return undefined
    }

    try {
      return await this.#init.fetching.readAll({ root: assignment.root, rootSize: assignment.rootSize, quota })
    } catch (err) {
      this.#init.log.error('what was kept for %s cannot be read - %e', assignment.ward, err)
    }
  }

  /** `true` if a ward needs bytes, or will. */
  needs (cid: CID): boolean {
    const text = String(cid)

    return [...this.#shelves.values()].some(({ kept, coming, looking }) => kept.has(text) || coming.has(text) || looking.has(text))
  }

  /** Bytes of contents that are kept of a ward. */
  bytesOf (ward: PeerKey): number {
    const contents = this.#shelves.get(ward)?.contents
    const sizes = new Map(contents?.selected.map(({ cid, size }) => [String(cid), size]))

    return [...sizes.values()].reduce((sum, size) => sum + size, 0)
  }

  fetch ({ assignment, quota, sources }: Extract<ContingencyOutput, { type: 'fetch' }>): void {
    const { root, ward } = assignment
    const shelf = this.#shelf(ward)
    const fetch = new AbortController()
    shelf.fetch?.abort()
    shelf.fetch = fetch
    const told = (ok: boolean, full = false): void => {
      if (shelf.fetch === fetch) {
        shelf.fetch = undefined
        this.#init.onFetched(ward, root, ok, full)
      }
    }

    shelf.fetched = shelf.fetched.then(async () => this.#fetch(shelf, { ...assignment, quota, sources }, fetch)).then(() => { told(true) }, (err: unknown) => {
      this.#init.log('could not fetch what %s has - %e', ward, err)
      told(false, (err as Error).name === 'StoreFullError')
    })
  }

  /** Fetches a snapshot, and lets go of what came of another that was given up: else a ward that changes all the time fills the disk. */
  async #fetch (shelf: Shelf, snapshot: SnapshotToFetch, { signal }: AbortController): Promise<void> {
    signal.throwIfAborted()

    if (!shelf.looking.has(snapshot.root)) {
      await this.#forgetPages(shelf)
    }

    const contents = await this.#init.fetching.fetch(snapshot, {
      onPages: cids => { shelf.looking = cids },
      onContents: async cids => {
        const old = shelf.coming
        shelf.coming = cids
        await this.#release(without(old, cids))
      }
    }, { signal, previous: shelf.contents })
    signal.throwIfAborted()
    shelf.contents = contents
    contents.cids.forEach(cid => shelf.kept.add(cid))
  }

  async #forgetPages (shelf: Shelf): Promise<void> {
    const old = shelf.looking
    shelf.looking = new Set()
    await this.#release(old)
  }

  /** Lets go of what is not part of the newest snapshot, nor, if that is to stay, of what was there when it let go of anything last. */
  async tidy (ward: PeerKey, isBeforeKept: boolean): Promise<void> {
    const shelf = this.#shelf(ward)
    const newest = shelf.contents?.cids ?? new Set()
    const old = shelf.kept
    shelf.tidied = isBeforeKept ? shelf.tidied : newest
    shelf.kept = new Set([...shelf.tidied, ...newest])
    await this.#release(without(old, shelf.kept))

    if (shelf.served != null) {
      this.#serve(ward, shelf)
    }
  }

  /** Lets go of everything of a ward. */
  async drop (ward: PeerKey): Promise<void> {
    const shelf = this.#shelf(ward)
    shelf.fetch?.abort()
    shelf.fetch = undefined
    await shelf.fetched
    this.serve(ward, false)
    this.#shelves.delete(ward)
    await this.#release(new Set([...shelf.kept, ...shelf.coming, ...shelf.looking]))
  }

  /** Answers for a ward, or stops doing so. */
  serve (ward: PeerKey, on: boolean): void {
    const shelf = this.#shelf(ward)

    if (on) {
      this.#serve(ward, shelf)
    } else {
      const served = shelf.served ?? []
      shelf.served = undefined
      served.forEach(entry => { this.#init.onEntry('entry:removed', entry) })
    }
  }

  isServing (ward: PeerKey): boolean {
    return this.#shelves.get(ward)?.served != null
  }

  /** Entries of all wards that are gone. */
  * entries (): Generator<KeptEntry> {
    for (const { served } of this.#shelves.values()) {
      yield * served ?? []
    }
  }

  /** Ends everything that is under way. */
  async close (): Promise<void> {
    const shelves = [...this.#shelves.values()]
    this.#shelves.clear()
    shelves.forEach(({ fetch }) => { fetch?.abort() })
    await Promise.all(shelves.map(async ({ fetched }) => fetched))
  }

  #serve (ward: PeerKey, shelf: Shelf): void {
    const peerId = peerIdFromString(ward)
    const before = new Map(shelf.served?.map(entry => [keyOf(entry), entry]))
    shelf.served = (shelf.contents?.selected ?? []).flatMap(item => {
      if (item.type !== 'entry') {
        return []
      }

      const { cid, name, path, size, mediaType, modified } = item
      const entry = { cid, name, path, size, ...mediaType != null && { mediaType }, ...modified != null && { modified }, ward: peerId }

      return [before.get(keyOf(entry)) ?? entry]
    })
    const now = new Set(shelf.served)
    const known = new Set(before.values())
    known.forEach(entry => now.has(entry) || this.#init.onEntry('entry:removed', entry))
    now.forEach(entry => known.has(entry) || this.#init.onEntry('entry:added', entry))
  }

  async #release (cids: Iterable<string>): Promise<void> {
    for (const cid of cids) {
      await this.#init.blocks.release(CID.parse(cid)).catch((err: unknown) => { this.#init.log.error('could not delete %s - %e', cid, err) })
    }
  }

  #shelf (ward: PeerKey): Shelf {
    const shelf = this.#shelves.get(ward) ?? { kept: new Set<string>(), tidied: new Set<string>(), coming: new Set<string>(), looking: new Set<string>(), fetched: Promise.resolve() }
    this.#shelves.set(ward, shelf)

    return shelf
  }
}

function without (cids: Set<string>, others: Set<string>): string[] {
  return [...cids].filter(cid => !others.has(cid))
}

function keyOf ({ cid, path, name }: KeptEntry): string {
  return `${cid} ${path}/${name}`
}
