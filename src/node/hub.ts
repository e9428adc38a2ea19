/**
 * A hub: the entrance of a colony, ready-made, for Node.
 *
 * A hub is a libp2p node that can be dialled from anywhere, over TCP,
 * WebSockets and WebRTC direct. It is needed to come in and never again: it introduces
 * newcomers, answers in the DHT, passes on what others search, and relays the
 * first handshake of two nodes that cannot dial each other. It is a member like
 * any other, in the roles `hub` and `relay`; it shares nothing and keeps no
 * contents. A colony may have any number of hubs; each is given
 * the addresses of the others as `bootstrap`.
 *
 * - **Limits.** More connections than `maxConnections` are refused. A node that
 *   wants to be reached through the hub holds a *reservation* while it is
 *   connected; when `maxReservations` are held, more are refused. What is
 *   relayed ends after 2 minutes or 128 KiB: enough to open a direct
 *   connection, too little for contents.
 * - **Health.** `GET /health` on an HTTP port of its own answers with
 *   {@link Health} as JSON, `GET /metrics` with the metrics of libp2p, of the
 *   hub and of its services for Prometheus. Whoever reaches that port sees the addresses of
 *   members; by default only the same machine does.
 * - **Full disk.** A hub whose disk is full goes on with what it has in memory,
 *   says so in an event and in its health, and writes again when there is room.
 *   It does not start on a full disk: that is a `StoreFullError`.
 *
 * `npx formicary hub` runs one from the command line.
 *
 * @example
 *
 * ```ts
 * import { createHub } from 'formicary/hub'
 *
 * const hub = await createHub({ network: 'films', dataDir: './hub' })
 *
 * console.log(hub.addresses.map(String))
 * ```
 *
 * @module
 */

import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { createLibp2p } from 'libp2p'
import { membership } from '../membership/index.ts'
import { search } from '../search/index.ts'
import { colonyBasics } from './basics.ts'
import { checkHubInit } from './check-hub-init.ts'
import { platformDefaults } from './defaults.ts'
import { HubMetrics } from './hub-metrics.ts'
import { HubNode } from './hub-node.ts'
import { loadIdentity } from './identity.ts'
import { reachable } from './reach.ts'
import type { Health } from './hub-health.ts'
import type { NodeInit } from './index.ts'
import type { Membership } from '../membership/index.ts'
import type { Search } from '../search/index.ts'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { AbortOptions, Libp2p, PeerId, TypedEventTarget } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ServiceFactoryMap } from 'libp2p'

export type { Health, MemberHealth } from './hub-health.ts'

/**
 * Connections a second that are taken from one IP address: all that a burst of
 * newcomers needs, since behind a reverse proxy everybody has the same one.
 */
const INBOUND_THRESHOLD = 1_000

/** Connections that are being encrypted at once; each takes a few ms of CPU time, and is given up after 10 s. */
const MAX_PENDING = 500

/**
 * A reservation that nobody renews is free after so many ms. It is free at
 * once when its holder disconnects, so this only bounds what is missed then.
 * Clients renew 5 minutes before the end; libp2p's default is 2 hours.
 */
const RESERVATION_TTL = 30 * 60_000

/** How a hub is made. */
export interface HubInit extends Pick<NodeInit, 'network' | 'dataDir' | 'bootstrap' | 'services' | 'libp2p' | 'start'> {
  /**
   * Shown to other members, and in its health; at most 64 characters.
   *
   * @default 'hub'
   */
  name?: string

  /**
   * Addresses to listen on. All of them are needed: if one cannot be had, the
   * hub does not start.
   *
   * @default ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/tcp/4002/ws', '/ip4/0.0.0.0/udp/4001/webrtc-direct']
   */
  listen?: string[]

  /**
   * Addresses that others are told, in place of those that were found; for a
   * hub behind a reverse proxy, or with a name in the DNS.
   *
   * @default those of `listen`, for each address that the machine has
   */
  announce?: string[]

  /**
   * Where health and metrics can be read, as `host:port`; `false` for nowhere,
   * and then no metrics are collected. Collecting clears the default registry
   * of `prom-client` in this process, and a process can do it for one hub only.
   *
   * @default '127.0.0.1:4003'
   */
  http?: string | false

  /**
   * Connections that are held at once; more are refused. Each takes a file
   * descriptor and up to half a MiB of memory.
   *
   * @default 2_000
   */
  maxConnections?: number

