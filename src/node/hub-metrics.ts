import { Gauge, prometheusMetrics, Registry } from '#prometheus'
import { membersOf, reservationsOf } from './hub-health.ts'
import type { HealthSources } from './hub-health.ts'
import type { Libp2pInit } from 'libp2p'

/** The metrics of libp2p and of a hub, for Prometheus. */
export class HubMetrics {
  /** What libp2p is to be made with. */
  readonly factory: Libp2pInit['metrics']

  readonly #registry = new Registry()

  constructor (dataDir?: string) {
    this.factory = prometheusMetrics({ registry: this.#registry, statfsLocation: dataDir })
  }

  /** The media type of `text()`. */
  get contentType (): string {
    return this.#registry.contentType
  }

  /** All metrics as they are now. */
  async text (): Promise<string> {
    return this.#registry.metrics()
  }

  /** Adds the metrics of a hub; once. */
  observe (sources: HealthSources): void {
    const { libp2p, maxConnections, maxReservations, disk } = sources
    this.#gauge('peers', 'Nodes that are connected', () => libp2p.getPeers().length)
    this.#gauge('connections_max', 'Connections that may be open at once', () => maxConnections)
    this.#gauge('reservations', 'Reservations at the relay', () => reservationsOf(libp2p))
    this.#gauge('reservations_max', 'Reservations that may be held at once', () => maxReservations)

    if (disk != null) {
      this.#gauge('disk_free_bytes', 'Bytes that are free for the data folder', () => disk.free)
      this.#gauge('disk_full', '1 if there is no room left for records', () => Number(disk.full))
    }

    this.#members(sources)
  }

  #gauge (name: string, help: string, read: () => number): void {
    new Gauge({ name: `formicary_hub_${name}`, help, registers: [this.#registry], collect () { this.set(read()) } })
  }

  #members ({ libp2p }: HealthSources): void {
    new Gauge({
      name: 'formicary_hub_members',
      help: 'Members that are known, by state',
      labelNames: ['state'],
      registers: [this.#registry],
      collect () {
        // a state that nobody is in any more has no value at all
        this.reset()
        membersOf(libp2p).forEach(({ state }) => { this.inc({ state }) })
      }
    })
  }
}
