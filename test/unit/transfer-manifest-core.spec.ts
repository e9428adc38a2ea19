import { expect } from 'chai'
import { LATE_FACTOR, NODE_ASKS, NODE_LATENESS, NODE_TIMEOUT, NODE_WINDOW, STALL_TIMEOUT, TICK_INTERVAL } from '../../src/transfer/constants.ts'
import { ManifestCore } from '../../src/transfer/core/manifest.ts'
import type { ManifestOutput, NodeReader } from '../../src/transfer/core/manifest.ts'

const TICK = TICK_INTERVAL

/** A tree of nodes as the core sees it: a root, and so many nodes below it. */
class Tree implements NodeReader {
  readonly leaves: number
  readonly #got = new Set<number>()

  constructor (leaves: number) {
    this.leaves = leaves
  }

  get complete (): boolean {
    return this.#got.size === this.leaves + 1
  }

  wanted (): Array<{ key: string, cid: Uint8Array }> {
    const nodes = this.#got.has(0) ? Array.from({ length: this.leaves }, (_, i) => i + 1) : [0]

    return nodes.filter(node => !this.#got.has(node)).map(node => ({ key: String(node), cid: Uint8Array.of(node) }))
  }

  /** A node is its number; 254 stands for one with the right hash that no content of the profile has. */
  accept (key: string, bytes: Uint8Array): 'ok' | 'wrong' | 'invalid' {
    if (bytes[0] === 254) {
      return 'invalid'
    }

    if (bytes[0] !== Number(key)) {
      return 'wrong'
    }

    this.#got.add(Number(key))

    return 'ok'
  }
}

/** A manifest being fetched, and what was said about it. */
class Subject {
  readonly core: ManifestCore
  readonly tree: Tree
  readonly all: ManifestOutput[] = []

  constructor (leaves = 0) {
    this.tree = new Tree(leaves)
    this.core = new ManifestCore({ reader: this.tree, keyOf: cid => String(cid[0]) })
  }

  join (peer: string, now = 0): number[] {
    return this.#asked(this.core.handle({ type: 'peer', peer }, now), peer)
  }

  gone (peer: string, now = 0): ManifestOutput[] {
    return this.#note(this.core.handle({ type: 'gone', peer }, now))
  }

  tick (now: number): ManifestOutput[] {
    return this.#note(this.core.handle({ type: 'timer', id: 'tick' }, now))
  }

  /** An answer: the node itself, or another in its place, or none. */
  answer (from: string, node: number, now = 0, bytes: number | null = node): ManifestOutput[] {
    return this.#note(this.core.handle({
      type: 'message',
      from,
      message: { type: 'node', cid: Uint8Array.of(node), ...(bytes == null ? {} : { bytes: Uint8Array.of(bytes) }) }
    }, now))
  }

  #note (outputs: ManifestOutput[]): ManifestOutput[] {
    this.all.push(...outputs)

    return outputs
  }

  #asked (outputs: ManifestOutput[], peer: string): number[] {
    return nodesAsked(this.#note(outputs), peer)
  }
}

/** Which nodes are asked of a peer, or of anybody. */
function nodesAsked (outputs: ManifestOutput[], peer?: string): number[] {
  return outputs.flatMap(output => output.type === 'send' && (peer == null || output.to === peer) && output.message.type === 'manifest' ? [output.message.cid[0]] : [])
}

function typesOf (outputs: ManifestOutput[]): string[] {
  return outputs.map(({ type }) => type).filter(type => type !== 'timer' && type !== 'send')
}

