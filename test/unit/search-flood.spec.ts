import { expect } from 'chai'
import { MAX_ACTIVE, MAX_ACTIVE_PER_NEIGHBOUR, NEIGHBOUR_BURST, SEEN_COUNT } from '../../src/search/constants.ts'
import { encodeMarks, markOf } from '../../src/search/core/asked.ts'
import { Flood } from '../../src/search/core/flood.ts'
import { makeHit } from '../fixtures/search-shelf.ts'
import type { FloodInput, FloodOutput } from '../../src/search/core/flood.ts'
import type { Query } from '../../src/search/core/messages.ts'

type Of<Type extends FloodOutput['type']> = Extract<FloodOutput, { type: Type }>

/** The holder that this node is. */
const SELF = 99

let ids = 0

function makeQuery (rest: Partial<Query> = {}): Query {
  const id = new Uint8Array(16)
  new DataView(id.buffer).setUint32(0, ++ids)

  return { type: 'query', id, text: 'owls', hops: 2, limit: 10, timeout: 1_000, filter: {}, asked: new Uint8Array(), ...rest }
}

/** A core with neighbours, and what it says, by type. */
class Subject {
  readonly flood = new Flood(makeHit('', SELF).holder)
  now = 0

  constructor (...neighbours: string[]) {
    neighbours.forEach(peer => { this.tell({ type: 'neighbour', peer }) })
  }

  tell (input: FloodInput): FloodOutput[] {
    return this.flood.handle(input, this.now)
  }

  /** A query, and what is asked of whom. */
  query (asker: number, from: string | undefined, query: Query): { outputs: FloodOutput[], asks: Map<string, Of<'ask'>> } {
    const outputs = this.tell({ type: 'query', asker, from, query })

    return { outputs, asks: new Map(only(outputs, 'ask').map(output => [output.to, output])) }
  }
}

function only<Type extends FloodOutput['type']> (outputs: FloodOutput[], type: Type): Array<Of<Type>> {
  return outputs.filter((output): output is Of<Type> => output.type === type)
}

/** Names of hits that were given to an asker. */
function given (outputs: FloodOutput[], asker: number): string[] {
  return only(outputs, 'answer').flatMap(output => output.asker === asker && output.answer.type === 'hits' ? output.answer.hits : []).map(({ name }) => name)
}

/** The cost an asker was told at the end. */
function costOf (outputs: FloodOutput[], asker: number): object | undefined {
  const done = only(outputs, 'answer').find(output => output.asker === asker && output.answer.type === 'done')?.answer

  if (done != null) {
    const { type: _, ...cost } = done

    return cost
  }
}

function marks ({ id }: Query, ...peers: string[]): Uint8Array {
  return encodeMarks(peers.map(peer => markOf(peer, id)))
}

const done = { type: 'done', messages: 0, members: 1, hops: 0, unanswered: 0 } as const

