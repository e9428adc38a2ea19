import { expect } from 'chai'
import { GRACE_JITTER, HEARTBEAT, KEEP_TIME, MAX_FORMER, MAX_MERGES, RETURN_PAUSE, SIGN_PAUSE, TURN_PATIENCE } from '../../src/contingency/constants.ts'
import { ContingencyCore } from '../../src/contingency/core/contingency.ts'
import { seededRandom } from '../../src/random.ts'
import type { Kept } from '../../src/contingency/core/kept.ts'
import type { Appointment, Assignment, Message, Receipt } from '../../src/contingency/core/messages.ts'
import type { ContingencyInput, ContingencyOutput, KeptRecord } from '../../src/contingency/core/outbox.ts'

const ENVELOPE = new Uint8Array(1)
const ROOT = 'root'

function assignment (ward: string, epoch: number, contingents: string[], root = ROOT): Assignment {
  return { ward, epoch, contingents, root, rootSize: 100, size: 1000, envelope: ENVELOPE }
}

function taken (by: string, contingents: string[], generation = 1, from = assignment('w', 1, ['self', 'b'])): Appointment {
  return { assignment: from, takeover: { ward: from.ward, epoch: from.epoch, generation, by, contingents, envelope: ENVELOPE } }
}

function receipt (by: string, epoch: number, more: Partial<Receipt> = {}): Receipt {
  return { by, ward: 'w', epoch, root: ROOT, quota: 1000, envelope: ENVELOPE, ...more }
}

/** A core with a clock of its own, for which everything is signed at once. */
class Node {
  now = 0
  wall = 1e12
  outputs: ContingencyOutput[] = []
  readonly records = new Map<string, KeptRecord>()
  core: ContingencyCore

  constructor (...members: string[]) {
    this.core = this.restart()
    members.forEach(peer => { this.see(peer) })
  }

  /** Begins again with what is on record of its wards. */
  restart (): ContingencyCore {
    this.core = new ContingencyCore({ self: 'self', random: seededRandom(1), copies: 2, grace: 60_000, wallClock: () => this.wall + this.now, kept: [...this.records.values()] })
    this.tell({ type: 'room', bytes: 1e6, wards: 100 })

    return this.core
  }

  see (peer: string, state: 'alive' | 'down' = 'alive'): void {
    this.tell({ type: 'member', peer, state, weight: 1 })
  }

  tell (input: ContingencyInput): void {
    for (const output of this.core.handle(input, this.now)) {
      this.outputs.push(output)

      if (output.type === 'save') {
        this.records.set(output.ward, output.record)
      } else if (output.type === 'assign') {
        this.tell({ type: 'assigned', assignment: { ...output.assignment, envelope: ENVELOPE } })
      } else if (output.type === 'take-over') {
        this.tell({ type: 'taken-over', assignment: output.assignment, takeover: { ...output.takeover, envelope: ENVELOPE } })
      }
    }
  }

  hear (from: string, message: Message): ContingencyOutput[] {
    this.outputs = []
    this.tell({ type: 'message', from, message })

    return this.outputs
  }

  /** Lets time pass, with what is due in it. */
  wait (ms: number, step = 500): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now += step
      this.tell({ type: 'timer', id: 'ward' })
      this.core.keeper.kept.forEach((_, ward) => { this.tell({ type: 'timer', id: `kept ${ward}` }) })
    }
  }

  /** Keeps all of what a ward has. */
  keep (appointment: Appointment): this {
    this.hear(appointment.assignment.ward, { type: 'offer', appointment, sources: [], urgent: false })
    this.tell({ type: 'fetched', ward: appointment.assignment.ward, root: appointment.assignment.root, ok: true })

    return this
  }

  /** Has something, and contingents that have it too. */
  protect (): string[] {
    this.tell({ type: 'snapshot', snapshot: { root: ROOT, rootSize: 100, size: 1000, items: 1 } })
    this.wait(1_000)
    this.named.forEach(by => { this.hear(by, { type: 'receipt', receipt: receipt(by, this.epoch, { ward: 'self' }) }) })

    return this.named
  }

  get named (): string[] {
    return this.core.ward.assignment?.contingents ?? []
  }

  get epoch (): number {
    return this.core.ward.assignment?.epoch ?? 0
  }

  count (type: ContingencyOutput['type']): number {
    return this.outputs.filter(output => output.type === type).length
  }
}