describe('transfer: rules of fetching a manifest', () => {
  it('asks for the root, then for what is below it, and is done', () => {
    const subject = new Subject(2)

    expect(subject.join('ada')).to.deep.equal([0])
    expect(nodesAsked(subject.answer('ada', 0))).to.deep.equal([1, 2])
    expect(typesOf(subject.answer('ada', 2))).to.deep.equal([])
    expect(typesOf(subject.answer('ada', 1))).to.deep.equal(['done'])
    expect(subject.tree.complete).to.equal(true)
  })

  it('asks a node of one peer at a time, and gives each peer an equal share', () => {
    const subject = new Subject(6)
    subject.join('ada')
    expect(subject.join('ben')).to.deep.equal([])
    const outputs = subject.answer('ada', 0)

    expect(nodesAsked(outputs).sort()).to.deep.equal([1, 2, 3, 4, 5, 6])
    expect(nodesAsked(outputs, 'ada')).to.have.lengthOf(3)
    expect(nodesAsked(outputs, 'ben')).to.have.lengthOf(3)
  })

  it('asks a peer for no more at once than its window', () => {
    const subject = new Subject(3 * NODE_WINDOW)
    subject.join('ada')
    expect(nodesAsked(subject.answer('ada', 0))).to.have.lengthOf(NODE_WINDOW)
    expect(nodesAsked(subject.answer('ada', 1))).to.have.lengthOf(1)
    expect(subject.join('ben')).to.have.lengthOf(NODE_WINDOW)
  })

  it('asks others for what a peer left unanswered when it went', () => {
    const subject = new Subject()
    subject.join('ada')
    subject.join('ben')

    expect(nodesAsked(subject.gone('ada'), 'ben')).to.deep.equal([0])
  })

  it('asks others for what is late, and takes it from whoever is first', () => {
    const subject = new Subject()
    subject.join('ada')
    subject.join('ben')

    expect(nodesAsked(subject.tick(NODE_LATENESS - 1))).to.deep.equal([])
    expect(nodesAsked(subject.tick(NODE_LATENESS), 'ben')).to.deep.equal([0])
    expect(typesOf(subject.answer('ada', 0, NODE_LATENESS + 1))).to.deep.equal(['done'])
    expect(subject.answer('ben', 0, NODE_LATENESS + 2)).to.deep.equal([])
  })

  it('does not blame who is second', () => {
    const subject = new Subject(1)
    subject.join('ada')
    subject.join('ben')
    subject.tick(NODE_LATENESS)
    subject.answer('ben', 0, NODE_LATENESS + 1)

    expect(typesOf(subject.answer('ada', 0, NODE_LATENESS + 2))).to.deep.equal([])
  })

  it('asks one more each time that all who were asked are late, up to a limit, until they count as lost', () => {
    const subject = new Subject()
    const peers = ['ada', 'ben', 'cleo', 'dan', 'eve']
    peers.forEach(peer => { subject.join(peer) })
    const times: number[] = [0]

    for (let now = TICK; now < 2 * NODE_TIMEOUT; now += TICK) {
      times.push(...nodesAsked(subject.tick(now)).map(() => now))
    }

    expect(times).to.deep.equal([0, NODE_LATENESS, 2 * NODE_LATENESS, NODE_TIMEOUT, NODE_TIMEOUT + NODE_LATENESS])
    expect(times.filter(time => time < NODE_TIMEOUT)).to.have.lengthOf(NODE_ASKS)
  })

  it('asks nobody else for nodes of a peer that goes on sending, however long it takes for all', () => {
    const subject = new Subject(NODE_WINDOW)
    subject.join('ada')
    subject.answer('ada', 0, 100)
    subject.join('ben', 100)
    const asked: number[] = []

    for (let node = 1; node < NODE_WINDOW; node++) {
      asked.push(...nodesAsked(subject.answer('ada', node, 100 + node * (NODE_LATENESS - 1))))
      asked.push(...nodesAsked(subject.tick(100 + (node + 1) * (NODE_LATENESS - 1))))
    }

    expect(asked).to.deep.equal([])
  })

  it('waits longer for who is far away', () => {
    const subject = new Subject(1)
    const trip = NODE_LATENESS - 1
    subject.join('ada')
    expect(nodesAsked(subject.answer('ada', 0, trip))).to.deep.equal([1])
    subject.join('ben', trip)

    expect(nodesAsked(subject.tick(trip + LATE_FACTOR * trip - 1))).to.deep.equal([])
    expect(nodesAsked(subject.tick(trip + LATE_FACTOR * trip), 'ben')).to.deep.equal([1])
  })

  it('asks who answers rather than who is late, and that one too if nobody else has room', () => {
    const subject = new Subject(NODE_WINDOW + 2)
    subject.join('ada')
    subject.join('ben')
    subject.tick(NODE_LATENESS)
    const outputs = subject.answer('ben', 0, NODE_LATENESS + 10)

    expect(nodesAsked(outputs, 'ben')).to.have.lengthOf(NODE_WINDOW)
    expect(nodesAsked(outputs, 'ada')).to.have.lengthOf(2)
  })

  it('asks who does not have a node again after a while, and others at once', () => {
    const subject = new Subject()
    subject.join('ada')
    subject.join('ben')
    expect(nodesAsked(subject.answer('ada', 0, 10, null), 'ben')).to.deep.equal([0])
    expect(nodesAsked(subject.answer('ben', 0, 20, null))).to.deep.equal([])
    expect(subject.core.starving).to.equal(true)

    expect(nodesAsked(subject.tick(10 + NODE_TIMEOUT - 1))).to.deep.equal([])
    expect(nodesAsked(subject.tick(10 + NODE_TIMEOUT), 'ada')).to.deep.equal([0])
    expect(subject.core.starving).to.equal(false)
  })

  it('bans who sends wrong bytes, and asks others', () => {
    const subject = new Subject()
    subject.join('ada')
    subject.join('ben')
    const outputs = subject.answer('ada', 0, 0, 7)

    expect(outputs).to.deep.include({ type: 'ban', peer: 'ada' })
    expect(nodesAsked(outputs)).to.deep.equal([0])
    expect(nodesAsked(outputs, 'ben')).to.deep.equal([0])
  })

  it('drops who sends what it was not asked for, or sends it twice', () => {
    const subject = new Subject(3)
    subject.join('ada')
    subject.join('ben')

    expect(typesOf(subject.answer('ben', 0))).to.deep.equal(['drop'])
    subject.answer('ada', 0)
    subject.answer('ada', 1)
    expect(typesOf(subject.answer('ada', 1))).to.deep.equal(['drop'])
    expect(subject.core.starving).to.equal(true)
  })

  it('ignores who is not there any more, and what is not about nodes', () => {
    const subject = new Subject()
    subject.join('ada')
    subject.gone('ada')

    expect(subject.answer('ada', 0)).to.deep.equal([])
    expect(subject.core.handle({ type: 'message', from: 'ben', message: { type: 'unchoke' } }, 0)).to.deep.equal([])
  })

  it('drops who owes nodes and sends nothing for too long', () => {
    const subject = new Subject()
    subject.join('ada')
    subject.join('ben')
    const dropped: Array<[peer: string, time: number]> = []

    for (let now = TICK; now <= 2 * STALL_TIMEOUT; now += TICK) {
      dropped.push(...subject.tick(now).flatMap<[string, number]>(output => output.type === 'drop' ? [[output.peer, now]] : []))
    }

    // the second was asked when the first was late
    expect(dropped).to.deep.equal([['ada', STALL_TIMEOUT + TICK], ['ben', STALL_TIMEOUT + NODE_LATENESS + TICK]])
  })

  it('drops nobody who has nothing to answer', () => {
    const subject = new Subject()
    subject.join('ada')
    subject.answer('ada', 0, 0, null)
    // it is asked again, and says again that it has nothing
    for (let now = TICK; now < 3 * STALL_TIMEOUT; now += TICK) {
      if (nodesAsked(subject.tick(now)).length > 0) {
        subject.answer('ada', 0, now, null)
      }
    }

    expect(typesOf(subject.all)).to.deep.equal([])
  })

  it('ends when the content is not one of the profile, and says nothing more', () => {
    const subject = new Subject(2)
    subject.join('ada')

    expect(typesOf(subject.answer('ada', 0, 0, 254))).to.deep.equal(['invalid'])
    expect(subject.join('ben')).to.deep.equal([])
    expect(subject.tick(TICK)).to.deep.equal([])
  })

  it('keeps its clock running as long as it is not done', () => {
    const subject = new Subject()
    subject.join('ada')
    expect(subject.all).to.deep.include({ type: 'timer', id: 'tick', after: TICK })
    expect(subject.tick(TICK)).to.deep.include({ type: 'timer', id: 'tick', after: TICK })
    subject.answer('ada', 0, TICK)

    expect(subject.tick(2 * TICK)).to.deep.equal([])
  })
})
