import { peerIdFromString } from '@libp2p/peer-id'
import { TypedEventEmitter } from 'main-event'
import { CID } from 'multiformats/cid'
import { PIECE_SIZE } from '../content/index.ts'
import { waitFor } from '../delay.ts'
import { InvalidParametersError, NotStartedError, ProtocolError } from '../errors.ts'
import { Announcer } from './announcer.ts'
import { Catalogs, partKey } from './catalogs.ts'
import { MAX_STREAMS, transferProtocol, UPLOAD_SLOTS } from './constants.ts'
import { Contacts } from './contacts.ts'
import { Allowance } from './core/allowance.ts'
import { Copies } from './copies.ts'
import { Fetch } from './fetch.ts'
import { Lines } from './lines.ts'
import { checkInit, checkOptions } from './options.ts'
import { PieceBuffers } from './piece-buffers.ts'
import { rangesOf } from './ranges.ts'
import { Server } from './server.ts'
import { Swarm } from './swarm.ts'
import type {
  BannedPeer, CatalogName, DownloadOptions, ReadOptions, Source, Transfer as TransferInterface, TransferComponents, TransferEvents,
  TransferInit
} from './index.ts'
import type { Session } from './session.ts'
import type { Entry } from '../content/entry.ts'
import type { Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'
import type { Finished, Store } from '../store/index.ts'
import type { Connection, Logger, Startable, Stream } from '@libp2p/interface'

/** Fetches and serves contents. */
export class Transfer extends TypedEventEmitter<TransferEvents> implements TransferInterface, Startable {
  readonly [Symbol.toStringTag] = 'formicary/transfer'

  readonly #components: TransferComponents
  readonly #init: TransferInit
  readonly #protocol: string
  readonly #log: Logger
  readonly #server: Server
  readonly #buffers: PieceBuffers
  readonly #allowance = new Allowance()
  readonly #lines: Lines
  readonly #swarms = new Map<string, Swarm>()
  readonly #banned = new Set<PeerKey>()
  readonly #announcer: Announcer
  readonly #contacts: Contacts

  readonly #copies: Copies
  #topology?: string
  #downloaded = 0
  #catalogs = new Catalogs({})
  #unlisten = (): void => {}
  #started = false

  constructor (components: TransferComponents, init: TransferInit) {
    super()
    const { network = 'formicary', uploadSlots = UPLOAD_SLOTS, uploadLimit = Infinity } = init
    checkInit(init)
    this.#components = components
    this.#init = init
    this.#protocol = transferProtocol(network)
    this.#log = components.logger.forComponent('formicary:transfer')
    this.#server = new Server({ slots: uploadSlots, limit: uploadLimit, log: this.#log })
    this.#buffers = new PieceBuffers(init.memory)
    this.#lines = new Lines(this.#protocol, session => { void this.#accept(session) })
    this.#copies = new Copies({
      storeOf: into => this.#storeOf(into),
      log: this.#log,
      isBusy: cid => this.#swarms.get(String(cid))?.fetch != null || !this.#started,
      onFinished: async (into, manifest, finished, path) => this.#add(into, manifest, finished, path)
    })
    this.#contacts = new Contacts(components, this.#lines)
    this.#announcer = new Announcer({
      announce: async (cid, signal) => { await components.contentRouting.provide(cid, { signal }) },
      isBusy: () => Array.from(this.#swarms.values()).some(({ fetch }) => fetch != null),
      log: this.#log
    })
  }

  get uploaded (): number {
    return this.#server.uploaded
  }

  get downloaded (): number {
    return this.#downloaded
  }

  async start (): Promise<void> {
    this.#started = true
    this.#catalogs = new Catalogs(this.#components)
    this.#unlisten = this.#catalogs.listen({ added: this.#onAdded, removed: this.#onRemoved })
    await this.#components.registrar.handle(this.#protocol, this.#onStream, {
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS
    })
    this.#topology = await this.#components.registrar.register(this.#protocol, {
      onConnect: peer => { this.#contacts.connected(peer) },
      onDisconnect: peer => { this.#contacts.disconnected(peer) }
    })
  }

  /** Once the node is up, what was shared before is announced. */
  afterStart (): void {
    if (this.#init.announce !== false) {
      this.#announcer.start()

      for (const { cid } of this.#catalogs.entries()) {
        this.#announcer.add(cid)
      }
    }
  }

  /** Downloads end while the catalog and the connections are still there. */
  async beforeStop (): Promise<void> {
    this.#started = false
    this.#announcer.stop()
    const downloads = [...Array.from(this.#swarms.values(), swarm => swarm.fetch), ...this.#copies.underway]
    downloads.forEach(download => { download?.fail(new NotStartedError('The node was stopped')) })
    await Promise.allSettled(downloads.map(async download => download?.done))
  }

  async stop (): Promise<void> {
    this.#started = false
    this.#unlisten()
    await this.#components.registrar.unhandle(this.#protocol)
    this.#components.registrar.unregister(this.#topology ?? '')
    this.#contacts.clear()
    this.#lines.abort(new NotStartedError('The node was stopped'))
    this.#server.stop()
    this.#swarms.forEach(swarm => { swarm.close() })
    this.#swarms.clear()
  }

  async download (cid: CID, options: DownloadOptions = {}): Promise<Entry> {
    this.#check(options)
    const { into = 'catalog', name } = options

    for (;;) {
      const shared = await this.#catalogs.readable(cid, into, { signal: options.signal ?? undefined })

      if (shared.length > 0) {
        return shared.find(entry => entry.name === name) ?? shared[0]
      }

      const entry = await this.#copies.copy(cid, into, this.#catalogs, options) ?? await this.#fetch(cid, into, options)

      if (entry != null) {
        return entry
      }

      this.#check(options)
    }
  }

  /** Waits until a content is fetched; `undefined` if that was for the other catalog. */
  async #fetch (cid: CID, into: CatalogName, options: DownloadOptions): Promise<Entry | undefined> {
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

    await this.#swarms.get(String(cid))?.fetchEnded
  }

  async * read (cid: CID, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    this.#check(options)
    const { offset = 0, length = Infinity } = options

    if (!Number.isSafeInteger(offset) || offset < 0 || !(length >= 0)) {
      throw new InvalidParametersError(`Cannot read ${length} bytes at ${offset}`)
    }

    const content = await this.#catalogs.open(cid)

    if (content != null) {
      try {
        for (const range of rangesOf(content.manifest, offset, length)) {
          options.signal?.throwIfAborted()
          yield await content.read(range.offset, range.length)
        }
      } finally {
        await content.close()
      }
    } else {
      yield * this.#readArriving(cid, offset, length, options)
    }
  }

  /** Yields bytes as they are verified. */
  async * #readArriving (cid: CID, offset: number, length: number, options: ReadOptions): AsyncGenerator<Uint8Array> {
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

  #check (options: DownloadOptions): void {
    if (!this.#started) {
      throw new NotStartedError()
    }

    checkOptions(options)

    if (options.into === 'kept' && this.#catalogs.named('kept') == null) {
      throw new InvalidParametersError('There is no catalog of what is kept')
    }
  }

  /** Waits with others for the download of a content: the one that is under way, or a new one. */
  async #join (cid: CID, options: DownloadOptions, reading = false): Promise<{ fetch: Fetch, leave: () => void }> {
    const key = String(cid)
    await this.#copies.settled(cid, options.into ?? 'catalog')

    // one that is being given up has to let go of its part first
    for (let ending = this.#swarms.get(key); ending?.fetch?.ending === true; ending = this.#swarms.get(key)) {
      await ending.fetchEnded
    }

    this.#check(options)
    const swarm = this.#swarm(cid)
    const fetch = swarm.fetch ?? this.#startFetch(swarm, options)
    options.sources?.forEach(source => { fetch.addSource(source) })

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

  #storeOf (into: CatalogName): Store {
    return into === 'kept' ? this.#init.keptStore ?? this.#init.store : this.#init.store
  }

  #startFetch (swarm: Swarm, { name, path, size, background, into = 'catalog' }: DownloadOptions): Fetch {
    const { cid } = swarm
    const fetch = new Fetch({
      cid,
      into,
      key: partKey(cid, into),
      name,
      path,
      size: Number.isSafeInteger(size) && size! >= 0 && size! <= PIECE_SIZE ? size : undefined,
      store: this.#storeOf(into),
      buffers: this.#buffers,
      allowance: this.#allowance,
      background: background === true,
      log: this.#log,
      connect: async (source, signal) => { await this.#connect(swarm, source, signal) },
      lookup: signal => this.#contacts.lookup(cid, signal),
      isBanned: peer => this.#banned.has(peer),
      ban: peer => { this.#ban(peer, cid) },
      drop: peer => { swarm.drop(peer) },
      onBytes: (bytes, background) => { this.#count(bytes, background) },
      onFinished: async (manifest, finished, path) => this.#add(into, manifest, finished, path)
    })
    swarm.start(fetch)

    return fetch
  }

  async #add (into: CatalogName, manifest: Manifest, { name, location, version, synced }: Finished, path = ''): Promise<Entry> {
    const entry = await this.#catalogs.named(into)?.add({ manifest, name, path, location, version, synced }) ??
      { cid: manifest.root, name, path, size: manifest.size }

    // what is kept for others is nothing that the user asked for
    if (into === 'catalog') {
      this.safeDispatchEvent<Entry>('transfer:done', { detail: entry })
    }

    return entry
  }

  #count (bytes: number, background: boolean): void {
    this.#downloaded += bytes

    if (!background) {
      this.#allowance.foreground(bytes, performance.now())
    }
  }

  async #connect (swarm: Swarm, source: Source, signal: AbortSignal): Promise<void> {
    const key = String(source.holder)

    if (key === String(this.#components.peerId) || swarm.hasSession(key)) {
      return
    }

    const line = await this.#contacts.reach(source, signal)

    if (signal.aborted || swarm.hasSession(key) || !this.#started) {
      this.#lines.idle(line)
    } else {
      swarm.begin(line)
    }
  }

  #ban (peer: PeerKey, cid: CID): void {
    if (!this.#banned.has(peer)) {
      this.#banned.add(peer)
      this.#log('banned %s: it sent wrong bytes of %c', peer, cid)
      this.safeDispatchEvent<BannedPeer>('transfer:banned', { detail: { peer: peerIdFromString(peer), cid } })
      this.#lines.abortPeer(peer, new ProtocolError('The peer sent wrong bytes'))
    }
  }

  async #accept (session: Session): Promise<void> {
    try {
      const cid = CID.decode(session.remote?.root ?? new Uint8Array())

      if (this.#banned.has(session.key) || !this.#started) {
        session.line.abort(new ProtocolError('Nothing is served to this peer'))
      } else if (this.#swarms.has(String(cid)) || this.#catalogs.has(cid)) {
        await this.#swarm(cid).accept(session)
      } else {
        session.end()
      }
    } catch (err) {
      session.line.abort(err as Error)
    }
  }

  #swarm (cid: CID): Swarm {
    const key = String(cid)
    const known = this.#swarms.get(key)

    if (known != null) {
      return known
    }

    const swarm: Swarm = new Swarm({
      cid,
      self: String(this.#components.peerId),
      server: this.#server,
      open: async () => this.#catalogs.open(cid),
      onEmpty: () => {
        if (this.#swarms.get(key) === swarm) {
          this.#swarms.delete(key)
        }
      }
    })
    this.#swarms.set(key, swarm)

    return swarm
  }

  readonly #onStream = (stream: Stream, connection: Connection): void => {
    if (this.#banned.has(String(connection.remotePeer))) {
      throw new ProtocolError('Nothing is served to this peer')
    }

    this.#lines.accept(stream, connection)
  }

  readonly #onAdded = ({ detail: { cid } }: CustomEvent<Entry>): void => {
    if (this.#init.announce !== false) {
      this.#announcer.add(cid)
    }
  }

  readonly #onRemoved = ({ detail: { cid } }: CustomEvent<Entry>): void => {
    const swarm = this.#swarms.get(String(cid))

    if (this.#catalogs.has(cid)) {
      void swarm?.reopen()
    } else {
      this.#announcer.remove(cid)
      swarm?.close()
    }
  }
}
