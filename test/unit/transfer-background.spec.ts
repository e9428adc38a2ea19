import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/constants.ts'
import { seededRandom } from '../../src/random.ts'
import { BACKGROUND_CREDIT, BACKGROUND_PATIENCE, BACKGROUND_QUIET, BLOCK_SIZE, STALL_TIMEOUT, TICK_INTERVAL } from '../../src/transfer/constants.ts'
import { Allowance } from '../../src/transfer/core/allowance.ts'
import { Bitfield } from '../../src/transfer/core/bitfield.ts'
import { DownloadCore } from '../../src/transfer/core/download.ts'
import { UploadCore } from '../../src/transfer/core/upload.ts'
import { OpenBuffers, PieceBuffers } from '../../src/transfer/piece-buffers.ts'
import type { DownloadOutput } from '../../src/transfer/core/download.ts'
import type { UploadOutput } from '../../src/transfer/core/upload.ts'

/** A node that serves, with a virtual clock: what is to be served is sent at once, at `rate` bytes per ms all together. */
class Serving {
  readonly core: UploadCore
  readonly sent = new Map<string, number>()
  readonly lastSent = new Map<string, number>()
  readonly unchoked = new Set<string>()
  longest = 0
  now = 0
  #line: Array<Extract<UploadOutput, { type: 'serve' }>> = []
  readonly #timers = new Map<string, number>()
  readonly #next = new Map<string, number>()

  constructor (slots = 4) {
    this.core = new UploadCore({ slots, random: seededRandom(1) })
  }

  tell (...args: Parameters<UploadCore['handle']> extends [infer Input, number] ? [Input] : never): void {
    for (const output of this.core.handle(args[0], this.now)) {
      if (output.type === 'serve') {
        this.#line.push(output)
      } else if (output.type === 'timer') {
        this.#timers.set(output.id, this.now + output.after)
      } else if (output.type === 'send' && output.message.type === 'unchoke') {
        this.unchoked.add(output.to)
      } else if (output.type === 'send' && output.message.type === 'choke') {
        this.unchoked.delete(output.to)
      }
    }
  }

  join (session: string, background = false): void {
    this.tell({ type: 'peer', session, peer: session, content: session, complete: true, background })
    this.tell({ type: 'message', session, message: { type: 'interested' } })
  }

  /** Asks for the next piece. */
  ask (session: string): void {
    const piece = this.#next.get(session) ?? 0
    this.#next.set(session, piece + 1)
    this.tell({ type: 'message', session, message: { type: 'request', piece, begin: 0, length: PIECE_SIZE } })
  }

