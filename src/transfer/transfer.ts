import { peerIdFromString } from '@libp2p/peer-id'
import { TypedEventEmitter } from 'main-event'
import { CID } from 'multiformats/cid'
import { optionalComponent } from '../components.ts'
import { PIECE_SIZE } from '../content/index.ts'
import { waitFor } from '../delay.ts'
import { directConnection, openDirect } from '../direct.ts'
import { InvalidParametersError, NotStartedError, ProtocolError } from '../errors.ts'
import { Announcer } from './announcer.ts'
import { DIAL_TIMEOUT, MAX_STREAMS, transferProtocol, UPLOAD_SLOTS } from './constants.ts'
import { Fetch } from './fetch.ts'
import { Lines } from './lines.ts'
import { otherMembers } from './other-members.ts'
import { checkInit, checkOptions } from './options.ts'
import { PieceBuffers } from './piece-buffers.ts'
import { rangesOf } from './ranges.ts'
import { Server } from './server.ts'
import { Swarm } from './swarm.ts'
import type {
  BannedPeer, DownloadOptions, ReadOptions, Source, Transfer as TransferInterface, TransferCatalog, TransferComponents,
  TransferEvents, TransferInit
} from './index.ts'
import type { Session } from './session.ts'
import type { Entry } from '../content/entry.ts'
import type { Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'
import type { Finished } from '../store/index.ts'
import type { Connection, Logger, PeerId, Startable, Stream } from '@libp2p/interface'

/** Neighbours that are asked for a content when nobody is known to have it. */
const MAX_NEIGHBOURS = 16

/** A lookup in the content routing takes no longer, in ms. */
const LOOKUP_TIMEOUT = 30_000

/** Fetches and serves contents. */
export class Transfer extends TypedEventEmitter<TransferEvents> implements TransferInterface, Startable {
  readonly [Symbol.toStringTag] = 'formicary/transfer'

  readonly #components: TransferComponents
  readonly #init: TransferInit
  readonly #protocol: string
  readonly #log: Logger
  readonly #server: Server
  readonly #buffers: PieceBuffers
  readonly #lines: Lines
  readonly #swarms = new Map<string, Swarm>()
  readonly #banned = new Set<PeerKey>()
  readonly #announcer: Announcer

  /** Connected peers that speak the protocol. */
  readonly #neighbours = new Map<PeerKey, PeerId>()
  #topology?: string
  #downloaded = 0
  #catalog?: TransferCatalog
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
    this.#catalog = optionalComponent(() => this.#components.catalog)
    this.#catalog?.addEventListener('entry:added', this.#onAdded)
    this.#catalog?.addEventListener('entry:removed', this.#onRemoved)
    await this.#components.registrar.handle(this.#protocol, this.#onStream, {
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS
    })
    this.#topology = await this.#components.registrar.register(this.#protocol, {
      onConnect: peer => { this.#neighbours.set(String(peer), peer) },
      onDisconnect: peer => { this.#neighbours.delete(String(peer)) }
    })
  }

  /** Once the node is up, what was shared before is announced. */
  afterStart (): void {
    if (this.#init.announce !== false) {
      this.#announcer.start()

      for (const { cid } of this.#catalog?.entries() ?? []) {
        this.#announcer.add(cid)
      }
    }
  }

  /** Downloads end while the catalog and the connections are still there. */
  async beforeStop (): Promise<void> {
    this.#started = false
    this.#announcer.stop()
    const fetches = Array.from(this.#swarms.values(), swarm => swarm.fetch)
    fetches.forEach(fetch => { fetch?.fail(new NotStartedError('The node was stopped')) })
    await Promise.allSettled(fetches.map(async fetch => fetch?.done))
  }

  async stop (): Promise<void> {
    this.#started = false
    this.#catalog?.removeEventListener('entry:added', this.#onAdded)
    this.#catalog?.removeEventListener('entry:removed', this.#onRemoved)
    await this.#components.registrar.unhandle(this.#protocol)
    this.#components.registrar.unregister(this.#topology ?? '')
    this.#neighbours.clear()
    this.#lines.abort(new NotStartedError('The node was stopped'))
    this.#server.stop()
    this.#swarms.forEach(swarm => { swarm.close() })
    this.#swarms.clear()
  }

  async download (cid: CID, options: DownloadOptions = {}): Promise<Entry> {
    this.#check(options)
    const shared = await this.#shared(cid, options)

    if (shared.length > 0) {
      return shared.find(({ name }) => name === options.name) ?? shared[0]
    }

    const { fetch, leave } = await this.#join(cid, options)

    try {
      return await waitFor(fetch.done, options.signal)
    } finally {
      leave()
    }
  }

  async * read (cid: CID, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    this.#check(options)
    const { offset = 0, length = Infinity } = options

    if (!Number.isSafeInteger(offset) || offset < 0 || !(length >= 0)) {
      throw new InvalidParametersError(`Cannot read ${length} bytes at ${offset}`)
    }

    const content = await this.#catalog?.open(cid)

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
    const { fetch, leave } = await this.#join(cid, options)

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
  }

  /** Entries of a content that can be read, now or when what may have changed is hashed again. */
  async #shared (cid: CID, { signal }: DownloadOptions): Promise<Entry[]> {
    const catalog = this.#catalog

    if (await this.#isReadable(cid)) {
      return catalog?.get(cid) ?? []
    }

    await catalog?.settled?.(cid, { signal: signal ?? undefined })

    return await this.#isReadable(cid) ? catalog?.get(cid) ?? [] : []
  }

  async #isReadable (cid: CID): Promise<boolean> {
    const content = await this.#catalog?.open(cid)
    await content?.close()

    return content != null
  }

  /** Waits with others for the download of a content: the one that is under way, or a new one. */
  async #join (cid: CID, options: DownloadOptions): Promise<{ fetch: Fetch, leave: () => void }> {
    const key = String(cid)

    // one that is being given up has to let go of its part first
    for (let ending = this.#swarms.get(key); ending?.fetch?.ending === true; ending = this.#swarms.get(key)) {
      await ending.fetchEnded
    }

    this.#check(options)
    const swarm = this.#swarm(cid)
    const fetch = swarm.fetch ?? this.#startFetch(swarm, options)
    options.sources?.forEach(source => { fetch.addSource(source) })

    // counted at once, or the last of the others could give the download up before
    const leave = fetch.users.add(options)

    return {
      fetch,
      leave: () => {
        leave()
        fetch.endIfUnwanted()
      }
    }
  }

  #startFetch (swarm: Swarm, { name, path, size }: DownloadOptions): Fetch {
    const { cid } = swarm
    const fetch = new Fetch({
      cid,
      name,
      path,
      size: Number.isSafeInteger(size) && size! >= 0 && size! <= PIECE_SIZE ? size : undefined,
      store: this.#init.store,
      buffers: this.#buffers,
      log: this.#log,
      connect: async (source, signal) => { await this.#connect(swarm, source, signal) },
      lookup: signal => this.#lookup(cid, signal),
      isBanned: peer => this.#banned.has(peer),
      ban: peer => { this.#ban(peer, cid) },
      drop: peer => { swarm.drop(peer) },
      onBytes: bytes => { this.#downloaded += bytes },
      onFinished: async (manifest, finished, path) => this.#add(manifest, finished, path)
    })
    swarm.start(fetch)

    return fetch
  }

  async #add (manifest: Manifest, { name, location, version, synced }: Finished, path = ''): Promise<Entry> {
    const entry = await this.#catalog?.add({ manifest, name, path, location, version, synced }) ??
      { cid: manifest.root, name, path, size: manifest.size }
    this.safeDispatchEvent<Entry>('transfer:done', { detail: entry })

    return entry
  }

  async #connect (swarm: Swarm, { holder, addresses = [] }: Source, signal: AbortSignal): Promise<void> {
    const key = String(holder)

    if (key === String(this.#components.peerId) || swarm.hasSession(key)) {
      return
    }

    const { connectionManager } = this.#components
    const open = directConnection(connectionManager, key)
    const idle = open == null ? undefined : this.#lines.take(open)

    if (idle != null) {
      swarm.begin(idle)
      return
    }

    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT)]) }
    const connection = open ?? await openDirect(connectionManager, key, addresses, options)
    const line = await this.#lines.open(connection, options)

    if (signal.aborted || swarm.hasSession(key) || !this.#started) {
      this.#lines.idle(line)
    } else {
      swarm.begin(line)
    }
  }

  /** Everybody who is connected may have it; so may those whom the content routing knows. */
  async * #lookup (cid: CID, signal: AbortSignal): AsyncGenerator<Source> {
    for (const holder of [...this.#neighbours.values()].slice(0, MAX_NEIGHBOURS)) {
      yield { holder }
    }

    yield * otherMembers(optionalComponent(() => this.#components.membership), this.#neighbours, MAX_NEIGHBOURS)
    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_TIMEOUT)]) }

    for await (const { id, multiaddrs } of this.#components.contentRouting.findProviders(cid, options)) {
      yield { holder: id, addresses: multiaddrs }
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
      } else if (this.#swarms.has(String(cid)) || (this.#catalog?.get(cid).length ?? 0) > 0) {
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
      open: async () => this.#catalog?.open(cid),
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
    if (this.#catalog?.get(cid).length === 0) {
      this.#announcer.remove(cid)
      this.#swarms.get(String(cid))?.close()
    }
  }
}