describe('contingency core: who may delete', () => {
  const next = { assignment: assignment('w', 2, ['b', 'c']) }
  const RELEASES: Array<[string, string, Appointment, Receipt[], boolean]> = [
    ['all who are named have signed', 'w', next, [receipt('b', 2), receipt('c', 2)], true],
    ['one has not', 'w', next, [receipt('b', 2)], false],
    ['one signed for another ward', 'w', next, [receipt('b', 2), receipt('c', 2, { ward: 'x' })], false],
    ['one signed for another root', 'w', next, [receipt('b', 2), receipt('c', 2, { root: 'older' })], false],
    ['one signed an earlier epoch, and may have lost its disk since', 'w', next, [receipt('b', 2), receipt('c', 1)], false],
    ['one signed twice', 'w', next, [receipt('b', 2), receipt('b', 2)], false],
    ['a stranger says so', 'x', next, [receipt('b', 2), receipt('c', 2)], false],
    ['a stranger took over', 'x', taken('x', ['x', 'y']), [receipt('x', 1), receipt('y', 1)], false],
    ['another contingent took over, and leaves this one out', 'b', taken('b', ['b', 'c']), [receipt('b', 1), receipt('c', 1)], false],
    ['it is still named', 'w', { assignment: assignment('w', 2, ['self', 'b']) }, [receipt('self', 2), receipt('b', 2)], false],
    ['it is an older epoch', 'w', { assignment: assignment('w', 0, ['b']) }, [receipt('b', 0)], false],
    ['nobody is named', 'w', { assignment: assignment('w', 2, []) }, [], false]
  ]

  for (const [when, from, appointment, receipts, deletes] of RELEASES) {
    it(`${deletes ? 'lets go' : 'keeps what it has'} when ${when}`, () => {
      const node = new Node('w', 'b', 'c').keep({ assignment: assignment('w', 1, ['self', 'b']) })
      const outputs = node.hear(from, { type: 'release', appointment, receipts })
      expect(outputs.some(({ type }) => type === 'drop')).to.equal(deletes)
    })
  }

  it('a ward has nothing deleted on receipts that are not fresh', () => {
    const node = new Node('a', 'b', 'c')
    node.protect()
    node.wait(20_000)
    const other = ['a', 'b', 'c'].find(peer => !node.named.includes(peer)) as string
    const outputs = node.hear(other, { type: 'keep', appointment: { assignment: node.core.ward.assignment as Assignment } })
    expect(outputs.filter(({ type }) => type === 'send')).to.have.lengthOf(2)
    expect(outputs.filter(output => output.type === 'send' && output.message.type === 'release')).to.deep.equal([])
    node.named.forEach(by => { node.hear(by, { type: 'receipt', receipt: receipt(by, node.epoch, { ward: 'self' }) }) })
    expect(node.outputs.filter(output => output.type === 'send' && output.message.type === 'release')).to.have.lengthOf(1)
  })
})

