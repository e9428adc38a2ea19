import { PIECE_SIZE } from '../content/index.ts'
import { waitFor } from '../delay.ts'
import { partKey } from './catalogs.ts'
import { Allowance } from './core/allowance.ts'
import { Fetch } from './fetch.ts'
import { PieceBuffers } from './piece-buffers.ts'
import { rangesOf } from './ranges.ts'
import type { Bans } from './bans.ts'
import type { Contacts } from './contacts.ts'
import type { FetchInit } from './fetch-init.ts'
import type { CatalogName, DownloadOptions, ReadOptions, Source } from './index.ts'
import type { Lines } from './lines.ts'
import type { Swarm } from './swarm.ts'
import type { Swarms } from './swarms.ts'
import type { Entry } from '../content/entry.ts'
import type { PeerKey } from '../core.ts'
import type { Store } from '../store/index.ts'
import type { Count } from '../metrics.ts'
import type { Logger } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** What {@link Downloads} work with. */
export interface DownloadsInit {
  /** This node. */
  self: PeerKey
  swarms: Swarms
  contacts: Contacts
  lines: Lines
  bans: Bans

  /** Bytes of unfinished pieces that may be in memory. */
  memory?: number
  log: Logger

  /** Counts bytes, by direction. */
  count?: Count

  /** Where the bytes of a catalog go. */
  storeOf (into: CatalogName): Store

  /** @throws nothing can be downloaded now, or not with these options */
  check (options: DownloadOptions): void

  /** `true` once the node has stopped: no session is begun any more. */
  isStopped (): boolean

  /** Resolves when a copy of the content within this node has let go of its part. */
  settled (cid: CID, into: CatalogName): Promise<void>

  /** A peer sent wrong bytes of a content. */
  ban (peer: PeerKey, cid: CID): void

  /** Makes an entry of what was fetched. */
  onFinished (into: CatalogName, ...args: Parameters<FetchInit['onFinished']>): Promise<Entry>
}

/** What this node fetches from others: one download for each content, and all who wait for it. */
export class Downloads {
  readonly #init: DownloadsInit
  readonly #buffers: PieceBuffers
  readonly #allowance = new Allowance()
  #bytes = 0

  constructor (init: DownloadsInit) {
    this.#init = init
    this.#buffers = new PieceBuffers(init.memory)
  }

  /** Bytes of pieces that arrived. */
  get bytes (): number {
    return this.#bytes
  }

  /** Waits until a content is fetched; `undefined` if that was for the other catalog. */
  async fetch (cid: CID, into: CatalogName, options: DownloadOptions): Promise<Entry | undefined> {
    const { fetch, leave } = await this.#join(cid, options)

    try {
      const entry = await waitFor(fetch.done, options.signal)

      if (fetch.into === into) {
        return entry
      }
    } catch (err) {
      if (fetch.into === into || !fetch.unwanted) {
        throw err
      }
    } finally {
      leave()
    }

    await this.#init.swarms.get(cid)?.fetchEnded
  }

  /** Yields bytes of a content as they are verified. */
  async * read (cid: CID, offset: number, length: number, options: ReadOptions): AsyncGenerator<Uint8Array> {
    const { fetch, leave } = await this.#join(cid, options, true)

    try {
      const manifest = await waitFor(fetch.manifestKnown(), options.signal)
      const reader = fetch.beginReading()

      try {
        for (const range of rangesOf(manifest, offset, length)) {
          yield await waitFor(reader.read(range.offset, range.length), options.signal)
        }
      } finally {
        reader.end()
      }
    } finally {
      leave()
    }
  }

  /** Waits with others for the download of a content: the one that is under way, or a new one. */
  async #join (cid: CID, options: DownloadOptions, reading = false): Promise<{ fetch: Fetch, leave: () => void }> {
    const { swarms, settled, check } = this.#init
    await settled(cid, options.into ?? 'catalog')

    // one that is being given up has to let go of its part first
    for (let ending = swarms.get(cid); ending?.fetch?.ending === true; ending = swarms.get(cid)) {
      await ending.fetchEnded
    }

    check(options)
    const swarm = swarms.of(cid)
    const fetch = swarm.fetch ?? this.#start(swarm, options)
    options.sources?.forEach(source => { fetch.peers.add(source) })

    // counted at once, or the last of the others could give the download up before
    const leave = fetch.users.add(reading ? { ...options, into: fetch.into } : options)
    fetch.usersChanged()

    return {
      fetch,
      leave: () => {
        leave()
        fetch.usersChanged()
      }
    }
  }

  #start (swarm: Swarm, { name, path, size, background, into = 'catalog' }: DownloadOptions): Fetch {
    const { cid } = swarm
    const { contacts, bans, log, storeOf, ban, onFinished } = this.#init
    const fetch = new Fetch({
      cid,
      into,
      key: partKey(cid, into),
      name,
      path,
      size: Number.isSafeInteger(size) && size! >= 0 && size! <= PIECE_SIZE ? size : undefined,
      store: storeOf(into),
      buffers: this.#buffers,
      allowance: this.#allowance,
      background: background === true,
      log,
      connect: async (source, signal) => { await this.#connect(swarm, source, signal) },
      lookup: signal => contacts.lookup(cid, signal),
      isBanned: peer => bans.has(peer),
      ban: peer => { ban(peer, cid) },
      drop: peer => { swarm.drop(peer) },
      onBytes: (bytes, background) => { this.#count(bytes, background) },
      onFinished: async (...args) => onFinished(into, ...args)
    })
    swarm.start(fetch)

    return fetch
  }

  async #connect (swarm: Swarm, source: Source, signal: AbortSignal): Promise<void> {
    const { self, contacts, lines, isStopped } = this.#init
    const key = String(source.holder)

    if (key === self || swarm.hasSession(key)) {
      return
    }

    const line = await contacts.reach(source, signal)

    // the download may be over, and somebody may have begun a session meanwhile
    if (signal.aborted || swarm.hasSession(key) || isStopped()) {
      lines.idle(line)
    } else {
      swarm.begin(line)
    }
  }

  #count (bytes: number, background: boolean): void {
    this.#bytes += bytes
    this.#init.count?.('received', bytes)

    if (!background) {
      this.#allowance.foreground(bytes, performance.now())
    }
  }
}
