/**
 * A node of a colony, ready-made: a libp2p node with the services of this
 * library, and the most used of their methods in one place.
 *
 * `createNode()` is a preset over the same factories that anyone can use with
 * a libp2p node of their own, and has no powers of its own.
 *
 * @module
 */

import { checkInit } from './check-init.ts'
import { platformDefaults } from './defaults.ts'
import { loadIdentity } from './identity.ts'
import { FormicaryNode } from './node.ts'
import { libp2pOf, protocolsOf } from './preset.ts'
import type { IceServer, StorageReport } from './platform.ts'
import type { Catalog, CatalogEvents, FileOptions, Shareable, ShareOptions } from '../catalog/index.ts'
import type { Contingency, ContingencyEvents, ContingencyInit, Vault } from '../contingency/index.ts'
import type { Entry } from '../content/index.ts'
import type { Member, Membership, MembershipEvents, MembersOptions } from '../membership/index.ts'
import type { FindOptions, Hit, Search } from '../search/index.ts'
import type { Store } from '../store/index.ts'
import type { DownloadOptions, ReadOptions, Transfer, TransferEvents } from '../transfer/index.ts'
import type { AbortOptions, Libp2p, PeerId, PrivateKey, TypedEventTarget } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pInit, ServiceFactoryMap } from 'libp2p'
import type { CID } from 'multiformats/cid'

/** How a node is made. */
export interface NodeInit {
  /**
   * Name of the colony: nodes with another never meet. 1 to 64 letters,
   * digits, `.`, `_` or `-`.
   *
   * @default 'formicary'
   */
  network?: string

  /**
   * Shown to other members; at most 64 characters.
   *
   * @default ''
   */
  name?: string

  /**
   * Where everything is kept that should outlive the process: a folder, made
   * if need be; in a page, the name of a database. One node at a time may use
   * it. A folder holds `records` (identity, entries, addresses of others),
   * `downloads` (what was fetched) and `parts` (what is being fetched).
   *
   * @default nothing outlives the process, and downloads are kept in memory
   */
  dataDir?: string

  /**
   * Who the node is: a key from {@link importIdentity}, or any other private
   * key of libp2p, to be this node on another device. It is kept in `dataDir`.
   * Two nodes with one identity should not run at the same time.
   *
   * @default the identity in `dataDir`, or a new one
   */
  identity?: PrivateKey

  /**
   * Addresses of nodes that are known to be in the colony. One that answers is
   * enough.
   *
   * @default []
   */
  bootstrap?: Array<string | Multiaddr>

  /**
   * Addresses to listen on; with none of them, nobody can dial this node.
   * `/p2p-circuit` stands for all hubs that it is connected with: they tell it of
   * those who want to reach it, which happens over WebRTC if `/webrtc` is here
   * too.
   *
   * @default Node: `/ip4/0.0.0.0/tcp/0`, `/ip4/0.0.0.0/udp/0/webrtc-direct`, `/p2p-circuit` and `/webrtc`;
   * browsers, which have nothing else: `/p2p-circuit` and `/webrtc`
   */
  listen?: string[]

  /**
   * Servers that tell a node how it is seen from outside its network (STUN), or
   * pass its data on (TURN), for connections over WebRTC between two nodes
   * behind routers. `[]` for none: enough on one network.
   *
   * @default public STUN servers, those of `@libp2p/webrtc`
   */
  iceServers?: IceServer[]

  /**
   * Peers that are served at once.
   *
   * @default 8
   */
  uploadSlots?: number

  /**
   * Most bytes a second that are sent, to all peers together.
   *
   * @default Infinity
   */
  uploadLimit?: number

  /**
   * Where bytes are kept.
   *
   * @default files in `dataDir`, or memory
   */
  store?: Store

  /**
   * How others keep what this node has, and how much it keeps for them; `false`
   * for neither.
   *
   * @default two members keep everything; `room` is 1 GiB on disk, 256 MiB in
   * the private files of a page, 64 MiB in memory, and 32 in that of a page
   */
  contingency?: Omit<ContingencyInit, 'network'> | false

  /**
   * More libp2p services, or others in place of those of the preset.
   *
   * @default {}
   */
  services?: ServiceFactoryMap

  /**
   * Settings of the libp2p node; each replaces that of the preset as a whole.
   *
   * @default {}
   */
  libp2p?: Omit<Libp2pInit, 'services'>

  /**
   * Whether to start the node at once.
   *
   * @default true
   */
  start?: boolean
}

/** The services of the preset, by name. */
export interface NodeServices {
  /** What this node shares. */
  catalog: Catalog

  /** What this node keeps for others; not there if contingency is off. */
  kept?: Catalog

  /** Sees to it that nothing is lost when a member goes; not there if it is off. */
  contingency?: Contingency

  /** Knows who is in the colony. */
  membership: Membership

  /** Finds files in the colony. */
  search: Search

  /** Fetches and serves contents. */
  transfer: Transfer
  [name: string]: unknown
}

/** Everything that happens to the services of a node. */
export interface NodeEvents extends CatalogEvents, MembershipEvents, TransferEvents, Omit<ContingencyEvents, keyof CatalogEvents> {}

/** What can be fetched: a hit, an entry, a CID, or a CID as a string. */
export type Downloadable = Hit | Entry | CID | string

/** A node of a colony. Methods throw a {@link NotStartedError} while it is not running. */
export interface Node extends TypedEventTarget<NodeEvents>, AsyncDisposable {
  /** The libp2p node below, with all its services. */
  readonly libp2p: Libp2p<NodeServices>

  /** The name of this node, which others see. */
  readonly peerId: PeerId

