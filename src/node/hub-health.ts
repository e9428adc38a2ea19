import type { HubSettings } from './check-hub-init.ts'
import type { DiskWatch } from './disk-watch.ts'
import type { HubServices } from './hub.ts'
import type { MemberState } from '../membership/index.ts'
import type { Libp2p } from '@libp2p/interface'

/** A member in {@link Health}. */
export interface MemberHealth {
  peerId: string
  name: string
  state: MemberState

  /** What it is for others, such as `hub`. */
  roles: string[]

  /** Multiaddrs. */
  addresses: string[]
}

/** How a hub is. */
export interface Health {
  /** `disk-full`: it works, but can write nothing down. */
  status: 'ok' | 'disk-full' | 'stopped'

  /** What it was told to be called. */
  name: string

  /** The colony. */
  network: string

  peerId: string

  /** Where it can be dialled. */
  addresses: string[]

  /** Seconds since it was started. */
  uptime: number

  /** Nodes that are connected. */
  peers: number

  /** Connections with them, and how many there may be. */
  connections: { used: number, max: number }

  /** Reservations at the relay, and how many there may be. */
  reservations: { used: number, max: number }

  /** Bytes that are free for `dataDir`; `null` without one. */
  diskFree: number | null

  /** All members that are known, this hub among them, and those who are gone; none while it is not running. */
  members: MemberHealth[]
}

/** What health is read from. */
export interface HealthSources extends Pick<HubSettings, 'name' | 'network' | 'maxConnections' | 'maxReservations'> {
  libp2p: Libp2p<HubServices>

  /** When the hub was started, in ms since 1970; `undefined` if it is not running. */
  startedAt?: number
  disk?: DiskWatch
}

/** Looks at everything now. */
export async function healthOf ({ libp2p, name, network, maxConnections, maxReservations, startedAt, disk }: HealthSources): Promise<Health> {
  await disk?.check()
  const running = startedAt != null

  return {
    status: running ? disk?.full === true ? 'disk-full' : 'ok' : 'stopped',
    name,
    network,
    peerId: String(libp2p.peerId),
    addresses: running ? libp2p.getMultiaddrs().map(String) : [],
    uptime: running ? Math.floor((Date.now() - startedAt) / 1000) : 0,
    peers: libp2p.getPeers().length,
    connections: { used: libp2p.getConnections().length, max: maxConnections },
    reservations: { used: reservationsOf(libp2p), max: maxReservations },
    diskFree: disk?.free ?? null,
    members: membersOf(libp2p)
  }
}

/** Reservations that are held now; somebody may have put another relay in its place. */
export function reservationsOf ({ services }: Libp2p<HubServices>): number {
  return services.relay?.reservations?.size ?? 0
}

/** All members that are known, ready to be printed. */
export function membersOf ({ status, services }: Libp2p<HubServices>): MemberHealth[] {
  return Array.from(status === 'started' ? services.membership?.members() ?? [] : [], ({ peerId, name, state, roles, addresses }) => ({
    peerId: String(peerId),
    name,
    state,
    roles,
    addresses: addresses.map(String)
  }))
}
