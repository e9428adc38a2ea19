import { expect } from 'chai'
import { Acquaintances } from '../../src/membership/acquaintances.ts'
import { Attempts } from '../../src/membership/core/attempts.ts'
import { Members } from '../../src/membership/core/members.ts'
import { Suspicion } from '../../src/membership/core/suspicion.ts'
import { SwimCore } from '../../src/membership/core/swim.ts'
import { BROKEN_LINKS, ENDED_RETRY, GUARDS, HIDDEN_STANDSTILL, HIDDEN_SUSPICION, LIGHT_DIALS, LIGHT_MAX_LINKS, LIGHT_VIEW_SIZE, MAX_ENDED_RETRY, OVERDUE, PROBE_INTERVAL, STANDSTILL } from '../../src/membership/constants.ts'
import { seededRandom } from '../../src/random.ts'
import type { Claim, Message, SignedRecord } from '../../src/membership/core/messages.ts'
import type { SwimInput, SwimOutput } from '../../src/membership/core/swim.ts'

interface Traits { light?: boolean, hidden?: boolean, counter?: number }

function record (peer: string, { counter = 0, ...traits }: Traits = {}): SignedRecord {
  return { record: { peer, epoch: 1, counter, ...traits }, envelope: new Uint8Array(300) }
}

function claim (target: string, from: string, broken?: boolean): Claim {
  return { target, from, epoch: 1, counter: 0, broken, envelope: new Uint8Array(200) }
}

/** A core that is told everything by hand, at a time set by hand. */
class Node {
  readonly core = new SwimCore({ self: 'self', random: seededRandom(1) })
  readonly outputs: SwimOutput[] = []
  now = 0

  constructor (self: Traits = {}, links: Record<string, Traits> = {}) {
    this.tell({ type: 'self', signed: record('self', self) })

    for (const [peer, traits] of Object.entries(links)) {
      this.tell({ type: 'linked', peer, dialled: false })
      this.hear(peer, { type: 'hello', signed: record(peer, traits) })
    }

    this.outputs.length = 0
  }

  tell (input: SwimInput): void {
    for (const output of this.core.handle(input, this.now)) {
      this.outputs.push(output)

      if (output.type === 'accuse') {
        this.tell({ type: 'claim', claim: claim(output.target, 'self', output.broken) })
      }
    }
  }

  hear (from: string, message: Message): void {
    this.tell({ type: 'message', from, message })
  }

  timer (id: string, after: number): void {
    this.now += after
    this.tell({ type: 'timer', id })
  }

  /** Peers that were sent a message of a type, and forgets all. */
  sent (type: string): string[] {
    return this.outputs.splice(0).flatMap(output => output.type === 'send' && output.message.type === type ? [output.to] : [])
  }

  links (type: 'link' | 'unlink'): string[] {
    return this.outputs.splice(0).flatMap(output => output.type === type ? [output.peer] : [])
  }
}

const PEERS = Array.from({ length: 40 }, (_, i) => `m${i}`)

