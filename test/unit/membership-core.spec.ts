import { expect } from 'chai'
import { Broadcasts } from '../../src/membership/core/broadcasts.ts'
import { Members } from '../../src/membership/core/members.ts'
import { Suspicion, suspicionTime } from '../../src/membership/core/suspicion.ts'
import { GOODBYE, SwimCore } from '../../src/membership/core/swim.ts'
import { CONFIRMATIONS, DOUBT_INTERVAL, FORGET_AFTER, GUARDS, MAX_MEMBERS, MAX_NEWS_SIZE, STANDSTILL, SUSPICION_MAX_FACTOR, SUSPICION_TIME } from '../../src/membership/constants.ts'
import { seededRandom } from '../../src/random.ts'
import type { Claim, Message, News, SignedRecord } from '../../src/membership/core/messages.ts'
import type { SwimInput, SwimOutput } from '../../src/membership/core/swim.ts'

const ENVELOPE = new Uint8Array(300)

function record (peer: string, counter = 0, epoch = 1, left = false): SignedRecord {
  return { record: { peer, epoch, counter, left }, envelope: ENVELOPE }
}

function recordNews (peer: string, counter = 0, epoch = 1, left = false): News {
  return { type: 'record', signed: record(peer, counter, epoch, left) }
}

function claim (target: string, from: string, counter = 0): Claim {
  return { target, from, epoch: 1, counter, envelope: new Uint8Array(200) }
}

function claimNews (target: string, from: string, counter = 0): News {
  return { type: 'claim', claim: claim(target, from, counter) }
}

/** A core with time and timers of its own, which signs at once. */
class Node {
  readonly core = new SwimCore({ self: 'self', random: seededRandom(1) })
  readonly outputs: SwimOutput[] = []
  now = 0
  readonly #timers = new Map<string, number>()

  constructor (...links: string[]) {
    this.tell({ type: 'self', signed: record('self') })
    links.forEach(peer => {
      this.tell({ type: 'linked', peer, dialled: false })
      this.hear(peer, { type: 'hello', signed: record(peer) })
      this.#answer(peer)
      this.#answer(peer)
    })
    this.outputs.length = 0
  }

  tell (input: SwimInput): void {
    for (const output of this.core.handle(input, this.now)) {
      this.outputs.push(output)

      if (output.type === 'timer') {
        this.#timers.set(output.id, this.now + output.after)
      } else if (output.type === 'sign') {
        this.tell({ type: 'self', signed: record('self', output.counter, output.epoch) })
      } else if (output.type === 'accuse') {
        this.tell({ type: 'claim', claim: claim(output.target, 'self', output.counter) })
      }
    }
  }

  hear (from: string, message: Message): void {
    this.tell({ type: 'message', from, message })
  }

  /** Has a link answer the last ping. */
  #answer (peer: string): void {
    const ping = this.sent(peer, 'ping').at(-1)

    if (ping?.type === 'ping') {
      this.hear(peer, { type: 'ack', seq: ping.seq, news: [] })
    }
  }

  gossip (from: string, ...news: News[]): void {
    this.hear(from, { type: 'gossip', news })
  }

  /** Lets time pass; those named answer pings. */
  run (ms: number, ...alive: string[]): void {
    const end = this.now + ms

    for (;;) {
      for (const output of this.outputs.splice(0)) {
        this.past.push(output)

        if (output.type === 'send' && output.message.type === 'ping' && alive.includes(output.to)) {
          this.hear(output.to, { type: 'ack', seq: output.message.seq, news: [] })
        }
      }

      const next = [...this.#timers].sort((a, b) => a[1] - b[1])[0] as [string, number] | undefined

      if (next == null || next[1] > end) {
        break
      }

      this.#timers.delete(next[0])
      this.now = Math.max(this.now, next[1])
      this.tell({ type: 'timer', id: next[0] })
    }

    this.now = end
  }

  readonly past: SwimOutput[] = []

  /** What became known, in order. */
  get events (): string[] {
    return [...this.past, ...this.outputs].flatMap(output => output.type !== 'event' ? [] : 'member' in output.event ? [`${output.event.type} ${output.event.member.peer}`] : 'peer' in output.event ? [`${output.event.type} ${output.event.peer}`] : [output.event.type])
  }

  sent (to: string, type: string): Message[] {
    return [...this.past, ...this.outputs].flatMap(output => output.type === 'send' && output.to === to && output.message.type === type ? [output.message] : [])
  }

  state (peer: string): string | undefined {
    return this.core.members.get(peer)?.state
  }
}

