import { streamPair } from '@libp2p/utils'
import { expect } from 'chai'
import { Lines } from '../../src/transfer/lines.ts'
import type { Connection, Stream } from '@libp2p/interface'

/** A connection that opens streams when it is told to. */
class SlowConnection {
  readonly opening: Array<PromiseWithResolvers<Stream>> = []

  async newStream (): Promise<Stream> {
    const opening = Promise.withResolvers<Stream>()
    this.opening.push(opening)

    return opening.promise
  }
}

/** Lets everything happen that waits for nothing. */
async function turn (): Promise<void> {
  await new Promise(resolve => { setTimeout(resolve, 0) })
}

describe('transfer: lines', () => {
  let connection: SlowConnection
  let lines: Lines

  beforeEach(() => {
    connection = new SlowConnection()
    lines = new Lines('/transfer', () => {})
  })

  afterEach(() => {
    lines.abort(new Error('The test is over'))
  })

  function open (count: number, signal?: AbortSignal): Array<Promise<unknown>> {
    return Array.from({ length: count }, async () => lines.open(connection as unknown as Connection, { signal }).catch((err: Error) => err))
  }

  async function take (at: number): Promise<void> {
    connection.opening[at].resolve((await streamPair())[0])
    await turn()
  }

  it('go over a new connection once the other side has taken the first of them', async () => {
    void open(20)
    await turn()
    expect(connection.opening).to.have.lengthOf(1)
    await take(0)
    expect(connection.opening).to.have.lengthOf(20)
    void open(5)
    await turn()
    expect(connection.opening).to.have.lengthOf(25)
  })

  it('are tried one by one over a connection as long as they fail', async () => {
    const [first] = open(20)
    await turn()
    connection.opening[0].reject(new Error('not yet'))
    expect(await first).to.have.property('message', 'not yet')
    await turn()
    expect(connection.opening).to.have.lengthOf(2)
    await take(1)
    expect(connection.opening).to.have.lengthOf(20)
  })

  it('are not waited for by who has given up', async () => {
    const given = new AbortController()
    void open(1)
    const [waiting] = open(1, given.signal)
    await turn()
    given.abort(new Error('enough'))

    expect(await waiting).to.have.property('message', 'enough')
    expect(connection.opening).to.have.lengthOf(1)
  })
})
