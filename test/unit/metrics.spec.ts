import { expect } from 'chai'
import { counter, inputMetrics, messageMetrics } from '../../src/metrics.ts'
import type { Metrics } from '@libp2p/interface'

/** Counters by `name{label="kind"}`, as Prometheus writes them. */
class Counters {
  readonly values: Record<string, number> = {}

  /** What a service is given. */
  get component (): Metrics {
    return { registerCounterGroup: (name: string, { label }: { label: string }) => ({ increment: this.#increment(name, label) }) } as unknown as Metrics
  }

  #increment (name: string, label: string) {
    return (added: Record<string, number>): void => {
      for (const [kind, by] of Object.entries(added)) {
        const key = `${name}{${label}="${kind}"}`
        this.values[key] = (this.values[key] ?? 0) + by
      }
    }
  }
}

describe('metrics', () => {
  let metrics: Counters

  beforeEach(() => {
    metrics = new Counters()
  })

  it('are undefined on a node that has none', () => {
    expect([counter(undefined, 'ants'), messageMetrics(undefined, 'ants'), inputMetrics(undefined, 'ants')]).to.deep.equal([undefined, undefined, undefined])
  })

  it('count each kind by itself, one at a time or many', () => {
    const count = counter(metrics.component, 'ants', 'colour')
    count?.('red')
    count?.('black', 5)
    count?.('red', 2)
    count?.('black', 0)

    expect(metrics.values).to.deep.equal({ 'formicary_ants_total{colour="red"}': 3, 'formicary_ants_total{colour="black"}': 5 })
  })

  it('count messages and events by their type, and nothing else', () => {
    const count = messageMetrics(metrics.component, 'nest')
    count?.input({ type: 'message', message: { type: 'ping' } })
    count?.input({ type: 'message', message: { type: 'ping' } })
    count?.input({ type: 'gone' })
    count?.output?.({ type: 'send', message: { type: 'ack' } })
    count?.output?.({ type: 'event', event: { type: 'joined' } })
    count?.output?.({ type: 'link' })

    expect(metrics.values).to.deep.equal({
      'formicary_nest_messages_received_total{type="ping"}': 2,
      'formicary_nest_messages_sent_total{type="ack"}': 1,
      'formicary_nest_events_total{type="joined"}': 1
    })
  })

  it('count the inputs of a core that has no messages as such', () => {
    const count = inputMetrics(metrics.component, 'nest')
    count?.input({ type: 'query' })
    count?.input({ type: 'failed' })
    count?.input({ type: 'query' })

    expect(count?.output).to.equal(undefined)
    expect(metrics.values).to.deep.equal({ 'formicary_nest_inputs_total{type="query"}': 2, 'formicary_nest_inputs_total{type="failed"}': 1 })
  })
})