  /** Sends for some ms; who is `busy` asks for a piece whenever one was sent. */
  run (ms: number, rate: number, busy: string[] = []): void {
    const asked = new Map(busy.map(session => [session, this.sent.get(session) ?? 0]))

    for (const end = this.now + ms; this.now < end;) {
      const turn = this.#line.shift()
      const step = turn == null ? 10 : turn.range.length / rate
      this.now += step

      for (const [id, at] of [...this.#timers]) {
        if (at <= this.now) {
          this.#timers.delete(id)
          this.tell({ type: 'timer', id })
        }
      }

      if (turn != null) {
        const { session, range } = turn
        this.longest = Math.max(this.longest, this.now - (this.lastSent.get(session) ?? this.now))
        this.lastSent.set(session, this.now)
        this.sent.set(session, (this.sent.get(session) ?? 0) + range.length)
        this.tell({ type: 'served', session, range })
      }

      for (const [session, until] of asked) {
        if ((this.sent.get(session) ?? 0) >= until) {
          asked.set(session, until + PIECE_SIZE)
          this.ask(session)
        }
      }
    }
  }
}

/** Bytes that were asked for. */
function askedIn (outputs: DownloadOutput[]): number {
  return outputs.reduce((sum, output) => sum + (output.type === 'send' && output.message.type === 'request' ? output.message.length : 0), 0)
}

/** A download from one peer that has everything. */
function makeDownload (allowance: Allowance, background: boolean): { core: DownloadCore, asked: number } {
  const pieceCount = 64
  const core = new DownloadCore({
    layout: { size: pieceCount * PIECE_SIZE, pieceCount, pieceSize: () => PIECE_SIZE },
    random: seededRandom(2),
    budget: { take: () => true, give: () => {} },
    allowance
  })
  core.handle({ type: 'background', background }, 0)
  const outputs = core.handle({ type: 'peer', peer: 'a', have: Bitfield.full(pieceCount), maxWindow: 3 * PIECE_SIZE, unchoked: true }, 0)

  return { core, asked: askedIn(outputs) }
}

describe('transfer: background', () => {
  it('has a ninth of what goes by in the foreground, and everything a second after the last of it', () => {
    const allowance = new Allowance()
    expect(allowance.allows(0)).to.equal(true)
    allowance.foreground(0, 0)
    expect(allowance.allows(0)).to.equal(false)
    let had = 0

    for (let now = 0; now < 1_000; now++) {
      allowance.foreground(90_000, now)

      while (allowance.allows(now)) {
        allowance.spend(BLOCK_SIZE, now)
        had += BLOCK_SIZE
      }
    }

    expect(had).to.be.within(10_000_000, 10_000_000 + BLOCK_SIZE)
    expect(allowance.allows(999 + BACKGROUND_QUIET - 1)).to.equal(false)
    expect(allowance.allows(999 + BACKGROUND_QUIET)).to.equal(true)
  })

  it('saves up little', () => {
    const allowance = new Allowance()
    allowance.foreground(100 * BACKGROUND_CREDIT, 0)
    allowance.spend(BACKGROUND_CREDIT, 0)
    expect(allowance.allows(0)).to.equal(false)
    allowance.foreground(100 * BACKGROUND_CREDIT, 5_000)
    expect(allowance.allows(5_000)).to.equal(true)
  })

  describe('serving', () => {
    it('gives a session in the background a tenth while another is served, and everything otherwise', () => {
      const subject = new Serving()
      subject.join('back', true)
      subject.run(2_000, 10_000, ['back'])
      const alone = subject.sent.get('back') ?? 0
      expect(alone).to.be.above(18_000_000)
      subject.join('front')
      subject.run(10_000, 10_000, ['back', 'front'])
      const front = subject.sent.get('front') ?? 0
      const back = (subject.sent.get('back') ?? 0) - alone

      expect(front).to.be.above(0.85 * (front + back))
      expect(back).to.be.above(0.07 * (front + back))
      const before = subject.sent.get('back') ?? 0
      subject.run(BACKGROUND_QUIET + 2_000, 10_000, ['back'])
      expect((subject.sent.get('back') ?? 0) - before).to.be.above(15_000_000)
    })

    it('never leaves one without a block for so long that it would be dropped', () => {
      const subject = new Serving()
      const sessions = Array.from({ length: 4 }, (_, i) => `back ${i}`)
      subject.join('front')
      sessions.forEach(session => { subject.join(session, true) })
      // slow: a tenth would be a block in more than six seconds for each of them
      subject.run(120_000, 400, ['front', ...sessions])

      expect(subject.sent.get('front')).to.be.above(0.7 * 48_000_000)
      expect(subject.longest).to.be.below(STALL_TIMEOUT)
      sessions.forEach(session => { expect(subject.now - (subject.lastSent.get(session) ?? 0)).to.be.below(BACKGROUND_PATIENCE * 3) })
    })

    it('lets in those in the foreground though all slots of the background are taken', () => {
      const subject = new Serving(2)
      const names = ['b1', 'b2', 'b3']
      names.forEach(name => { subject.join(name, true) })
      subject.join('f1')
      subject.join('f2')
      subject.join('f3')

      expect([...subject.unchoked]).to.deep.equal(['b1', 'b2', 'f1', 'f2'])
    })

    it('sends nobody in the foreground to a peer that has to wait', () => {
      const core = new UploadCore({ slots: 4, random: seededRandom(1) })
      const message = { type: 'request' as const, piece: 3, begin: 0, length: BLOCK_SIZE }

      for (const [session, background] of [['back', true], ['front', false], ['other', true]] as const) {
        core.handle({ type: 'peer', session, peer: session, content: 'x', complete: true, background }, 0)
        core.handle({ type: 'message', session, message: { type: 'interested' } }, 0)
      }

      core.handle({ type: 'message', session: 'back', message }, 0)
      expect(core.handle({ type: 'message', session: 'front', message }, 0).map(({ type }) => type)).to.deep.equal(['serve'])
      expect(core.handle({ type: 'message', session: 'other', message }, 0)).to.have.nested.property('[0].message.type', 'reject')
    })
  })

  describe('fetching', () => {
    it('asks for all it can while there is nothing else', () => {
      const plain = makeDownload(new Allowance(), false)
      const background = makeDownload(new Allowance(), true)

      expect(background.asked).to.equal(plain.asked)
      expect(background.core.yields(0)).to.equal(false)
    })

    it('asks for a block at a time, and a tenth in all, while another download runs', () => {
      const allowance = new Allowance()
      allowance.foreground(0, 0)
      const { core, asked } = makeDownload(allowance, true)
      expect(asked).to.equal(0)
      expect(core.yields(0)).to.equal(true)
      let had = 0
      let foreground = 0

      for (let now = TICK_INTERVAL; now <= 8_000; now += TICK_INTERVAL) {
        foreground += 1_000_000
        allowance.foreground(1_000_000, now)
        let waiting = core.handle({ type: 'timer', id: 'tick' }, now)

        while (askedIn(waiting) > 0) {
          expect(askedIn(waiting)).to.equal(BLOCK_SIZE)
          had += BLOCK_SIZE
          waiting = waiting.flatMap(output => output.type === 'send' && output.message.type === 'request'
            ? core.handle({ type: 'message', from: 'a', message: { type: 'block', piece: output.message.piece, begin: output.message.begin, bytes: new Uint8Array(BLOCK_SIZE) } }, now)
            : [])
        }
      }

      expect(had).to.be.within(foreground / 9 - BLOCK_SIZE, foreground / 9 + BLOCK_SIZE)
    })

    it('asks for the rest at once when somebody is in a hurry', () => {
      const allowance = new Allowance()
      allowance.foreground(0, 0)
      const { core } = makeDownload(allowance, true)

      expect(askedIn(core.handle({ type: 'background', background: false }, 1))).to.equal(makeDownload(new Allowance(), false).asked)
    })

    it('leaves half of the memory to others, but takes what it needs of one that is smaller', () => {
      const buffers = new PieceBuffers(8 * PIECE_SIZE)
      const background = new OpenBuffers(buffers, true)
      const taken = Array.from({ length: 8 }, () => background.take(PIECE_SIZE))
      expect(taken).to.deep.equal([true, true, true, true, false, false, false, false])
      const foreground = new OpenBuffers(buffers)
      expect(Array.from({ length: 5 }, () => foreground.take(PIECE_SIZE))).to.deep.equal([true, true, true, true, false])

      expect(new OpenBuffers(new PieceBuffers(PIECE_SIZE), true).take(PIECE_SIZE)).to.equal(true)
    })
  })
})
