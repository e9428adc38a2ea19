import { streamPair } from '@libp2p/utils'
import { encode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { LocalIndex } from '../../src/search/local-index.ts'
import { Streams } from '../../src/search/streams.ts'
import { encodeFrame } from '../../src/wire/frame.ts'
import { makeEntry, Shelf } from '../fixtures/search-shelf.ts'
import { turn } from '../fixtures/turn.ts'
import type { Query } from '../../src/search/core/messages.ts'
import type { StreamsInit } from '../../src/search/streams.ts'
import type { Match } from '../../src/search/text-index.ts'
import type { Connection, Stream } from '@libp2p/interface'

const query: Query = { type: 'query', id: new Uint8Array(16), text: 'owls', hops: 0, limit: 10, timeout: 1_000, filter: {}, asked: new Uint8Array() }

describe('search: local index', () => {
  const open: LocalIndex[] = []

  function makeIndex (...sources: Shelf[]): LocalIndex {
    const index = new LocalIndex(sources)
    open.push(index)

    return index
  }

  afterEach(() => {
    open.splice(0).forEach(index => { index.close() })
  })

  async function lookUp (index: LocalIndex, text = 'owls'): Promise<Match[]> {
    return await new Promise(resolve => { index.lookUp({ query: { ...query, text, limit: 1_000 }, found: resolve, isOver: () => false }, false) })
  }

  it('gives way to others while it takes what there is', async () => {
    const index = makeIndex(new Shelf(Array.from({ length: 2_000 }, (_, i) => `owls ${i}`)))
    const sizes = [index.size]

    while (sizes.at(-1) !== 2_000) {
      await turn()
      sizes.push(index.size)
    }

    expect(sizes.length).to.be.at.least(10)
  })

  it('follows two sources', async () => {
    const [own, kept] = [new Shelf(['owls 1']), new Shelf(['owls 2'])]
    const index = makeIndex(own, kept)
    expect((await lookUp(index)).map(({ entry }) => entry.name).sort()).to.deep.equal(['owls 1', 'owls 2'])
    const added = kept.put('owls 3')
    own.take([...own.entries()][0])
    expect((await lookUp(index)).map(({ entry }) => entry.name).sort()).to.deep.equal(['owls 2', 'owls 3'])
    kept.take(added)
    index.close()
    kept.put('owls 4')
    expect(index.size).to.equal(1)
  })

  it('looks nothing up before it has everything', async () => {
    const index = makeIndex(new Shelf(Array.from({ length: 1_000 }, (_, i) => `owls ${i}`)))

    expect(await lookUp(index)).to.have.lengthOf(1_000)
  })

  it('misses nothing that is added or removed while it takes what there is', async () => {
    const shelf = new Shelf(Array.from({ length: 1_000 }, (_, i) => `owls ${i}`))
    const [early, , late] = [[...shelf.entries()][0], 0, [...shelf.entries()][999]]
    const index = makeIndex(shelf)
    shelf.take(early)
    shelf.take(late)
    const added = shelf.put('owls, new')
    const entries = (await lookUp(index)).map(({ entry }) => entry)

    expect(entries).to.have.lengthOf(999)
    expect(entries.includes(added)).to.equal(true)
    expect(entries.includes(early) || entries.includes(late)).to.equal(false)
  })

  it('has nothing without a source', async () => {
    expect(await lookUp(makeIndex())).to.deep.equal([])
  })

  it('looks up what is urgent first, and what is over not at all', async () => {
    const index = makeIndex(new Shelf(['owls']))
    const order: string[] = []
    const lookUpAs = (name: string, urgent: boolean, isOver: boolean): void => {
      index.lookUp({ query, found: () => { order.push(name) }, isOver: () => isOver }, urgent)
    }
    lookUpAs('first', false, false)
    lookUpAs('over', false, true)
    lookUpAs('second', false, false)
    lookUpAs('urgent', true, false)
    await lookUp(index)

    expect(order).to.deep.equal(['urgent', 'first', 'second'])
  })

  it('follows its source no more once it is closed', async () => {
    const shelf = new Shelf(Array.from({ length: 1_000 }, (_, i) => `owls ${i}`))
    const index = makeIndex(shelf)
    let found = 0
    index.lookUp({ query, found: () => { found++ }, isOver: () => false }, false)
    index.close()
    const { size } = index
    shelf.put('owls, new')
    await turn()
    await turn()

    expect({ found, size: index.size, listeners: shelf.listenerCount('entry:added') + shelf.listenerCount('entry:removed') }).to.deep.equal({ found: 0, size, listeners: 0 })
  })

  it('keeps entries that look the same apart', async () => {
    const shelf = new Shelf(['owls'])
    const twin = shelf.put('owls')
    const index = makeIndex(shelf)
    shelf.take(twin)

    expect(await lookUp(index)).to.have.lengthOf(1)
    expect((await lookUp(index))[0].entry).to.deep.include({ name: makeEntry('owls').name })
  })
})

describe('search: streams', () => {
  const told: string[] = []
  const made: Streams[] = []

  function makeStreams (patience = 20): Streams {
    let asker = 0
    const init: StreamsInit = {
      protocol: '/search',
      patience,
      newAsker: () => ++asker,
      onQuery: (asker, _, { text }) => { told.push(`query ${asker} ${text}`) },
      onWithdraw: asker => { told.push(`withdraw ${asker}`) },
      onAnswer: (ask, { type }) => { told.push(`${type} ${ask}`) },
      onFailed: ask => { told.push(`failed ${ask}`) }
    }
    const streams = new Streams(init)
    made.push(streams)

    return streams
  }

  afterEach(() => {
    made.splice(0).forEach(streams => { streams.close() })
    told.splice(0)
  })

  /** A connection that gives one stream, and the other end of it. */
  async function connectionPair (): Promise<{ connection: Connection, ours: Stream, theirs: Stream }> {
    const [ours, theirs] = await streamPair()

    return { connection: { newStream: async () => ours } as unknown as Connection, ours, theirs }
  }

  async function closed (stream: Stream): Promise<string> {
    return await new Promise(resolve => { stream.addEventListener('close', ({ error }) => { resolve(error?.name ?? 'closed') }) })
  }

  function send (stream: Stream, message: unknown): void {
    stream.send(encodeFrame(encode(message)))
  }

  const done = { type: 'done', messages: 0, members: 0, hops: 0, unanswered: 0 } as const

  it('breaks off a stream on which no query comes', async () => {
    const { connection, ours, theirs } = await connectionPair()
    makeStreams().accept(ours, connection)

    expect(await closed(theirs)).to.equal('StreamResetError')
    expect(told).to.deep.equal([])
  })

  it('answers a query and closes the stream when the other side does', async () => {
    const { connection, ours, theirs } = await connectionPair()
    const streams = makeStreams(60_000)
    streams.accept(ours, connection)
    theirs.addEventListener('message', () => { void theirs.close() })
    const end = closed(ours)
    send(theirs, query)
    await new Promise(resolve => { ours.addEventListener('message', resolve) })

    expect(streams.isAsking(1)).to.equal(true)
    streams.answer(1, done)
    expect(streams.isAsking(1)).to.equal(false)
    expect(await end).to.equal('closed')
    expect(told).to.deep.equal(['query 1 owls'])
  })

  it('breaks off an answered stream that the other side keeps open', async () => {
    const { connection, ours, theirs } = await connectionPair()
    // the query has to come in that time too
    const streams = makeStreams(500)
    streams.accept(ours, connection)
    send(theirs, query)
    await new Promise(resolve => { ours.addEventListener('message', resolve) })
    streams.answer(1, done)

    expect(await closed(theirs)).to.equal('StreamResetError')
  })

  for (const how of ['closes', 'breaks off'] as const) {
    it(`tells when the asker ${how} its stream`, async () => {
      const { connection, ours, theirs } = await connectionPair()
      makeStreams(60_000).accept(ours, connection)
      send(theirs, query)
      await new Promise(resolve => { ours.addEventListener('message', resolve) })
      const end = closed(ours)

      if (how === 'closes') {
        await theirs.close()
      } else {
        theirs.abort(new Error('enough'))
      }

      await end
      expect(told).to.deep.equal(['query 1 owls', 'withdraw 1'])
    })
  }

  it('fails an ask once where there is no connection, or no stream', async () => {
    const streams = makeStreams()
    streams.ask(1, undefined, query)
    streams.ask(2, { newStream: async () => { throw new Error('no') } } as unknown as Connection, query)
    await turn()

    expect(told).to.deep.equal(['failed 1', 'failed 2'])
  })

  it('breaks off a stream that opens after its ask was dropped', async () => {
    const { ours, theirs } = await connectionPair()
    let open: (stream: Stream) => void = () => {}
    let signal: AbortSignal | undefined
    const newStream = async (_: string, options: { signal: AbortSignal }): Promise<Stream> => {
      signal = options.signal

      return await new Promise(resolve => { open = resolve })
    }
    const streams = makeStreams()
    streams.ask(1, { newStream } as unknown as Connection, query)
    streams.drop(1)
    expect(signal?.aborted).to.equal(true)
    open(ours)

    expect(await closed(theirs)).to.equal('StreamResetError')
    expect(told).to.deep.equal([])
  })

  it('breaks off everything when it is closed', async () => {
    const [asked, asking] = [await connectionPair(), await connectionPair()]
    const streams = makeStreams(60_000)
    streams.ask(1, asking.connection, query)
    streams.accept(asked.ours, asked.connection)
    await new Promise(resolve => { asking.theirs.addEventListener('message', resolve) })
    const ends = Promise.all([closed(asking.theirs), closed(asked.theirs)])
    streams.close()

    expect(await ends).to.deep.equal(['StreamResetError', 'StreamResetError'])
    expect(told).to.deep.equal([])
  })
})