describe('membership: hidden members', () => {
  it('have more than a minute until a suspicion is a verdict, unless links with them broke', () => {
    const four = ['a', 'b', 'c', 'd']
    const silent = new Suspicion(0)
    four.forEach(from => silent.add(claim('x', from)))
    expect(silent.left(0, 100)).to.be.below(5_000)
    expect(silent.left(0, 100, true)).to.equal(HIDDEN_SUSPICION)
    expect(HIDDEN_SUSPICION).to.be.within(60_000 + 10_000, 120_000 - 30_000)

    const broken = new Suspicion(0)
    four.forEach((from, i) => broken.add(claim('x', from, i < BROKEN_LINKS)))
    expect(broken.left(0, 100, true)).to.equal(broken.left(0, 100))

    const once = new Suspicion(0)
    four.forEach((from, i) => once.add(claim('x', from, i < BROKEN_LINKS - 1)))
    expect(once.left(0, 100, true)).to.equal(HIDDEN_SUSPICION)
  })

  it('are suspects like any other once those who accuse them lose their links', () => {
    const suspicion = new Suspicion(0)
    const from = ['a', 'b', 'c', 'd']
    from.forEach(peer => suspicion.add(claim('x', peer)))
    expect(suspicion.left(0, 100, true)).to.equal(HIDDEN_SUSPICION)
    expect(from.map(peer => suspicion.add(claim('x', peer)))).to.deep.equal([false, false, false, false])
    expect(from.map(peer => suspicion.add(claim('x', peer, true)))).to.deep.equal([true, true, true, true])
    expect(from.map(peer => suspicion.add(claim('x', peer, true)))).to.deep.equal([false, false, false, false])
    expect(suspicion.claims).to.have.length(4)
    expect(suspicion.left(0, 100, true)).to.equal(suspicion.left(0, 100))
  })

  it('are asked again for seconds before anything is said of them', () => {
    const node = new Node({}, { a: { hidden: true } })
    node.timer('probe', 500)
    node.timer('probe', PROBE_INTERVAL)
    expect(node.core.members.get('a')?.state).to.equal('alive')
    node.timer('check a', 3_000)
    node.timer('check a', 3_000)
    expect(node.core.members.get('a')?.state).to.equal('alive')
    node.timer('check a', 3_000)
    expect(node.core.members.get('a')?.state).to.equal('suspected')
    expect(node.core.health).to.equal(0)
  })

  it('are accused with a word of the link that broke, and not after they were heard again', () => {
    const node = new Node({}, { a: { hidden: true }, b: {} })
    node.tell({ type: 'gone', peer: 'a' })
    expect(node.core.members.get('a')?.broken).to.equal(true)
    node.tell({ type: 'unreachable', peer: 'a' })
    expect(node.outputs.find(({ type }) => type === 'accuse')).to.include({ target: 'a', broken: true })
    node.hear('a', { type: 'ping', seq: 1, news: [] })
    expect(node.core.members.get('a')?.broken).to.equal(false)
  })

  it('are asked to help only where nobody else can', () => {
    const some = new Node({}, { a: {}, b: { hidden: true }, c: { hidden: true }, d: { hidden: true } })
    expect([...Array(20).keys()].flatMap(() => some.core.view.helpers(3, 'x'))).to.satisfy((peers: string[]) => peers.every(peer => peer === 'a'))
    const all = new Node({}, { b: { hidden: true }, c: { hidden: true } })
    expect(all.core.view.helpers(3, 'b')).to.deep.equal(['c'])
  })

  it('look after others only where nobody else can', () => {
    const guards = (hidden: (peer: string) => boolean): string[] => PEERS.slice(1).filter(self => {
      const members = new Members(self)
      PEERS.forEach(peer => members.add(record(peer, { hidden: hidden(peer) }), 'alive', 0))

      return members.isGuard('m0', GUARDS)
    })
    const usual = guards(() => false)
    expect(usual).to.have.length(GUARDS)
    const others = guards(peer => usual.includes(peer))
    expect(others).to.have.length(GUARDS)
    expect(others.filter(peer => usual.includes(peer))).to.deep.equal([])
    expect(guards(() => true)).to.have.members(usual)
  })

  it('run what is overdue when a message comes', () => {
    const node = new Node({ hidden: true }, { a: {} })
    node.timer('probe', 500)
    node.sent('ping')
    node.now += PROBE_INTERVAL + OVERDUE / 2
    node.hear('a', { type: 'gossip', news: [] })
    expect(node.sent('ping')).to.deep.equal([])
    node.now += OVERDUE
    node.hear('a', { type: 'gossip', news: [] })
    expect(node.sent('ping')).to.deep.equal(['a'])
  })

  it('say nothing of others when they did nothing for a minute, and do not take themselves for ill', () => {
    const node = new Node({ hidden: true }, { a: {}, b: {} })
    node.timer('probe', 500)
    // the very order in which a tab runs what it missed
    node.timer('late', 60_000)
    node.timer('probe', 0)
    expect(node.outputs.filter(({ type }) => type === 'accuse')).to.deep.equal([])
    expect(node.core.health).to.equal(0)
    expect(60_000).to.be.above(HIDDEN_STANDSTILL)
  })

  it('that are seen again compare tables and probe at once', () => {
    const node = new Node({ hidden: true }, { a: {} })
    node.tell({ type: 'self', signed: record('self', { hidden: false, counter: 1 }) })
    expect(node.outputs).to.deep.include({ type: 'timer', id: 'probe', after: 0 })
    expect(node.sent('sync')).to.deep.equal(['a'])
  })

  it('are answered for when nobody stood still: a timer that was late does not end a suspicion by itself', () => {
    const node = new Node({}, { a: {}, b: {}, c: {}, d: {}, e: {} })
    node.hear('a', { type: 'gossip', news: ['a', 'b', 'c', 'd'].map(from => ({ type: 'claim', claim: claim('e', from) })) })
    node.timer('suspect e', STANDSTILL + 30_000)
    expect(node.sent('versions')).to.deep.equal([])
    expect(node.core.members.get('e')?.state).to.equal('suspected')
  })

  it('answer claims that come in numbers with one record', () => {
    const node = new Node({ hidden: true }, { a: {}, b: {} })
    node.hear('a', { type: 'gossip', news: ['a', 'b', 'c'].map(from => ({ type: 'claim', claim: claim('self', from) })) })
    node.timer('renew', 60_000)
    expect(node.outputs.filter(({ type }) => type === 'sign')).to.deep.equal([{ type: 'sign', epoch: 1, counter: 1 }])
  })
})