describe('membership: members', () => {
  it('join with their first record', () => {
    const node = new Node('a')
    node.gossip('a', recordNews('b'))
    expect(node.state('b')).to.equal('alive')
    expect(node.events).to.deep.equal(['joined b'])
  })

  it('keep the newest of their records, whatever comes later', () => {
    const node = new Node('a')
    node.gossip('a', recordNews('b', 3), recordNews('b', 2), recordNews('b', 9, 0))
    expect(node.core.members.get('b')?.signed.record).to.include({ epoch: 1, counter: 3 })
    node.gossip('a', recordNews('b', 0, 2))
    expect(node.core.members.get('b')?.signed.record).to.include({ epoch: 2, counter: 0 })
  })

  it('that left are not suspected, and join with a new epoch', () => {
    const node = new Node('a')
    node.gossip('a', recordNews('b'), recordNews('b', 1, 1, true))
    expect(node.state('b')).to.equal('left')
    node.gossip('a', claimNews('b', 'a', 1))
    expect(node.state('b')).to.equal('left')
    node.gossip('a', recordNews('b', 0, 2))
    expect(node.events).to.deep.equal(['joined b', 'left b', 'joined b'])
  })

  it('of whom only the goodbye is heard never were there', () => {
    const node = new Node('a')
    node.gossip('a', recordNews('b', 1, 1, true))
    expect(node.state('b')).to.equal('left')
    expect(node.events).to.deep.equal([])
  })

  it('are forgotten when they have been gone for three days', () => {
    const members = new Members('self')
    members.add(record('a'), 'down', 0)
    members.add(record('b'), 'alive', 0)
    members.forgetGone(FORGET_AFTER)
    expect(members.size).to.equal(2)
    members.forgetGone(FORGET_AFTER + 1)
    expect([...members.values()].map(({ peer }) => peer)).to.deep.equal(['b'])
  })

  it('are bounded: those that are gone make room, the living do not', () => {
    const members = new Members('self')
    members.add(record('gone'), 'down', 0)

    for (let i = 1; i < MAX_MEMBERS; i++) {
      members.add(record(`m${i}`), 'alive', 1)
    }

    expect(members.add(record('one'), 'alive', 2)).to.not.equal(undefined)
    expect(members.get('gone')).to.equal(undefined)
    expect(members.add(record('more'), 'alive', 2)).to.equal(undefined)
    expect(members.size).to.equal(MAX_MEMBERS)
  })

  it('have the same hashes in any order, and others with any change', () => {
    const peers = Array.from({ length: 50 }, (_, i) => `m${i}`)
    const [a, b] = [new Members('self'), new Members('self')]
    peers.forEach(peer => a.add(record(peer), 'alive', 0))
    peers.toReversed().forEach(peer => b.add(record(peer), 'alive', 5))
    expect(a.digest()).to.deep.equal(b.digest())
    const member = a.get('m7')
    a.set(member as NonNullable<typeof member>, { state: 'down' }, 1)
    expect(a.differing(b.digest())).to.have.length(1)
    a.set(member as NonNullable<typeof member>, { state: 'alive' }, 2)
    expect(a.differing(b.digest())).to.deep.equal([])
  })
})

