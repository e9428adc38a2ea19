import { peerIdFromString } from '@libp2p/peer-id'
import { TypedEventEmitter } from 'main-event'
import { InvalidParametersError, NotStartedError, ProtocolError } from '../errors.ts'
import { counter } from '../metrics.ts'
import { Announcer } from './announcer.ts'
import { Bans } from './bans.ts'
import { Catalogs } from './catalogs.ts'
import { MAX_STREAMS, transferProtocol, UPLOAD_SLOTS } from './constants.ts'
import { Contacts } from './contacts.ts'
import { Copies } from './copies.ts'
import { Downloads } from './downloads.ts'
import { Lines } from './lines.ts'
import { checkInit, checkOptions } from './options.ts'
import { rangesOf } from './ranges.ts'
import { Server } from './server.ts'
import { Swarms } from './swarms.ts'
import type {
  BannedPeer, CatalogName, DownloadOptions, ReadOptions, Transfer as TransferInterface, TransferComponents, TransferEvents, TransferInit
} from './index.ts'
import type { Session } from './session.ts'
import type { Entry } from '../content/entry.ts'
import type { Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'
import type { Count } from '../metrics.ts'
import type { Finished, Store } from '../store/index.ts'
import type { Connection, Logger, Startable, Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Fetches and serves contents. */
export class Transfer extends TypedEventEmitter<TransferEvents> implements TransferInterface, Startable {
  readonly [Symbol.toStringTag] = 'formicary/transfer'

  readonly #components: TransferComponents
  readonly #init: TransferInit
  readonly #protocol: string
  readonly #log: Logger
  readonly #server: Server
  readonly #lines: Lines
  readonly #contacts: Contacts
  readonly #bans = new Bans()
  readonly #swarms: Swarms
  readonly #copies: Copies
  readonly #downloads: Downloads
  readonly #announcer: Announcer
  #topology?: string
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
    const count = counter(components.metrics, 'transfer_bytes', 'direction')
    this.#server = new Server({ slots: uploadSlots, limit: uploadLimit, log: this.#log, count })
    this.#lines = new Lines(this.#protocol, session => { this.#accept(session) })
    this.#contacts = new Contacts(components, this.#lines)
    this.#swarms = new Swarms({ self: String(components.peerId), server: this.#server, catalogs: () => this.#catalogs })
    this.#copies = new Copies({
      storeOf: into => this.#storeOf(into),
      log: this.#log,
      isBusy: cid => this.#swarms.get(cid)?.fetch != null || !this.#started,
      onFinished: async (...args) => this.#add(...args)
    })
    this.#downloads = this.#makeDownloads(count)
    this.#announcer = new Announcer({
      announce: async (cid, signal) => { await components.contentRouting.provide(cid, { signal }) },
      withdraw: async cid => { await components.contentRouting.cancelReprovide(cid) },
      isBusy: () => this.#swarms.fetches.length > 0,
      log: this.#log
    })
  }

  get uploaded (): number {
    return this.#server.uploaded
  }

  get downloaded (): number {
    return this.#downloads.bytes
  }

  async start (): Promise<void> {
    this.#started = true
    this.#catalogs = new Catalogs(this.#components)
    this.#unlisten = this.#catalogs.listen({ offered: this.#onOffered, withdrawn: this.#onWithdrawn, removed: this.#onRemoved })
    await this.#components.registrar.handle(this.#protocol, this.#onStream, {
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS
    })
    this.#topology = await this.#components.registrar.register(this.#protocol, {
      onConnect: peer => { this.#contacts.connected(peer) },
      onDisconnect: peer => { this.#contacts.disconnected(peer) }
    })
  }

  /** Once the node is up, it is announced what was shared before. */
  afterStart (): void {
    if (this.#init.announce !== false) {
      this.#announcer.start()

      for (const { cid } of this.#catalogs.offered()) {
        this.#announcer.add(cid)
      }
    }
  }

  /** Downloads end while the catalog and the connections are still there. */
  async beforeStop (): Promise<void> {
    this.#started = false
    this.#announcer.stop()
    const downloads = [...this.#swarms.fetches, ...this.#copies.underway]
    downloads.forEach(download => { download.fail(new NotStartedError('The node was stopped')) })
    await Promise.allSettled(downloads.map(async download => download.done))
  }

  async stop (): Promise<void> {
    this.#started = false
    this.#unlisten()
    await this.#components.registrar.unhandle(this.#protocol)
    this.#components.registrar.unregister(this.#topology ?? '')
    this.#contacts.clear()
    this.#lines.abort(new NotStartedError('The node was stopped'))
    this.#server.stop()
    this.#swarms.close()
  }

  async download (cid: CID, options: DownloadOptions = {}): Promise<Entry> {
    this.#check(options)
    const { into = 'catalog', name } = options

    for (;;) {
      const shared = await this.#catalogs.readable(cid, into, { signal: options.signal ?? undefined })

      if (shared.length > 0) {
        return shared.find(entry => entry.name === name) ?? shared[0]
      }

      const entry = await this.#copies.copy(cid, into, this.#catalogs, options) ?? await this.#downloads.fetch(cid, into, options)

      if (entry != null) {
        return entry
      }

      this.#check(options)
    }
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
      yield * this.#downloads.read(cid, offset, length, options)
    }
  }

  #makeDownloads (count?: Count): Downloads {
    return new Downloads({
      self: String(this.#components.peerId),
      swarms: this.#swarms,
      contacts: this.#contacts,
      lines: this.#lines,
      bans: this.#bans,
      memory: this.#init.memory,
      log: this.#log,
      count,
      storeOf: into => this.#storeOf(into),
      check: options => { this.#check(options) },
      isStopped: () => !this.#started,
      settled: async (cid, into) => this.#copies.settled(cid, into),
      ban: (peer, cid) => { this.#ban(peer, cid) },
      onFinished: async (...args) => this.#add(...args)
    })
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

  #storeOf (into: CatalogName): Store {
    return into === 'kept' ? this.#init.keptStore ?? this.#init.store : this.#init.store
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

  #ban (peer: PeerKey, cid: CID): void {
    if (this.#bans.add(peer)) {
      this.#log('banned %s: it sent wrong bytes of %c', peer, cid)
      this.safeDispatchEvent<BannedPeer>('transfer:banned', { detail: { peer: peerIdFromString(peer), cid } })
      this.#lines.abortPeer(peer, new ProtocolError('The peer sent wrong bytes'))
    }
  }

  #accept (session: Session): void {
    if (this.#bans.has(session.key) || !this.#started) {
      session.line.abort(new ProtocolError('Nothing is served to this peer'))
    } else {
      void this.#swarms.accept(session)
    }
  }

  readonly #onStream = (stream: Stream, connection: Connection): void => {
    if (this.#bans.has(String(connection.remotePeer))) {
      throw new ProtocolError('Nothing is served to this peer')
    }

    this.#lines.accept(stream, connection)
  }

  readonly #onOffered = ({ detail: { cid } }: CustomEvent<Entry>): void => {
    if (this.#init.announce !== false) {
      this.#announcer.add(cid)
    }
  }

  readonly #onWithdrawn = ({ detail: { cid } }: CustomEvent<Entry>): void => { this.#withdraw(cid) }

  #withdraw (cid: CID): void {
    if (this.#init.announce !== false && !this.#catalogs.offers(cid)) {
      this.#announcer.remove(cid)
    }
  }

  readonly #onRemoved = ({ detail: { cid } }: CustomEvent<Entry>): void => {
    const swarm = this.#swarms.get(cid)
    // of what is kept, what was answered for until a crash was not withdrawn then
    this.#withdraw(cid)

    if (this.#catalogs.has(cid)) {
      void swarm?.reopen()
    } else {
      swarm?.close()
    }
  }
}