describe('membership: light members', () => {
  function know (node: Node, count: number, traits: Traits = {}): void {
    PEERS.slice(0, count).forEach(peer => node.core.members.add(record(peer, traits), 'alive', 0))
  }

  it('are linked with by others only if they are next on the ring, also in a small colony', () => {
    const node = new Node()
    know(node, 10, { light: true })
    node.timer('probe', 1_000)
    node.timer('probe', 5_000)
    expect(node.links('link')).to.deep.equal([node.core.members.successor()])
  })

  it('open few links in a small colony, two of them with members that are not light', () => {
    const node = new Node({ light: true })
    PEERS.slice(0, 20).forEach((peer, i) => node.core.members.add(record(peer, { light: i >= 3 }), 'alive', 0))

    for (let i = 0; i < 4; i++) {
      node.timer('probe', 1_000)
      node.links('link').forEach(peer => { node.tell({ type: 'linked', peer, dialled: true }) })
    }

    expect(node.core.view.size).to.be.within(3, LIGHT_VIEW_SIZE)
    expect(node.core.view.links().filter(peer => !node.core.members.isLight(peer))).to.have.length.at.least(2)
    expect(node.core.view.links()).to.include(node.core.members.successor())
  })

  it('are linked with everybody where there are no more than that', () => {
    const node = new Node({ light: true })
    know(node, LIGHT_VIEW_SIZE, { light: true })
    node.timer('probe', 1_000)
    node.timer('probe', 5_000)
    expect(node.links('link')).to.have.members(PEERS.slice(0, LIGHT_VIEW_SIZE))
  })

  it('end the newest of too many links, but not those of the ring', () => {
    const node = new Node({ light: true })
    know(node, 20, { light: true })
    const beside = [node.core.members.successor(), node.core.members.predecessor()] as string[]
    const others = PEERS.slice(0, 20).filter(peer => !beside.includes(peer)).slice(0, LIGHT_MAX_LINKS - 1)
    const all = [...others, ...beside]
    all.forEach(peer => { node.tell({ type: 'linked', peer, dialled: false }) })
    expect(all).to.have.length(LIGHT_MAX_LINKS + 1)
    node.timer('probe', 1_000)
    expect(node.links('unlink')).to.deep.equal([others.at(-1)])
    node.timer('probe', 1_000)
    expect(node.links('unlink')).to.deep.equal([])
  })

  it('open a bounded number of links in an hour, whatever becomes of them', () => {
    const node = new Node({ light: true })
    know(node, 40, { light: true })
    let opened = 0

    for (let second = 0; second < 3_600; second++) {
      node.timer('probe', 1_000)

      for (const peer of node.links('link')) {
        opened++
        node.tell({ type: 'unreachable', peer })
      }
    }

    expect(opened).to.be.within(LIGHT_DIALS, 400)
  })

  it('try a bounded number of those they knew, where others try all over and over', () => {
    const cards = PEERS.map(peer => ({ peer, epoch: 1, counter: 0, name: '', addresses: [], roles: [], storage: 0, digest: 0 }))
    const known = new Acquaintances()
    known.load(cards)
    const tried = (light: boolean): number => Array.from({ length: 20 }, () => known.take(light)).flat().length
    expect(tried(true)).to.be.within(LIGHT_DIALS / 2, LIGHT_DIALS / 2 + 1)
    expect(tried(false)).to.equal(8 * 20)
    expect(known.find('m7')).to.equal(cards[7])
  })

  it('leave those alone for longer and longer who ended their links', () => {
    const attempts = new Attempts()
    attempts.ended('a', 0)
    expect([attempts.may('a', ENDED_RETRY - 1), attempts.may('a', ENDED_RETRY), attempts.may('b', 0)]).to.deep.equal([false, true, true])
    attempts.made('a')
    attempts.ended('a', ENDED_RETRY)
    expect([attempts.may('a', 3 * ENDED_RETRY - 1), attempts.may('a', 3 * ENDED_RETRY)]).to.deep.equal([false, true])
    Array.from({ length: 20 }, () => { attempts.ended('a', 0) })
    expect(attempts.may('a', MAX_ENDED_RETRY)).to.equal(true)
    attempts.prune(3 * MAX_ENDED_RETRY)
    attempts.ended('a', 3 * MAX_ENDED_RETRY)
    expect(attempts.may('a', 3 * MAX_ENDED_RETRY + ENDED_RETRY)).to.equal(true)
  })
})