describe('contingency core: a ward that is back', () => {
  /** A node that keeps something of a ward that was away, and is back this moment. */
  function greeted (): Node {
    const node = new Node('w', 'b', 'c').keep({ assignment: assignment('w', 1, ['self', 'b']) })
    node.see('w', 'down')
    node.outputs = []
    node.see('w')

    return node
  }

  it('is told what is kept for it, and has nothing deleted for something new before it can have heard', () => {
    const node = greeted()
    expect(node.outputs.flatMap(output => output.type === 'send' ? [[output.to, output.message.type]] : [])).to.deep.include(['w', 'keep'])
    const [blind, merged] = ['blind', 'merged'].map((root, i) => ({ assignment: assignment('w', 2 + i, ['self', 'b'], root) }))
    node.keep(blind)
    expect(node.outputs).to.deep.include({ type: 'tidy', ward: 'w', root: 'blind', before: ROOT })
    node.wait(RETURN_PAUSE - 500)
    expect(node.count('tidy')).to.equal(1)
    node.keep(merged)
    expect(node.outputs).to.deep.include({ type: 'tidy', ward: 'w', root: 'merged', before: ROOT })
    node.wait(1_000)
    expect(node.outputs).to.deep.include({ type: 'tidy', ward: 'w', root: 'merged', before: undefined })
  })

  it('has nothing deleted by who restarts in that time, and is told of what it had first', () => {
    const node = greeted()
    node.keep({ assignment: assignment('w', 2, ['self', 'b'], 'blind') })
    node.outputs = []
    node.restart()
    node.see('w')
    expect(node.outputs.flatMap(output => output.type === 'send' && output.message.type === 'keep' ? [output.message.held?.root] : [])).to.deep.equal([ROOT])
    node.wait(RETURN_PAUSE - 500)
    expect(node.count('tidy')).to.equal(0)
    node.wait(1_000)
    expect(node.outputs).to.deep.include({ type: 'tidy', ward: 'w', root: 'blind', before: undefined })
    expect(node.records.get('w')).to.deep.include({ before: undefined })
  })

  it('is fetched anew for more room that came just before a restart, and not signed for before', () => {
    const node = new Node('w').keep({ assignment: assignment('w', 1, ['self', 'b']) })
    node.records.set('w', { ...node.records.get('w') as KeptRecord, quota: 2000, heldQuota: 500 })
    node.outputs = []
    node.restart()
    expect(node.outputs.filter(({ type }) => type === 'fetch')).to.have.lengthOf(1)
    node.tell({ type: 'fetched', ward: 'w', root: ROOT, ok: false })
    node.see('w')
    const answers = node.hear('w', { type: 'offer', appointment: { assignment: assignment('w', 1, ['self', 'b']) }, sources: [], urgent: false })
    expect(answers.flatMap(output => output.type === 'send' && output.message.type === 'receipt' ? [output.message.receipt.quota] : [])).to.deep.equal([500])
  })

  it('has nobody let go before either', () => {
    const node = greeted()
    const message: Message = { type: 'release', appointment: { assignment: assignment('w', 2, ['b', 'c'], 'blind') }, receipts: ['b', 'c'].map(by => receipt(by, 2, { root: 'blind' })) }
    node.hear('w', message)
    expect(node.count('drop')).to.equal(0)
    node.wait(RETURN_PAUSE)
    node.hear('w', message)
    expect(node.count('drop')).to.equal(1)
  })

  it('has everything tidied at once when it was never away', () => {
    const node = new Node('w', 'b').keep({ assignment: assignment('w', 1, ['self', 'b']) })
    node.keep({ assignment: assignment('w', 2, ['self', 'b'], 'newer') })
    expect(node.outputs).to.deep.include({ type: 'tidy', ward: 'w', root: 'newer', before: undefined })
  })
})

describe('contingency core: who is believed', () => {
  it('a takeover by a stranger changes nothing for who keeps something', () => {
    const node = new Node('w', 'b').keep({ assignment: assignment('w', 1, ['self', 'b']) })
    const outputs = node.hear('x', { type: 'offer', appointment: taken('x', ['x', 'y'], 1_000_000), sources: [], urgent: false })
    expect(outputs).to.deep.include({ type: 'send', to: 'x', message: { type: 'refuse', ward: 'w', epoch: 1, reason: 'stale', appointment: { assignment: assignment('w', 1, ['self', 'b']) } } })
    expect(node.core.keeper.kept.get('w')?.isNamed).to.equal(true)
  })

  it('a takeover by a stranger names no contingents of a ward', () => {
    const node = new Node('a', 'b', 'x', 'y')
    const before = node.protect()
    node.hear('x', { type: 'keep', appointment: taken('x', ['x', 'y'], 7, node.core.ward.assignment) })
    node.wait(2_000)
    expect(node.named).to.have.members(before)
  })

  it('a takeover makes a ward sign once in a while, however often it is told of one', () => {
    const node = new Node('a', 'b', 'c')
    node.protect()
    const before = node.epoch

    for (let i = 0; i < 100; i++) {
      node.hear('x', { type: 'keep', appointment: taken('x', ['x'], i + 1, node.core.ward.assignment) })
      node.wait(50, 50)
    }

    expect(node.epoch - before).to.be.within(1, 2)
  })

  it('old assignments that anybody has do not keep a ward from signing', () => {
    const node = new Node('a', 'b', 'c')
    node.protect()
    const before = node.epoch

    for (let i = 0; i < 20 * MAX_MERGES; i++) {
      node.hear('x', { type: 'keep', appointment: { assignment: assignment('self', 1, ['x'], `old ${i}`) } })
      node.outputs.filter(output => output.type === 'merge').forEach(output => { node.tell({ type: 'merged', root: output.assignment.root, ok: false }) })
      node.wait(1_000)
    }

    node.tell({ type: 'snapshot', snapshot: { root: 'new', rootSize: 100, size: 1000, items: 2 } })
    node.wait(1_000)
    expect(node.epoch).to.be.above(before)
  })

  it('whoever has something newer is not waited for with what it had before, which nobody has any more', () => {
    const node = new Node('a', 'b', 'c')
    node.protect()
    const old = node.core.ward.assignment as Assignment
    const [other] = ['a', 'b', 'c'].filter(peer => !node.named.includes(peer))
    const keeps = (held: Assignment): void => { node.hear(other, { type: 'keep', appointment: { assignment: old }, held }) }
    keeps(assignment('self', old.epoch - 1, [other], 'older'))
    node.tell({ type: 'merged', root: 'older', ok: false })
    expect(node.core.ward.isMerging).to.equal(true)
    expect(node.count('send')).to.equal(0)
    keeps(old)
    expect(node.core.ward.isMerging).to.equal(false)
    expect(node.outputs.flatMap(output => output.type === 'send' ? [[output.to, output.message.type]] : [])).to.deep.include([other, 'release'])
  })

  it('what was fetched counts for what it was fetched for', () => {
    const node = new Node('w', 'b')
    node.hear('w', { type: 'offer', appointment: { assignment: assignment('w', 1, ['self', 'b']) }, sources: [], urgent: false })
    node.hear('w', { type: 'offer', appointment: { assignment: assignment('w', 2, ['b'], 'newer') }, sources: [], urgent: false })
    node.tell({ type: 'fetched', ward: 'w', root: ROOT, ok: true })
    expect(node.core.keeper.kept.get('w')?.held?.root).to.equal(ROOT)
  })
})

