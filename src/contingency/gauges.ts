import { receiptsOf } from './describe.ts'
import type { Running } from './running.ts'
import type { Metrics } from '@libp2p/interface'

/**
 * How things are, for metrics: the copies that others have of everything here,
 * and the bytes that are here for others, or promised to them. All are 0 while
 * contingency does not run.
 *
 * @param running - what runs now: gauges outlive a restart
 */
export function registerGauges (metrics: Metrics, running: () => Running | undefined): void {
  const gauge = (name: string, read: (running: Running) => number): void => {
    metrics.registerMetric(`formicary_contingency_${name}`, {
      calculate: () => {
        const now = running()

        return now == null ? 0 : read(now)
      }
    })
  }

  gauge('verified_copies', ({ core }) => receiptsOf(core).length)
  gauge('wards', ({ core }) => core.keeper.kept.size)
  gauge('kept_bytes', ({ core, wards }) => [...core.keeper.kept.keys()].reduce((sum, ward) => sum + wards.bytesOf(ward), 0))
  gauge('used_bytes', ({ core }) => core.keeper.used)
}