describe('membership: suspicions', () => {
  const CASES: Array<[number, number, number]> = [
    // confirmations, members, times the least
    [0, 100, SUSPICION_MAX_FACTOR],
    [CONFIRMATIONS, 100, 1],
    [CONFIRMATIONS + 1, 100, 1],
    [0, 2, 1],
    [0, 3, SUSPICION_MAX_FACTOR],
    [1, 3, 1]
  ]

  for (const [confirmations, members, factor] of CASES) {
    it(`last ${factor} times the least with ${confirmations} confirmations among ${members}`, () => {
      expect(suspicionTime(confirmations, members)).to.be.closeTo(factor * SUSPICION_TIME * Math.max(1, Math.log10(members)), 1e-6)
    })
  }

  it('get shorter with each confirmation, and each counts once', () => {
    const suspicion = new Suspicion(0)
    expect(suspicion.add(claim('x', 'a'))).to.equal(true)
    const alone = suspicion.left(0, 100)
    expect(suspicion.add(claim('x', 'a'))).to.equal(false)
    expect(suspicion.left(0, 100)).to.equal(alone)
    expect(suspicion.add(claim('x', 'b'))).to.equal(true)
    expect(suspicion.left(0, 100)).to.be.below(alone)
  })

  it('of a member end with its newer record', () => {
    const node = new Node('a', 'b')
    node.gossip('a', claimNews('b', 'a'))
    expect(node.state('b')).to.equal('suspected')
    node.gossip('a', recordNews('b', 1))
    node.run(60_000, 'a', 'b')
    expect(node.events).to.deep.equal(['suspected b', 'recovered b'])
  })

  it('are for the incarnation they name', () => {
    const node = new Node('a', 'b')
    node.gossip('b', recordNews('b', 2))
    node.gossip('a', claimNews('b', 'a', 1))
    expect(node.state('b')).to.equal('alive')
    // who is behind is told
    expect(node.sent('a', 'gossip').flatMap(message => 'news' in message ? message.news : [])).to.deep.include(recordNews('b', 2))
  })

  it('become a verdict by many claims in a second or two, by one only after long', () => {
    const links = ['a', 'b', 'c', 'd', 'e', 'f']
    const many = new Node(...links)
    many.gossip('a', ...['a', 'b', 'c', 'd'].map(from => claimNews('f', from)))
    many.run(2_000, ...links.slice(0, 5))
    expect(many.state('f')).to.equal('down')

    const one = new Node(...links)
    one.gossip('a', claimNews('f', 'a'))
    one.run(4_000, ...links)
    expect(one.state('f')).to.equal('suspected')
  })

  it('are checked at once by who is linked with the suspect', () => {
    const node = new Node('a', 'b')
    node.gossip('a', claimNews('b', 'a'))
    expect(node.sent('b', 'ping')).to.have.length(1)
    // and it is shown what is said of it
    const [ping] = node.sent('b', 'ping') as Array<Extract<Message, { type: 'ping' }>>
    expect(ping.news).to.deep.include(claimNews('b', 'a'))
  })

  it('are checked by the members before the suspect on the ring, linked or not', () => {
    const peers = Array.from({ length: 60 }, (_, i) => `m${i}`)
    const checking = peers.filter(suspect => {
      const node = new Node('a')
      node.gossip('a', ...peers.map(peer => recordNews(peer)))
      node.outputs.length = 0
      node.gossip('a', claimNews(suspect, 'a'))

      return node.sent(suspect, 'ping').length > 0
    })

    expect(checking).to.have.length(GUARDS)
  })

  it('end with a question to others, whose answer may come just in time', () => {
    const node = new Node('a', 'b', 'c', 'd', 'e', 'f')
    node.gossip('a', ...['a', 'b', 'c', 'd'].map(from => claimNews('f', from)))

    while (node.sent('a', 'versions').length === 0) {
      node.run(10, 'a', 'b', 'c', 'd', 'e')
      expect(node.state('f')).to.equal('suspected')

      if (node.sent('b', 'versions').length + node.sent('c', 'versions').length > 0) {
        break
      }
    }

    node.gossip('b', recordNews('f', 1))
    node.run(30_000, 'a', 'b', 'c', 'd', 'e', 'f')
    expect(node.state('f')).to.equal('alive')
  })

  it('of this member are answered with a newer record', () => {
    const node = new Node('a')
    node.gossip('a', claimNews('self', 'a', 0))
    node.run(10, 'a')
    expect(node.core.members.get('self')?.signed.record.counter).to.equal(1)
    expect(node.core.health).to.equal(1)
  })

  it('of this member at an older incarnation change nothing', () => {
    const node = new Node('a')
    node.gossip('a', claimNews('self', 'a', 5))
    node.run(10, 'a')
    node.gossip('a', claimNews('self', 'b', 5))
    node.run(500, 'a')
    expect(node.core.members.get('self')?.signed.record.counter).to.equal(6)
  })

  it('wait when this process stood still', () => {
    const node = new Node('a', 'b', 'c', 'd', 'e', 'f')
    node.gossip('a', ...['a', 'b', 'c', 'd'].map(from => claimNews('f', from)))
    node.now += STANDSTILL + 30_000
    node.tell({ type: 'timer', id: 'probe' })
    node.tell({ type: 'timer', id: 'suspect f' })
    expect(node.state('f')).to.equal('suspected')
  })
})