describe('contingency core: who acts in the place of a ward', () => {
  /** A node that has everything of a ward that is gone, as has another, and for which `third` could keep it too. */
  function orphaned (isFirst: boolean): Node {
    const node = new Node('b', 'third')
    const ward = ['w1', 'w2', 'w3', 'w4', 'w5', 'w6'].find(peer => (node.core.peers.draw(peer, ['self', 'b'])[0] === 'self') === isFirst) as string
    const wanted = assignment(ward, 1, ['self', 'b'])
    node.see(ward)
    node.keep({ assignment: wanted })
    node.hear('b', { type: 'receipt', receipt: receipt('b', 1, { ward }) })
    node.outputs = []
    node.see(ward, 'down')

    return node
  }

  it('is the first of those who have everything', () => {
    const node = orphaned(true)
    node.wait(60_000 * (1 + GRACE_JITTER))
    expect(node.count('take-over')).to.equal(1)
    expect(node.outputs.find(({ type }) => type === 'take-over')).to.have.nested.property('takeover.contingents').that.has.members(['self', 'b', 'third'])
  })

  it('is the next if the first does nothing', () => {
    const node = orphaned(false)
    node.wait(60_000 + TURN_PATIENCE - 1_000)
    expect(node.count('take-over')).to.equal(0)
    node.wait(60_000 * GRACE_JITTER + 2_000)
    expect(node.count('take-over')).to.equal(1)
  })

  it('is nobody else once the first has done it', () => {
    const node = orphaned(false)
    const { assignment: from } = (node.core.keeper.kept.values().next().value as Kept).appointment
    node.wait(60_000 * (1 + GRACE_JITTER))
    node.hear('b', { type: 'offer', appointment: taken('b', ['b', 'self', 'third'], 1, from), sources: [], urgent: false })
    node.wait(2 * TURN_PATIENCE)
    expect(node.count('take-over')).to.equal(0)
  })
})

