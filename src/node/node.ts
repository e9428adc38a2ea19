import { TypedEventEmitter } from 'main-event'
import { CID } from 'multiformats/cid'
import { InvalidParametersError, NotStartedError } from '../errors.ts'
import { Entrance } from './entrance.ts'
import { exportIdentity } from './identity.ts'
import { IdleConnections } from './idle-connections.ts'
import type { StorageReport } from './platform.ts'
import type { Downloadable, Node, NodeEvents, NodeServices } from './index.ts'
import type { FileOptions, Shareable, ShareOptions } from '../catalog/index.ts'
import type { Contingency, Vault } from '../contingency/index.ts'
import type { Entry } from '../content/index.ts'
import type { Member, Membership, MembersOptions } from '../membership/index.ts'
import type { FindOptions, Hit } from '../search/index.ts'
import type { DownloadOptions, ReadOptions, Source } from '../transfer/index.ts'
import type { AbortOptions, Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** What a node is made of. */
export interface FormicaryNodeInit {
  libp2p: Libp2p<NodeServices>

  /** The private key of the node. */
  identity: PrivateKey
  bootstrap: Array<string | Multiaddr>

  /** Protocols of the services that have to notice who comes in. */
  protocols: string[]

  /** Opens what is kept; nothing happens if it is open. */
  open (): Promise<void>
  close (): Promise<void>
  storage (): Promise<StorageReport>

  /** Watches what membership should know of; returns what ends that. */
  watch? (membership: Membership): () => void
}

/** Events of the services that are passed on. */
const EVENTS = {
  catalog: ['entry:added', 'entry:lost', 'entry:removed', 'entry:skipped'],
  membership: [
    'member:joined', 'member:suspected', 'member:recovered', 'member:down', 'member:left', 'member:updated',
    'membership:alone', 'membership:together', 'membership:links', 'membership:introduced', 'membership:unreachable'
  ],
  transfer: ['transfer:done', 'transfer:banned'],
  contingency: ['contingency:protected', 'contingency:at-risk', 'contingency:handed-over', 'contingency:serving', 'contingency:returned']
} as const

/** The services of a libp2p node in one place. */
export class FormicaryNode extends TypedEventEmitter<NodeEvents> implements Node {
  readonly libp2p: Libp2p<NodeServices>
  readonly #init: FormicaryNodeInit
  #entrance: Entrance
  readonly #idle: IdleConnections
  #unwatch?: () => void

  /** What is under way: a start and a stop follow one another, in the order they were asked for. */
  #turn: Promise<void> = Promise.resolve()

  constructor (init: FormicaryNodeInit) {
    super()
    this.libp2p = init.libp2p
    this.#init = init
    this.#entrance = new Entrance(init)
    this.#idle = new IdleConnections(init.libp2p)
    const pass = (event: Event): void => {
      this.dispatchEvent(new CustomEvent(event.type, { detail: (event as CustomEvent<unknown>).detail }))
    }

    EVENTS.catalog.forEach(type => { init.libp2p.services.catalog.addEventListener?.(type, pass) })
    EVENTS.membership.forEach(type => { init.libp2p.services.membership.addEventListener?.(type, pass) })
    EVENTS.contingency.forEach(type => { init.libp2p.services.contingency?.addEventListener?.(type, pass) })
    EVENTS.transfer.forEach(type => { init.libp2p.services.transfer.addEventListener?.(type, pass) })
  }

  get peerId (): PeerId {
    return this.libp2p.peerId
  }

  get addresses (): Multiaddr[] {
    return this.libp2p.getMultiaddrs()
  }

  get membership (): Membership {
    return this.libp2p.services.membership
  }

  get contingency (): Contingency {
    const { contingency } = this.libp2p.services

    if (contingency == null) {
      throw new InvalidParametersError('Contingency is turned off')
    }

    return contingency
  }

  get vault (): Vault {
    return this.contingency.vault
  }

  members (options?: MembersOptions): IterableIterator<Member> {
    return this.membership.members(options)
  }

  share (what: Shareable, options?: ShareOptions): AsyncGenerator<Entry> {
    return this.libp2p.services.catalog.share(what, options)
  }

  async unshare (what: CID | string, options?: AbortOptions): Promise<number> {
    return this.libp2p.services.catalog.unshare(what, options)
  }

  entries (): IterableIterator<Entry> {
    return this.libp2p.services.catalog.entries()
  }

  search (query: string, options?: FindOptions): AsyncGenerator<Hit> {
    return this.libp2p.services.search.find(query, options)
  }

  async download (what: Downloadable, options?: DownloadOptions): Promise<Entry> {
    const { cid, ...known } = describe(what, options)

    return this.libp2p.services.transfer.download(cid, { ...known, ...options, sources: known.sources })
  }

  async * read (what: Downloadable, options?: ReadOptions): AsyncGenerator<Uint8Array> {
    const { cid, ...known } = describe(what, options)
    yield * this.libp2p.services.transfer.read(cid, { ...known, ...options, sources: known.sources })
  }

  async file (what: Downloadable, options?: FileOptions): Promise<File> {
    const { cid, name } = describe(what)

    return this.libp2p.services.catalog.file(cid, { name, ...options })
  }

  async join (address: string | Multiaddr, options?: AbortOptions): Promise<PeerId> {
    if (this.libp2p.status !== 'started') {
      throw new NotStartedError()
    }

    return this.#entrance.join(address, options)
  }

  async storage (): Promise<StorageReport> {
    return this.#init.storage()
  }

  async exportIdentity (passphrase: string): Promise<string> {
    return exportIdentity(this.#init.identity, passphrase)
  }

  async start (): Promise<void> {
    await this.#inTurn(async () => {
      if (this.libp2p.status === 'started') {
        return
      }

      await this.#init.open()
      this.#entrance = new Entrance(this.#init)
      this.#entrance.watch()

      try {
        await this.libp2p.start()
      } catch (err) {
        this.#entrance.stop()
        await this.#init.close()
        throw err
      }

      this.#unwatch = this.#init.watch?.(this.membership)
      this.#idle.start()
      await this.#entrance.start()
    })
  }

  /** A signal that is aborted says that time is up, not that the node is to go on. */
  async stop (options?: AbortOptions): Promise<void> {
    this.#entrance.stop()
    await this.#inTurn(async () => {
      if (this.libp2p.status === 'started') {
        // a signal may leave it more time, or less, than it takes by itself
        await this.libp2p.services.contingency?.leave?.(options)
        this.#unwatch?.()
        this.#idle.stop()

        try {
          await this.libp2p.stop()
        } finally {
          await this.#init.close()
        }
      }
    })
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.stop()
  }

  async #inTurn (work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    await turn
  }
}

interface Described extends Pick<DownloadOptions, 'name' | 'path' | 'size'> {
  cid: CID
  sources: Source[]
}

/** What is known of something that can be fetched. */
function describe (what: Downloadable, options: DownloadOptions = {}): Described {
  const sources = [...options.sources ?? []]

  if (typeof what === 'string') {
    return { cid: parseCid(what), sources }
  }

  const cid = CID.asCID(what)

  if (cid != null) {
    return { cid, sources }
  }

  const { cid: named, name, path, size, holder, addresses, local } = (what ?? {}) as Hit
  const own = CID.asCID(named)

  if (own == null) {
    throw new InvalidParametersError('What to fetch should be a hit, an entry, or a CID')
  }

  return { cid: own, name, path, size, sources: holder == null || local ? sources : [{ holder, addresses }, ...sources] }
}

function parseCid (text: string): CID {
  try {
    return CID.parse(text)
  } catch (err) {
    throw new InvalidParametersError(`${JSON.stringify(text)} is not a CID`, { cause: err })
  }
}