describe('membership: links', () => {
  /** Links that a member opens by itself in a colony of so many, and which of them is the next on the ring. */
  function opened (size: number, light: boolean): { peers: string[], successor?: string } {
    const core = new SwimCore({ self: 'self', random: seededRandom(2) })
    Array.from({ length: size - 1 }, (_, i) => core.members.add(record(`m${i}`), 'alive', 0))
    core.handle({ type: 'self', signed: { ...record('self'), record: { ...record('self').record, light } } }, 0)
    const peers: string[] = []

    for (let now = 1_000; now < 10_000; now += 1_000) {
      for (const output of core.handle({ type: 'timer', id: 'probe' }, now)) {
        if (output.type === 'link') {
          peers.push(output.peer)
          core.handle({ type: 'linked', peer: output.peer, dialled: true }, now)
        }
      }
    }

    return { peers, successor: core.members.successor() }
  }

  it('are with everybody in a small colony', () => {
    expect(new Set(opened(20, false).peers)).to.have.property('size', 19)
  })

  it('that could not be made are tried at once when the other says where it is, but only once', () => {
    const node = new Node('a')
    const tries = (): number => node.outputs.filter(output => output.type === 'link' && output.peer === 'b').length
    node.gossip('a', recordNews('b'))
    node.tell({ type: 'located', peer: 'b' })
    const before = tries()
    node.tell({ type: 'unreachable', peer: 'b' })
    node.tell({ type: 'located', peer: 'b' })
    expect(tries() - before).to.equal(1)
    node.tell({ type: 'unreachable', peer: 'b' })
    node.tell({ type: 'located', peer: 'b' })
    expect(tries() - before).to.equal(1)
  })

  it('are a bounded number in a large one, half of the view, the next on the ring among them', () => {
    for (const [light, most] of [[false, 8], [true, 5]] as const) {
      const { peers, successor } = opened(500, light)
      expect(peers.length).to.be.within(most - 3, most)
      expect(peers).to.include(successor)
    }
  })
})

describe('membership: probes', () => {
  it('find who answers neither us nor others, after a second', () => {
    const node = new Node('a', 'b', 'c')
    node.run(30_000, 'a', 'b')
    expect(node.state('c')).to.equal('down')
    expect(node.sent('a', 'probe')[0]).to.include({ target: 'c' })
    expect([node.state('a'), node.state('b')]).to.deep.equal(['alive', 'alive'])
  })

  it('are made for others, who are told what came of it', () => {
    const node = new Node('a', 'b', 'c')
    node.hear('a', { type: 'probe', seq: 7, target: 'b' })
    node.hear('a', { type: 'probe', seq: 8, target: 'c' })
    node.run(450, 'b')
    expect(node.sent('a', 'report')).to.deep.equal([{ type: 'report', seq: 7, reached: true }, { type: 'report', seq: 8, reached: false }])
  })

  it('are made for others of members only, and not of any number at once', () => {
    const node = new Node('a')
    node.hear('a', { type: 'probe', seq: 1, target: 'stranger' })
    expect(node.outputs.filter(({ type }) => type === 'send')).to.deep.equal([])

    for (let seq = 0; seq < 1_000; seq++) {
      node.hear('a', { type: 'probe', seq, target: 'a' })
    }

    expect(node.sent('a', 'ping').length).to.be.below(100)
  })

  it('begin at once with who broke its connection, and take no time where dialling fails', () => {
    const node = new Node('a', 'b', 'c')
    node.tell({ type: 'gone', peer: 'c' })
    expect(node.sent('c', 'ping')).to.have.length(1)
    node.tell({ type: 'unreachable', peer: 'c' })
    expect(node.state('c')).to.equal('suspected')
  })

  it('blame nobody whose link ended in good order', () => {
    const node = new Node('a', 'b', 'c')
    node.tell({ type: 'unlinked', peer: 'c' })
    expect(node.sent('c', 'ping')).to.have.length(0)
    expect(node.state('c')).to.equal('alive')
  })
})