describe('contingency core: when a node may leave', () => {
  /** Has something, and wants to go. */
  function going (...members: string[]): Node {
    const node = new Node(...members)
    node.tell({ type: 'snapshot', snapshot: { root: ROOT, rootSize: 100, size: 1000, items: 1 } })
    node.wait(1_000)
    node.tell({ type: 'leave' })

    return node
  }

  function refuse (node: Node, peer: string): void {
    node.hear(peer, { type: 'refuse', ward: 'self', epoch: node.epoch, reason: 'unwilling' })
  }

  it('when its contingents have everything', () => {
    const node = going('a', 'b', 'c')
    expect(node.core.mayLeave).to.equal(false)
    const [first, last] = node.named
    node.hear(first, { type: 'receipt', receipt: receipt(first, node.epoch, { ward: 'self' }) })
    expect([node.core.mayLeave, node.count('may-leave')]).to.deep.equal([false, 0])
    node.hear(last, { type: 'receipt', receipt: receipt(last, node.epoch, { ward: 'self' }) })
    expect([node.core.mayLeave, node.count('may-leave')]).to.deep.equal([true, 1])
  })

  it('when all the others are about to leave too, and refuse', () => {
    const node = going('a', 'b')
    refuse(node, 'a')
    expect(node.core.mayLeave).to.equal(false)
    refuse(node, 'b')
    expect(node.core.mayLeave).to.equal(true)
  })

  it('not while there is somebody else who could be asked', () => {
    const node = going('a', 'b', 'c')
    node.named.forEach(peer => { refuse(node, peer) })
    expect(node.core.mayLeave).to.equal(false)
  })

  it('not with fewer copies than it wanted, when one refuses whose place another can take', () => {
    const node = going('a', 'b', 'c', 'd')
    const holds = (by: string): void => { node.hear(by, { type: 'receipt', receipt: receipt(by, node.epoch, { ward: 'self' }) }) }
    const [first, last] = node.named
    holds(first)
    refuse(node, last)
    const [next] = node.named.filter(peer => peer !== first)
    refuse(node, next)
    // who comes after that is named only when a pause is over
    expect(node.named).to.have.members([first, next])
    expect(node.core.mayLeave).to.equal(false)
    node.wait(1_000)
    expect(node.named).to.have.lengthOf(2).and.to.include(first)
    expect(node.named.filter(peer => peer === last || peer === next)).to.deep.equal([])
    node.named.forEach(holds)
    expect(node.core.mayLeave).to.equal(true)
  })

  it('with fewer copies than it wanted, when nobody else wants to', () => {
    const node = going('a', 'b')
    const [first, last] = node.named
    node.hear(first, { type: 'receipt', receipt: receipt(first, node.epoch, { ward: 'self' }) })
    refuse(node, last)
    expect(node.core.mayLeave).to.equal(true)
  })

  it('when nobody is there', () => {
    expect(going().core.mayLeave).to.equal(true)
  })
})

describe('contingency core: what is bounded', () => {
  it('strangers that say they leave, or refuse, or keep something', () => {
    const node = new Node('a', 'b')
    node.protect()

    for (let i = 0; i < 500; i++) {
      node.hear(`x${i}`, { type: 'leaving', ward: 'self', epoch: 1 })
      node.hear(`x${i}`, { type: 'refuse', ward: 'self', epoch: node.epoch, reason: 'unwilling' })
    }

    expect(node.core.ward.contingents.former.size).to.be.at.most(MAX_FORMER)
    expect(node.named).to.have.members(['a', 'b'])
  })

  it('how often contingents change, when nothing but the rules themselves would end it', () => {
    const node = new Node('a', 'b', 'c', 'd')
    node.protect()
    node.outputs = []

    for (let i = 0; i < 100; i++) {
      node.tell({ type: 'snapshot', snapshot: { root: `root ${i}`, rootSize: 100, size: 1000, items: 1 } })
    }

    expect(node.count('assign')).to.be.at.most(1)
    node.wait(2 * SIGN_PAUSE)
    expect(node.core.ward.assignment?.root).to.equal('root 99')
  })
})

describe('contingency core: clocks', () => {
  it('a clock that goes wrong by years deletes nothing', () => {
    for (const jump of [-50 * 365, 365, 50 * 365].map(days => days * 24 * 3_600_000)) {
      const node = new Node('w', 'b').keep({ assignment: assignment('w', 1, ['self', 'b']) })
      node.see('w', 'down')
      node.wait(60_000, 10_000)
      node.wall += jump
      node.wait(2 * 3_600_000, 60_000)
      node.wall -= jump
      node.wait(2 * 3_600_000, 60_000)
      expect(node.count('drop'), String(jump)).to.equal(0)
    }
  })

  it('what is kept for a ward that did not come back for 90 days is deleted', () => {
    const node = new Node('w', 'b').keep({ assignment: assignment('w', 1, ['self', 'b']) })
    node.see('w', 'down')
    node.wait(KEEP_TIME - 24 * 3_600_000, 3_600_000)
    expect(node.count('drop')).to.equal(0)
    node.wait(2 * 24 * 3_600_000, 3_600_000)
    expect(node.count('drop')).to.equal(1)
  })

  it('a jump of the clock makes nobody unwilling', () => {
    const node = new Node('a', 'b', 'c')
    const before = node.protect()
    node.wait(HEARTBEAT)
    node.now += 3_600_000
    node.tell({ type: 'timer', id: 'ward' })
    expect(node.named).to.have.members(before)
  })
})
