/**
 * Metrics in the format of Prometheus: the parts of
 * `@libp2p/prometheus-metrics` and `prom-client` that we use.
 *
 * @module
 */

import type { ComponentLogger, Metrics } from '@libp2p/interface'

/** A set of metrics. */
export declare class Registry {
  /** The media type of `metrics()`. */
  readonly contentType: string

  /** All as they are now. */
  metrics (): Promise<string>
}

/** What a gauge is made with. */
export interface GaugeInit {
  name: string
  help: string
  labelNames?: string[]
  registers?: Registry[]

  /** Called before the value is read. */
  collect? (this: Gauge): void
}

/** A number that goes up and down. */
export declare class Gauge {
  constructor (init: GaugeInit)
  set (value: number): void
  inc (labels: Record<string, string>): void
  reset (): void
}

/** Collects what libp2p counts, and what Node tells of the process. */
export declare function prometheusMetrics (init?: { registry?: Registry, statfsLocation?: string }): (components: { logger: ComponentLogger }) => Metrics
