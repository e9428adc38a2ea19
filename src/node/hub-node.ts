import { TypedEventEmitter } from 'main-event'
import { waitFor } from '../delay.ts'
import { NotStartedError } from '../errors.ts'
import { membershipProtocol } from '../membership/constants.ts'
import { searchProtocol } from '../search/constants.ts'
import { DiskWatch } from './disk-watch.ts'
import { Entrance } from './entrance.ts'
import { healthOf } from './hub-health.ts'
import { HubHttp } from './hub-http.ts'
import { startError } from './listen-error.ts'
import { freeOnDisconnect } from './reservations.ts'
import type { HubSettings } from './check-hub-init.ts'
import type { Health, HealthSources } from './hub-health.ts'
import type { HubMetrics } from './hub-metrics.ts'
import type { Hub, HubEvents, HubServices } from './hub.ts'
import type { AbortOptions, Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long libp2p may take to stop, in ms. Supervisors kill after 5 to 10 s. */
const STOP_TIMEOUT = 4_000

/** What a hub is made of. */
export interface HubNodeInit extends HubSettings {
  libp2p: Libp2p<HubServices>
  metrics?: HubMetrics

  /** Opens what is kept; nothing happens if it is open. */
  open (): Promise<void>
  close (): Promise<void>
}

/** Starts and stops the parts of a hub together. */
export class HubNode extends TypedEventEmitter<HubEvents> implements Hub {
  readonly libp2p: Libp2p<HubServices>
  readonly #init: HubNodeInit
  readonly #disk?: DiskWatch
  readonly #sources: HealthSources
  #http?: HubHttp
  #entrance?: Entrance

  /** What is under way: a start and a stop follow one another, in the order they were asked for. */
  #turn: Promise<void> = Promise.resolve()

  constructor (init: HubNodeInit) {
    super()
    this.libp2p = init.libp2p
    this.#init = init
    this.#disk = init.dataDir == null ? undefined : new DiskWatch(init.dataDir, this.#onDisk)
    this.#sources = { ...init, disk: this.#disk }
    init.metrics?.observe(this.#sources)
    freeOnDisconnect(init.libp2p)
  }

  get peerId (): PeerId {
    return this.libp2p.peerId
  }

  get addresses (): Multiaddr[] {
    return this.#sources.startedAt == null ? [] : this.libp2p.getMultiaddrs()
  }

  get http (): string | undefined {
    return this.#http?.url
  }

  async health (): Promise<Health> {
    return healthOf(this.#sources)
  }

  async start (): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#sources.startedAt != null) {
        return
      }

      if (this.libp2p.status !== 'stopped') {
        throw new NotStartedError('The hub did not stop in time, and cannot be started again')
      }

      await this.#init.open()

      try {
        await this.#startAll()
      } catch (err) {
        await this.#stopAll()
        throw startError(err)
      }
    })
  }

  async stop (options?: AbortOptions): Promise<void> {
    const stopped = this.#inTurn(async () => {
      if (this.#sources.startedAt != null) {
        await this.#stopAll()
      }
    })

    try {
      await waitFor(stopped, options?.signal)
    } catch (err) {
      // nobody waits any more for how that ends
      stopped.catch(() => {})
      throw err
    }
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.stop()
  }

  async #startAll (): Promise<void> {
    const { http, network, metrics, bootstrap } = this.#init
    this.#disk?.start()

    if (http !== false) {
      this.#http = new HubHttp({ ...http, metrics, health: async () => this.health() })
      await this.#http.listen()
    }

    this.#entrance = new Entrance({ libp2p: this.libp2p, bootstrap, protocols: [membershipProtocol(network), searchProtocol(network)] })
    this.#entrance.watch()
    await this.libp2p.start()
    this.#sources.startedAt = Date.now()
    // a hub is an entrance itself: others need not wait until it has found more of them
    void this.#entrance.start().catch(() => {})
  }

  async #stopAll (): Promise<void> {
    this.#sources.startedAt = undefined
    this.#entrance?.stop()
    this.#disk?.stop()

    try {
      await Promise.all([this.#stopLibp2p(), this.#http?.close()])
    } finally {
      await this.#init.close()
    }
  }

  async #stopLibp2p (): Promise<void> {
    const timeout = AbortSignal.timeout(STOP_TIMEOUT)
    await waitFor(Promise.resolve(this.libp2p.stop()), timeout).catch((err: unknown) => {
      if (!timeout.aborted) {
        throw err
      }
    })
  }

  readonly #onDisk = (full: boolean): void => {
    const { folder, free } = this.#disk as DiskWatch
    this.safeDispatchEvent(full ? 'disk:full' : 'disk:room', { detail: { folder, free } })
  }

  async #inTurn (work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    await turn
  }
}
