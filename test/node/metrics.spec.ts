import { prometheusMetrics, Registry } from '#prometheus'
import { expect } from 'chai'
import { createNode } from '../../src/index.ts'
import { until } from '../fixtures/until.ts'
import type { Node, NodeInit } from '../../src/index.ts'

const NAMES = [
  'contingency_events_total',
  'contingency_kept_bytes',
  'contingency_messages_received_total',
  'contingency_messages_sent_total',
  'contingency_used_bytes',
  'contingency_verified_copies',
  'contingency_wards',
  'membership_events_total',
  'membership_messages_received_total',
  'membership_messages_sent_total',
  'search_inputs_total',
  'transfer_bytes_total'
]

describe('metrics of a node', function () {
  this.timeout(120_000)

  let stack: AsyncDisposableStack
  let registry: Registry

  async function make (name: string, others: Node[] = [], init: NodeInit = {}): Promise<Node> {
    return stack.use(await createNode({ name, listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: others.flatMap(({ addresses }) => addresses), contingency: { copies: 1 }, ...init }))
  }

  /** The node that is measured; a process can measure one with `@libp2p/prometheus-metrics`. */
  async function makeMeasured (others: Node[], init: NodeInit = {}): Promise<Node> {
    return make('ada', others, { libp2p: { metrics: prometheusMetrics({ registry }) }, ...init })
  }

  /** What Prometheus would read now of a metric, with its label if it has one; `undefined` if that is not there. */
  async function valueOf (name: string): Promise<number | undefined> {
    const line = (await registry.metrics()).split('\n').find(line => line.startsWith(`formicary_${name} `))

    return line == null ? undefined : Number(line.split(' ').at(-1))
  }

  beforeEach(() => {
    stack = new AsyncDisposableStack()
    registry = new Registry()
  })

  afterEach(async () => {
    await stack.disposeAsync()
  })

  it('tell what its services do, in the format of Prometheus', async () => {
    const bob = await make('bob')
    const ada = await makeMeasured([bob])
    const [hers] = await Array.fromAsync(ada.share({ name: 'ants.txt', content: new Uint8Array(700) }))
    await ada.contingency.settled()
    const [his] = await Array.fromAsync(bob.share({ name: 'bees.txt', content: new Uint8Array(900).fill(1) }))
    await bob.contingency.settled()
    await until(async () => await valueOf('contingency_kept_bytes') === 900)
    await ada.download(his.cid)
    await Array.fromAsync(ada.search('bees'))

    expect(await valueOf('membership_messages_received_total{type="hello"}')).to.be.at.least(1)
    expect(await valueOf('membership_messages_sent_total{type="hello"}')).to.be.at.least(1)
    expect(await valueOf('membership_events_total{type="joined"}')).to.equal(1)
    expect(await valueOf('contingency_messages_sent_total{type="offer"}')).to.be.at.least(1)
    expect(await valueOf('contingency_messages_received_total{type="receipt"}')).to.be.at.least(1)
    expect(await valueOf('contingency_events_total{type="protected"}')).to.be.at.least(1)
    expect(await valueOf('contingency_verified_copies')).to.equal(1)
    expect(await valueOf('contingency_wards')).to.equal(1)
    expect(await valueOf('contingency_used_bytes')).to.be.at.least(900)
    expect(await valueOf('search_inputs_total{type="query"}')).to.equal(1)
    expect(await valueOf('search_inputs_total{type="answer"}')).to.be.at.least(1)
    expect(await valueOf('transfer_bytes_total{direction="sent"}')).to.equal(ada.libp2p.services.transfer.uploaded).and.to.be.at.least(hers.size)
    expect(await valueOf('transfer_bytes_total{direction="received"}')).to.equal(ada.libp2p.services.transfer.downloaded).and.to.be.at.least(his.size)

    const types = (await registry.metrics()).matchAll(/^# TYPE formicary_(\w+) (\w+)$/gm)
    expect([...types].map(([, name, type]) => [name, type]).sort()).to.deep.equal(NAMES.map(name => [name, name.endsWith('_total') ? 'counter' : 'gauge']))
  })

  it('go on when it is stopped and started again', async () => {
    const bob = await make('bob')
    const ada = await makeMeasured([bob])
    await Array.fromAsync(ada.share({ name: 'ants.txt', content: new Uint8Array(700) }))

    for (const times of [1, 2]) {
      await ada.contingency.settled()
      expect(await valueOf('contingency_verified_copies')).to.equal(1)
      expect(await valueOf('membership_messages_sent_total{type="hello"}')).to.be.at.least(times)
      await ada.stop()
      expect(await valueOf('contingency_verified_copies')).to.equal(0)
      await ada.start()
    }
  })
})