  /** Where this node can be dialled, with its name; any of them can be another node's `bootstrap`. */
  readonly addresses: Multiaddr[]

  /** Who is in the colony, and what this node says of itself. */
  readonly membership: Membership

  /**
   * Sees to it that nothing is lost when a member goes.
   *
   * @throws {InvalidParametersError} it was turned off
   */
  readonly contingency: Contingency

  /**
   * Values that outlive this device, and that nobody else can read; see {@link Contingency.vault}.
   *
   * @throws {InvalidParametersError} contingency was turned off
   * @throws {NotStartedError} the node is stopped
   */
  readonly vault: Vault

  /** Members this node knows of, itself included; see {@link Membership.members}. */
  members (options?: MembersOptions): IterableIterator<Member>

  /**
   * Shares a file, a folder, or bytes under a name: others can find it from
   * the moment its entry is yielded. See {@link Catalog.share}.
   */
  share (what: Shareable, options?: ShareOptions): AsyncGenerator<Entry>

  /** Stops sharing a content or a path; see {@link Catalog.unshare}. */
  unshare (what: CID | string, options?: AbortOptions): Promise<number>

  /** What this node shares, in no order. */
  entries (): IterableIterator<Entry>

  /** Finds files in the colony by name; yields hits as they arrive. See {@link Search.find}. */
  search (query: string, options?: FindOptions): AsyncGenerator<Hit>

  /**
   * Fetches a content, verified, from all who have it; it is shared by this
   * node when this resolves. See {@link Transfer.download}. A hit brings its
   * name, size and holder along; give the other hits with the same CID as
   * `sources` to fetch from all of them at once.
   *
   * @throws {InvalidParametersError} `what` is not something that can be fetched
   */
  download (what: Downloadable, options?: DownloadOptions): Promise<Entry>

  /** Verified bytes in order, while they arrive; see {@link Transfer.read}. */
  read (what: Downloadable, options?: ReadOptions): AsyncGenerator<Uint8Array>

  /**
   * A content that this node has as a `File`, to be shown, saved or played; it
   * is not in memory. See {@link Catalog.file}.
   *
   * @throws {NotFoundError} this node does not have it: download it first
   * @throws {InvalidParametersError} `what` is not something that can be fetched
   */
  file (what: Downloadable, options?: FileOptions): Promise<File>

  /** Where things are kept, how much room there is, and whether they stay. */
  storage (): Promise<StorageReport>

  /**
   * The private key of this node, encrypted with a passphrase of 8 characters
   * or more, as one line of text; see {@link importIdentity}. Works whether the
   * node is running or not.
   *
   * @throws {InvalidParametersError} the passphrase cannot be used
   */
  exportIdentity (passphrase: string): Promise<string>

  /**
   * Enters the colony through one more known node, and resolves when that is
   * connected, has said what it speaks, is known as a member, and both know
   * whom the other knew: from then on it is not needed any more.
   *
   * @throws {InvalidParametersError} this is not a multiaddr
   * @throws {ConnectionClosedError} it was gone before that
   * @throws what dialling says, or the reason of `signal`
   */
  join (address: string | Multiaddr, options?: AbortOptions): Promise<PeerId>

  /**
   * Starts the node; nothing happens if it is running. Resolves when it is in
   * the colony, or has tried every address of `bootstrap` once, which it goes
   * on trying.
   *
   * @throws {DataDirInUseError} another node uses `dataDir`; this one is not running
   */
  start (): Promise<void>

  /**
   * Hands over what it keeps for others, says goodbye to the colony and stops
   * the node; nothing happens if it is not running. Downloads end and can be
   * continued. A stopped node can be started again.
   *
   * The handover waits until others have everything, or `signal` is aborted, or
   * 10 s without one; `contingency:at-risk` names the wards of whom nobody has
   * all that this node had, and none if it is about something of its own. The
   * node stops in any case: with a signal that is aborted already, it does so at
   * once.
   */
  stop (options?: AbortOptions): Promise<void>
}

/**
 * Makes a node and, unless told otherwise, starts it.
 *
 * @example
 *
 * ```ts
 * import { createNode } from 'formicary'
 *
 * const node = await createNode({ dataDir: './ada', bootstrap: ['/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust'] })
 *
 * for await (const hit of node.search('especial')) {
 *   console.log(hit.name, hit.size, String(hit.holder))
 * }
 * ```
 *
 * @throws {InvalidParametersError} an option cannot be used; nothing was done. Or `dataDir` holds another identity than `identity`; nothing changed
 * @throws {DataDirInUseError} another node uses `dataDir`
 * @throws {StoreFullError} there is no room for records in `dataDir`
 * @throws {StoreWriteError} `dataDir` cannot be made or written to
 */
export async function createNode (init: NodeInit = {}): Promise<Node> {
  checkInit(init)
  const network = init.network ?? 'formicary'
  const platform = await platformDefaults({ ...init, network })
  const { open, close, report } = platform.kept
  await open()

  try {
    const identity = init.libp2p?.privateKey ?? await loadIdentity(platform.kept.datastore, init.identity)
    const node = new FormicaryNode({
      libp2p: await libp2pOf({ ...init, network, identity }, platform),
      identity,
      bootstrap: init.bootstrap ?? [],
      protocols: protocolsOf(network),
      open,
      close,
      watch: platform.watch,
      storage: async () => ({ ...await report(), ...(init.store != null && { store: 'custom' as const }) })
    })

    if (init.start !== false) {
      await node.start()
    } else {
      await close()
    }

    return node
  } catch (err) {
    await close()
    throw err
  }
}