describe('membership: hostile members', () => {
  it('cannot make others disappear alone, however often they say so', () => {
    const node = new Node('a', 'b', 'c', 'd', 'e', 'evil')

    for (let second = 0; second < 60; second++) {
      ['a', 'b', 'c', 'd', 'e'].forEach(peer => { node.gossip('evil', claimNews(peer, 'evil', second), recordNews(peer, second + 1)) })
      node.run(1_000, 'a', 'b', 'c', 'd', 'e', 'evil')
    }

    expect(node.events.filter(event => event.startsWith('down'))).to.deep.equal([])
  })

  it('do not make a member renew itself more often than it must by what nobody signed', () => {
    const node = new Node('a')

    for (let ms = 0; ms < 4 * DOUBT_INTERVAL; ms += 100) {
      const { counter } = node.core.members.get('self')?.signed.record ?? { counter: 0 }
      node.gossip('a', { type: 'doubt', doubt: { peer: 'self', epoch: 1, counter } })
      node.run(100, 'a')
    }

    expect(node.core.members.get('self')?.signed.record.counter).to.be.within(3, 5)
  })

  it('pass for nobody with doubts: each is passed on once', () => {
    const node = new Node('a', 'b')
    const doubt: News = { type: 'doubt', doubt: { peer: 'b', epoch: 1, counter: 0 } }
    node.run(5_000, 'a', 'b')
    expect(node.core.pending).to.equal(0)
    node.gossip('a', doubt)
    expect(node.core.pending).to.equal(1)
    node.run(5_000, 'a', 'b')
    node.gossip('a', doubt)
    expect(node.core.pending).to.equal(0)
  })
})

describe('membership: this member', () => {
  it('goes above a record of its own from an earlier life', () => {
    const node = new Node('a')
    node.gossip('a', recordNews('self', 7, 3))
    node.run(500, 'a')
    expect(node.core.members.get('self')?.signed.record).to.include({ epoch: 3, counter: 8 })
  })

  it('tells all its links when it leaves, and is not brought back by what others say', () => {
    const node = new Node('a', 'b')
    node.tell({ type: 'self', signed: record('self', 1, 1, true) })
    expect(node.sent('a', 'ping')).to.deep.equal([{ type: 'ping', seq: GOODBYE, news: [recordNews('self', 1, 1, true)] }])
    expect(node.sent('b', 'ping')).to.have.length(1)
    node.gossip('a', claimNews('self', 'a', 1))
    node.run(1_000, 'a', 'b')
    expect(node.state('self')).to.equal('left')
  })

  it('knows when it is alone, and when it is not any more', () => {
    const node = new Node('a')
    node.run(30_000)
    expect(node.events).to.deep.equal(['suspected a', 'down a', 'alone'])
    node.hear('a', { type: 'hello', signed: record('a', 0, 2) })
    expect(node.events.slice(3)).to.deep.equal(['joined a', 'together'])
  })

  it('tries those again that are down', () => {
    const node = new Node('a')
    node.run(60_000)
    node.tell({ type: 'unreachable', peer: 'a' })
    node.run(60_000)
    expect(node.past.filter(output => output.type === 'link' && output.peer === 'a').length).to.equal(2)
  })

  it('keeps its news while it has no links, and shows a suspect that comes back what is said of it', () => {
    const node = new Node('a')
    node.run(5_000, 'a')
    node.tell({ type: 'gone', peer: 'a' })
    node.tell({ type: 'unreachable', peer: 'a' })
    node.tell({ type: 'timer', id: 'gossip' })
    expect(node.state('a')).to.equal('suspected')
    expect(node.core.pending).to.equal(1)
    node.tell({ type: 'linked', peer: 'a', dialled: true })
    node.hear('a', { type: 'hello', signed: record('a') })
    expect(node.sent('a', 'gossip').at(-1)).to.deep.equal({ type: 'gossip', news: [claimNews('a', 'self')] })
  })

  it('says to who comes back that it was taken for dead', () => {
    const node = new Node('a')
    node.run(30_000)
    node.hear('a', { type: 'hello', signed: record('a') })
    expect(node.sent('a', 'gossip').at(-1)).to.deep.equal({ type: 'gossip', news: [{ type: 'doubt', doubt: { peer: 'a', epoch: 1, counter: 0 } }] })
  })
})