describe('search: flooding', () => {
  it('passes a query on to all but where it came from, with one hop and a tenth of the time less, and then looks it up', () => {
    const subject = new Subject('a', 'b', 'c')
    const query = makeQuery()
    const { outputs } = subject.query(1, 'a', query)

    expect(outputs.map(({ type }) => type)).to.deep.equal(['ask', 'ask', 'lookup', 'timer'])
    expect(only(outputs, 'ask').map(({ to, query }) => ({ to, query }))).to.deep.equal(['b', 'c'].map(to => ({ to, query: { ...query, hops: 1, timeout: 900, asked: marks(query, 'b', 'c', 'a') } })))
    expect(only(outputs, 'timer')).to.deep.equal([{ type: 'timer', id: 'deadline', after: 1_000 }])
  })

  it('passes nothing on when no hops or hardly any time is left', () => {
    const subject = new Subject('a', 'b')

    expect(subject.query(1, 'a', makeQuery({ hops: 0 })).asks).to.have.property('size', 0)
    expect(subject.query(2, 'a', makeQuery({ timeout: 5 })).asks).to.have.property('size', 0)
  })

  it('passes nothing on to those that have it, and tells others so', () => {
    const subject = new Subject('a', 'b', 'c', 'd')
    const query = makeQuery()
    const { asks } = subject.query(1, 'a', { ...query, asked: marks(query, 'b', 'x') })

    expect([...asks.keys()]).to.deep.equal(['c', 'd'])
    expect(asks.get('c')?.query.asked).to.deep.equal(marks(query, 'c', 'd', 'a', 'b', 'x'))
  })

  it('tells of no more than 64 that have it', () => {
    const subject = new Subject(...Array.from({ length: 100 }, (_, i) => `peer ${i}`))
    const { asks } = subject.query(1, undefined, makeQuery())

    expect(asks.size).to.equal(100)
    expect(asks.get('peer 0')?.query.asked).to.have.property('byteLength', 256)
  })

  it('answers a query it has seen with as many hops at once, and looks no further', () => {
    const subject = new Subject('a', 'b')
    const query = makeQuery()
    subject.query(1, 'a', query)

    for (const hops of [2, 1, 0]) {
      const { outputs } = subject.query(2, 'b', { ...query, hops })

      expect(outputs).to.have.lengthOf(1)
      expect(costOf(outputs, 2)).to.deep.equal({ messages: 0, members: 0, hops: 0, unanswered: 0 })
    }
  })

  it('passes a query on again that comes with more hops, and does not look it up again', () => {
    const subject = new Subject('a', 'b')
    const query = makeQuery({ hops: 1 })
    subject.query(1, 'a', query)
    const { outputs, asks } = subject.query(2, 'b', { ...query, hops: 2 })

    expect([...asks.keys()]).to.deep.equal(['a'])
    expect(only(outputs, 'lookup')).to.deep.equal([])
    expect(costOf(subject.tell({ type: 'answer', ask: asks.get('a')?.ask ?? 0, answer: done }), 2)).to.deep.equal({ messages: 1, members: 1, hops: 1, unanswered: 0 })
  })

  it('looks a query up again if the first asker left before it was', () => {
    const subject = new Subject('a', 'b')
    const query = makeQuery({ hops: 1 })
    subject.query(1, 'a', query)
    subject.tell({ type: 'withdraw', asker: 1 })

    expect(only(subject.query(2, 'b', { ...query, hops: 2 }).outputs, 'lookup')).to.have.lengthOf(1)
  })

  it('passes hits on as they come, each once, and ends with what it cost', () => {
    const subject = new Subject('a', 'b', 'c')
    const { asks } = subject.query(1, 'a', makeQuery())
    const [b, c] = ['b', 'c'].map(peer => asks.get(peer)?.ask ?? 0)

    expect(given(subject.tell({ type: 'answer', ask: b, answer: { type: 'hits', hits: [makeHit('x', 1), makeHit('y', 1)] } }), 1)).to.deep.equal(['x', 'y'])
    expect(given(subject.tell({ type: 'found', asker: 1, hits: [makeHit('x', 2)] }), 1)).to.deep.equal(['x'])
    expect(given(subject.tell({ type: 'answer', ask: c, answer: { type: 'hits', hits: [makeHit('x', 1), makeHit('x', 3), makeHit('x', 2)] } }), 1)).to.deep.equal(['x'])
    expect(subject.tell({ type: 'answer', ask: b, answer: { ...done, messages: 5, members: 4, hops: 1, unanswered: 1 } })).to.deep.equal([])
    expect(costOf(subject.tell({ type: 'answer', ask: c, answer: done }), 1)).to.deep.equal({ messages: 7, members: 6, hops: 2, unanswered: 1 })
    expect(subject.flood.sizes).to.deep.equal({ tasks: 0, asks: 0, seen: 1 })
  })

  it('gives a user its own hits first, however early others are', () => {
    const subject = new Subject('a')
    const { asks } = subject.query(1, undefined, makeQuery())
    const ask = asks.get('a')?.ask ?? 0

    expect(subject.tell({ type: 'answer', ask, answer: { type: 'hits', hits: [makeHit('theirs')] } })).to.deep.equal([])
    expect(only(subject.tell({ type: 'answer', ask, answer: done }), 'cost')).to.have.lengthOf(1)
    const outputs = subject.tell({ type: 'found', asker: 1, hits: [makeHit('ours', 2)] })

    expect(given(outputs, 1)).to.deep.equal(['ours', 'theirs'])
    expect(costOf(outputs, 1)).to.deep.equal({ messages: 1, members: 2, hops: 1, unanswered: 0 })
  })

  it('cuts many hits into messages', () => {
    const subject = new Subject()
    subject.query(1, 'a', makeQuery({ limit: 100 }))
    const outputs = subject.tell({ type: 'found', asker: 1, hits: Array.from({ length: 20 }, (_, i) => makeHit(`x${i}`)) })

    expect(only(outputs, 'answer').map(({ answer }) => answer.type === 'hits' ? answer.hits.length : answer.type)).to.deep.equal([8, 8, 4, 'done'])
  })

  it('stops everybody when there are enough hits', () => {
    const subject = new Subject('a', 'b', 'c')
    const { asks } = subject.query(1, 'a', makeQuery({ limit: 2 }))
    const outputs = subject.tell({ type: 'found', asker: 1, hits: [makeHit('x'), makeHit('y'), makeHit('z')] })

    expect(given(outputs, 1)).to.deep.equal(['x', 'y'])
    expect(costOf(outputs, 1)).to.deep.equal({ messages: 2, members: 1, hops: 1, unanswered: 0 })
    expect(only(outputs, 'drop').map(({ ask }) => ask)).to.deep.equal([...asks.values()].map(({ ask }) => ask))
    expect(subject.flood.sizes).to.include({ tasks: 0, asks: 0 })
  })

  it('stops everybody when the asker withdraws', () => {
    const subject = new Subject('a', 'b', 'c')
    subject.query(1, 'a', makeQuery())
    const outputs = subject.tell({ type: 'withdraw', asker: 1 })

    expect(outputs.map(({ type }) => type)).to.deep.equal(['drop', 'drop'])
    expect(subject.tell({ type: 'found', asker: 1, hits: [makeHit('x')] })).to.deep.equal([])
    expect(subject.flood.sizes).to.include({ tasks: 0, asks: 0 })
  })

  it('drops a neighbour that gives more than it was asked for', () => {
    const subject = new Subject('a', 'b')
    const { asks } = subject.query(1, 'a', makeQuery({ limit: 3 }))
    const ask = asks.get('b')?.ask ?? 0
    // the same hits over and over never reach the limit
    const same = { type: 'hits' as const, hits: [makeHit('x'), makeHit('x')] }
    subject.tell({ type: 'answer', ask, answer: same })
    const outputs = subject.tell({ type: 'answer', ask, answer: same })

    expect(only(outputs, 'drop')).to.have.lengthOf(1)
    expect(only(outputs, 'drop')[0].fault).to.be.a('string')
    expect(costOf(subject.tell({ type: 'found', asker: 1, hits: [] }), 1)).to.deep.equal({ messages: 1, members: 1, hops: 1, unanswered: 1 })
  })

  it('drops a neighbour that sends empty messages without end', () => {
    const subject = new Subject('a', 'b')
    const { asks } = subject.query(1, 'a', makeQuery({ limit: 3 }))
    const ask = asks.get('b')?.ask ?? 0
    const drops = Array.from({ length: 5 }, () => only(subject.tell({ type: 'answer', ask, answer: { type: 'hits', hits: [] } }), 'drop').length)

    expect(drops).to.deep.equal([0, 0, 0, 1, 0])
  })

  it('leaves out what others say this node holds, and counts it', () => {
    const subject = new Subject('a', 'b')
    const { asks } = subject.query(1, 'a', makeQuery({ limit: 3 }))
    const ask = asks.get('b')?.ask ?? 0
    const lies = Array.from({ length: 3 }, (_, i) => makeHit(`x${i}`, SELF))

    expect(given(subject.tell({ type: 'answer', ask, answer: { type: 'hits', hits: lies } }), 1)).to.deep.equal([])
    expect(only(subject.tell({ type: 'answer', ask, answer: { type: 'hits', hits: [makeHit('y')] } }), 'drop')).to.have.lengthOf(1)
  })

  it('counts who fails, and goes on without', () => {
    const subject = new Subject('a', 'b', 'c')
    const { asks } = subject.query(1, 'a', makeQuery())
    subject.tell({ type: 'found', asker: 1, hits: [] })
    subject.tell({ type: 'failed', ask: asks.get('b')?.ask ?? 0 })
    const outputs = subject.tell({ type: 'gone', peer: 'c' })

    expect(only(outputs, 'drop').map(({ ask }) => ask)).to.deep.equal([asks.get('c')?.ask])
    expect(costOf(outputs, 1)).to.deep.equal({ messages: 2, members: 1, hops: 1, unanswered: 2 })
  })

  it('forgets what a neighbour asked that is gone', () => {
    const subject = new Subject('a', 'b')
    subject.query(1, 'a', makeQuery())

    expect(subject.tell({ type: 'gone', peer: 'a' }).map(({ type }) => type)).to.deep.equal(['answer', 'drop'])
    expect(subject.flood.sizes).to.include({ tasks: 0, asks: 0 })
    expect(subject.query(2, 'b', makeQuery()).asks.size).to.equal(0)
  })

  it('ends when the time is up, with what it has', () => {
    const subject = new Subject('a', 'b', 'c')
    const { asks } = subject.query(1, 'a', makeQuery({ timeout: 1_000 }))
    subject.now = 400
    expect(only(subject.query(2, 'a', makeQuery({ timeout: 1_000 })).outputs, 'timer')).to.deep.equal([])
    subject.tell({ type: 'answer', ask: asks.get('b')?.ask ?? 0, answer: done })
    subject.now = 1_000
    const outputs = subject.tell({ type: 'timer', id: 'deadline' })

    expect(costOf(outputs, 1)).to.deep.equal({ messages: 2, members: 1, hops: 1, unanswered: 1 })
    expect(costOf(outputs, 2)).to.equal(undefined)
    expect(only(outputs, 'timer')).to.deep.equal([{ type: 'timer', id: 'deadline', after: 400 }])
    subject.now = 1_400
    expect(costOf(subject.tell({ type: 'timer', id: 'deadline' }), 2)).to.include({ unanswered: 2 })
    expect(subject.flood.sizes).to.include({ tasks: 0, asks: 0 })
  })

  it('sets the timer anew for a query that ends sooner', () => {
    const subject = new Subject()
    subject.query(1, 'a', makeQuery({ timeout: 1_000 }))

    expect(only(subject.query(2, 'a', makeQuery({ timeout: 100 })).outputs, 'timer')).to.deep.equal([{ type: 'timer', id: 'deadline', after: 100 }])
  })

  it('ignores answers to what it did not ask', () => {
    const subject = new Subject('a')

    expect(subject.tell({ type: 'answer', ask: 7, answer: done })).to.deep.equal([])
    expect(subject.tell({ type: 'failed', ask: 7 })).to.deep.equal([])
    expect(subject.tell({ type: 'found', asker: 7, hits: [] })).to.deep.equal([])
    expect(subject.tell({ type: 'withdraw', asker: 7 })).to.deep.equal([])
    expect(subject.tell({ type: 'timer', id: 'deadline' })).to.deep.equal([])
  })

  it('believes no neighbour that says more than can be', () => {
    const subject = new Subject('a', 'b', 'c')
    const { asks } = subject.query(1, undefined, makeQuery())
    subject.tell({ type: 'found', asker: 1, hits: [] })
    const lie = { messages: 1_000_000_000, members: 1_000_000_000, hops: 7, unanswered: 1_000_000_000 }
    const outputs = [...asks.values()].flatMap(({ ask }) => subject.tell({ type: 'answer', ask, answer: { type: 'done', ...lie } }))

    expect(costOf(outputs, 1)).to.deep.equal({ ...lie, hops: 2 })
  })

  it('refuses queries of a neighbour that sends too many, and serves the others', () => {
    const subject = new Subject('a', 'b')
    let served = 0

    for (let asker = 1; asker <= 2_000; asker++) {
      const { outputs } = subject.query(asker, 'a', makeQuery())
      served += only(outputs, 'lookup').length
      subject.tell({ type: 'withdraw', asker })
    }

    expect(served).to.equal(NEIGHBOUR_BURST)
    const refused = subject.query(3_000, 'a', makeQuery()).outputs
    expect(costOf(refused, 3_000)).to.deep.equal({ messages: 0, members: 0, hops: 0, unanswered: 1 })
    expect(refused).to.have.lengthOf(1)
    expect(only(subject.query(3_001, 'b', makeQuery()).outputs, 'lookup')).to.have.lengthOf(1)
    expect(only(subject.query(3_002, undefined, makeQuery()).outputs, 'lookup')).to.have.lengthOf(1)
  })

  it('answers no more than so many queries of one neighbour at the same time', () => {
    const subject = new Subject()

    for (let asker = 1; asker <= MAX_ACTIVE_PER_NEIGHBOUR + 50; asker++) {
      subject.query(asker, 'a', makeQuery())
    }

    expect(subject.flood.sizes.tasks).to.equal(MAX_ACTIVE_PER_NEIGHBOUR)
    expect(only(subject.query(1_000, 'b', makeQuery()).outputs, 'lookup')).to.have.lengthOf(1)
    subject.tell({ type: 'withdraw', asker: 1 })
    expect(only(subject.query(1_001, 'a', makeQuery()).outputs, 'lookup')).to.have.lengthOf(1)
  })

  it('stays within its limits whatever many neighbours send', () => {
    const subject = new Subject()

    for (let asker = 1; asker <= 40_000; asker++) {
      subject.now += 5
      subject.query(asker, `peer ${asker % 50}`, makeQuery({ timeout: 60_000 }))
    }

    expect(subject.flood.sizes.tasks).to.equal(MAX_ACTIVE)
    expect(subject.flood.sizes.seen).to.be.at.most(SEEN_COUNT)
  })
})