  /**
   * Reservations at the relay that are held at once: members that others can
   * reach through this hub only, such as browsers. libp2p's default of 15 is
   * for nodes that relay on the side.
   *
   * @default 1_024
   */
  maxReservations?: number
}

/** The services of the preset, by name. */
export interface HubServices {
  /** Relays first handshakes. */
  relay: CircuitRelayService

  /** Passes on what others search. */
  search: Search

  /** Knows who is in the colony; its table is shown in the health. */
  membership: Membership
  [name: string]: unknown
}

/** How much room a disk has. */
export interface DiskSpace {
  /** The `dataDir` of the hub. */
  folder: string

  /** Bytes. */
  free: number
}

/** Everything that happens to a hub itself; what happens on the network is told by {@link Hub.libp2p}. */
export interface HubEvents {
  /** Nothing more can be written. What is known is kept in memory, and may be gone after a restart. */
  'disk:full': CustomEvent<DiskSpace>

  /** There is room again. */
  'disk:room': CustomEvent<DiskSpace>
}

/** The entrance of a colony. */
export interface Hub extends TypedEventTarget<HubEvents>, AsyncDisposable {
  /** The libp2p node below, with all its services. */
  readonly libp2p: Libp2p<HubServices>

  /** The name of this hub, which others see. */
  readonly peerId: PeerId

  /** Where it can be dialled, with its name; any of them can be another node's `bootstrap`. Empty if it is not running. */
  readonly addresses: Multiaddr[]

  /** URL below which `/health` and `/metrics` are; `undefined` if there is none, or the hub is not running. */
  readonly http: string | undefined

  /** How the hub is; the same that `/health` says. */
  health (): Promise<Health>

  /**
   * Starts the hub; nothing happens if it is running. Resolves when it can be
   * dialled, and goes on to look for other hubs.
   *
   * @throws {ListenError} an address is taken, or not of this machine; nothing is running
   * @throws {DataDirInUseError} another node uses `dataDir`; nothing is running
   * @throws {NotStartedError} it did not stop in time before
   */
  start (): Promise<void>

  /**
   * Stops the hub; nothing happens if it is not running. Takes 4 s at most:
   * what does not answer by then is left to itself, and the hub cannot be
   * started again in this process. Otherwise it can.
   *
   * @throws the reason of `signal`, once it is aborted; the hub goes on stopping
   */
  stop (options?: AbortOptions): Promise<void>
}

/**
 * Makes a hub and, unless told otherwise, starts it.
 *
 * @throws {InvalidParametersError} an option cannot be used; nothing was done
 * @throws {ListenError} an address is taken, or not of this machine
 * @throws {DataDirInUseError} another node uses `dataDir`
 * @throws {StoreFullError} there is no room for records in `dataDir`
 * @throws {StoreWriteError} `dataDir` cannot be made or written to
 */
export async function createHub (init: HubInit = {}): Promise<Hub> {
  const settings = checkHubInit(init)
  const { network, dataDir, maxConnections, maxReservations } = settings
  const { dht, libp2p: platform, kept: { datastore, open, close } } = await platformDefaults({ network, dataDir })
  const metrics = settings.http === false ? undefined : new HubMetrics(dataDir)
  await open()

  try {
    const libp2p = await createLibp2p<HubServices>({
      ...platform,
      datastore,
      privateKey: await loadIdentity(datastore),
      addresses: { listen: settings.listen, announce: settings.announce, announceFilter: reachable },
      connectionManager: { maxConnections, inboundConnectionThreshold: INBOUND_THRESHOLD, maxIncomingPendingConnections: MAX_PENDING },
      metrics: metrics?.factory,
      ...init.libp2p,
      services: {
        ...colonyBasics({ dht }),
        membership: membership({ network, name: settings.name, roles: ['hub', 'relay'] }),
        relay: circuitRelayServer({ reservations: { maxReservations, reservationTtl: RESERVATION_TTL } }),
        search: search({ network }),
        ...init.services
      } as unknown as ServiceFactoryMap<HubServices>,
      start: false
    })
    const hub = new HubNode({ ...settings, libp2p, metrics, open, close })

    if (init.start !== false) {
      await hub.start()
    } else {
      await close()
    }

    return hub
  } catch (err) {
    await close()
    throw err
  }
}