describe('membership: comparing tables', () => {
  const versions = (count: number): Message => ({ type: 'versions', buckets: [], members: Array.from({ length: count }, (_, i) => ({ peer: `m${i}`, epoch: 1, counter: 0, down: false })) })

  for (const [count, passed] of [[5, 5], [100, 0]]) {
    it(`passes on ${passed} of ${count} records that it asked for`, () => {
      const node = new Node('a', 'b')
      node.run(5_000, 'a', 'b')
      node.hear('a', versions(count))
      expect((node.sent('a', 'want')[0] as Extract<Message, { type: 'want' }>).peers).to.have.length(count)
      node.gossip('a', ...Array.from({ length: count }, (_, i) => recordNews(`m${i}`)))
      expect(node.core.pending).to.equal(passed)
    })
  }

  it('answers nobody without end', () => {
    const node = new Node('a')
    node.gossip('a', ...Array.from({ length: 500 }, (_, i) => recordNews(`m${i}`)))
    const rows = (): number => node.sent('a', 'versions').reduce((sum, message) => sum + (message as Extract<Message, { type: 'versions' }>).members.length, 0)

    for (let i = 0; i < 200; i++) {
      node.hear('a', { type: 'sync', buckets: new Uint8Array(256) })
    }

    expect(rows()).to.be.within(500, 40_000)
  })

  it('takes who is down for others for down, and does not bring the dead back', () => {
    const node = new Node('a')
    node.hear('a', { type: 'versions', buckets: [], members: [{ peer: 'x', epoch: 1, counter: 0, down: true }] })
    node.gossip('a', recordNews('x'))
    expect(node.state('x')).to.equal('down')
    expect(node.events).to.deep.equal([])
  })
})

describe('membership: news', () => {
  it('goes to nobody twice, nor to who told it', () => {
    const broadcasts = new Broadcasts()
    broadcasts.add(recordNews('x'))
    broadcasts.knows('a', recordNews('x'))
    expect(broadcasts.take('a', 100)).to.deep.equal([])
    expect(broadcasts.take('b', 100)).to.have.length(1)
    expect(broadcasts.take('b', 100)).to.deep.equal([])
    expect(broadcasts.untold(['a', 'b', 'c'])).to.deep.equal(['c'])
  })

  it('is passed on a number of times that grows with the digits of the colony', () => {
    for (const [members, times] of [[9, 4], [99, 8], [100, 12], [1_000, 16]]) {
      const broadcasts = new Broadcasts()
      broadcasts.add(recordNews('x'))
      let sent = 0

      for (let i = 0; i < 100; i++) {
        sent += broadcasts.take(`peer-${i}`, members).length
      }

      expect(sent).to.equal(times)
    }
  })

  it('fits its messages, the newest first', () => {
    const broadcasts = new Broadcasts()
    Array.from({ length: 200 }, (_, i) => { broadcasts.add(recordNews(`m${i}`)) })
    const first = broadcasts.take('a', 100)
    expect(first.length).to.equal(Math.floor(MAX_NEWS_SIZE / 312))
    expect(first[0]).to.deep.equal(recordNews('m199'))
  })

  it('of a record takes the place of all that was said before', () => {
    const broadcasts = new Broadcasts()
    broadcasts.add(recordNews('x'))
    broadcasts.add(claimNews('x', 'a'))
    broadcasts.add({ type: 'doubt', doubt: { peer: 'x', epoch: 1, counter: 0 } })
    broadcasts.add(recordNews('x', 1))
    expect(broadcasts.take('b', 10)).to.deep.equal([recordNews('x', 1)])
  })
})
