import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/constants.ts'
import { seededRandom } from '../../src/random.ts'
import { BLOCK_SIZE, INITIAL_WINDOW, MAX_WINDOW, STALL_TIMEOUT, TICK_INTERVAL, UNKNOWN_LATENESS } from '../../src/transfer/constants.ts'
import { Bitfield } from '../../src/transfer/core/bitfield.ts'
import { DownloadCore } from '../../src/transfer/core/download.ts'
import { blocksOf } from '../../src/transfer/core/upload.ts'
import type { DownloadInput, DownloadOutput } from '../../src/transfer/core/download.ts'
import type { Message, Range } from '../../src/transfer/core/messages.ts'

type Of<Type extends DownloadOutput['type']> = Extract<DownloadOutput, { type: Type }>

const BYTES = new Uint8Array(BLOCK_SIZE)

interface SubjectInit {
  size?: number
  memory?: number
  have?: number[]
  seed?: number
}

function bitfield (size: number, pieces: number[]): Bitfield {
  const have = new Bitfield(size)
  pieces.forEach(piece => { have.add(piece) })

  return have
}

/** A download, what it owes whom, and what it said. */
class Subject {
  readonly core: DownloadCore
  readonly pieceCount: number
  readonly size: number
  readonly all: DownloadOutput[] = []

  /** Blocks that were asked for and not answered or taken back, by peer. */
  readonly asked = new Map<string, Range[]>()
  memory: number
  now = 0

  constructor ({ size = 4 * PIECE_SIZE, memory = Infinity, have = [], seed = 1 }: SubjectInit = {}) {
    this.size = size
    this.memory = memory
    this.pieceCount = Math.max(1, Math.ceil(size / PIECE_SIZE))
    this.core = new DownloadCore({
      layout: { size, pieceCount: this.pieceCount, pieceSize: piece => this.pieceSize(piece) },
      random: seededRandom(seed),
      have: bitfield(this.pieceCount, have),
      budget: {
        take: bytes => {
          const fits = bytes <= this.memory
          this.memory -= fits ? bytes : 0

          return fits
        },
        give: bytes => { this.memory += bytes }
      }
    })
  }

  pieceSize (piece: number): number {
    return Math.min(PIECE_SIZE, this.size - piece * PIECE_SIZE)
  }

  tell (input: DownloadInput): DownloadOutput[] {
    const outputs = this.core.handle(input, this.now)
    this.all.push(...outputs)

    for (const { to, message } of only(outputs, 'send')) {
      if (message.type === 'request') {
        this.asked.set(to, [...this.asked.get(to) ?? [], ...blocksOf(message)])
      } else if (message.type === 'cancel') {
        this.asked.set(to, (this.asked.get(to) ?? []).filter(range => !same(range, message)))
      }
    }

    return outputs
  }

  hear (from: string, message: Message): DownloadOutput[] {
    return this.tell({ type: 'message', from, message })
  }

  /** Peers that have these pieces, or all, and serve us. */
  join (key: string, pieces?: number[], maxWindow = MAX_WINDOW): DownloadOutput[] {
    const have = pieces === undefined ? Bitfield.full(this.pieceCount) : bitfield(this.pieceCount, pieces)

    return [...this.tell({ type: 'peer', peer: key, have, maxWindow }), ...this.hear(key, { type: 'unchoke' })]
  }

  /** A peer answers the oldest of what it was asked for. */
  answer (from: string): DownloadOutput[] {
    const range = this.asked.get(from)?.shift()

    return range === undefined ? [] : this.hear(from, block(range))
  }

  /** A peer answers until nothing is asked of it any more, or for so many blocks. */
  answerAll (from: string, most = 1_000): DownloadOutput[] {
    const outputs: DownloadOutput[] = []

    for (let i = 0; i < most && this.blocksAsked(from).length > 0; i++) {
      this.now += 1
      outputs.push(...this.answer(from))
    }

    return outputs
  }

  /** A peer answers so many blocks, and what is complete is stored at once. */
  fetch (from: string, blocks: number): void {
    for (let i = 0; i < blocks; i++) {
      this.now += 1
      this.verify(this.answer(from))
    }
  }

  blocksAsked (of: string): Range[] {
    return this.asked.get(of) ?? []
  }

  /** Time passes, with the timer of the core. */
  wait (ms: number): DownloadOutput[] {
    const outputs: DownloadOutput[] = []

    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + TICK_INTERVAL)
      outputs.push(...this.tell({ type: 'timer', id: 'tick' }))
    }

    return outputs
  }

  /** Hashes what is complete. */
  verify (outputs: DownloadOutput[], ok = true): DownloadOutput[] {
    return only(outputs, 'complete').flatMap(({ piece }) => this.tell({ type: 'verified', piece, ok }))
  }
}

function only<Type extends DownloadOutput['type']> (outputs: DownloadOutput[], type: Type): Array<Of<Type>> {
  return outputs.filter((output): output is Of<Type> => output.type === type)
}

function sent<Type extends Message['type']> (outputs: DownloadOutput[], type: Type, to?: string): Array<Extract<Message, { type: Type }>> {
  return only(outputs, 'send').filter(output => to === undefined || output.to === to).map(({ message }) => message)
    .filter((message): message is Extract<Message, { type: Type }> => message.type === type)
}

function block ({ piece, begin, length }: Range): Message {
  return { type: 'block', piece, begin, bytes: BYTES.subarray(0, length) }
}

function same (a: Range, b: Range): boolean {
  return a.piece === b.piece && a.begin === b.begin
}

function pieces (ranges: Range[]): number[] {
  return [...new Set(ranges.map(({ piece }) => piece))]
}

describe('transfer: download', () => {
  describe('asking', () => {
    it('says that it is interested, and asks for nothing before it is unchoked', () => {
      const subject = new Subject()
      const outputs = subject.tell({ type: 'peer', peer: 'a', have: Bitfield.full(4), maxWindow: MAX_WINDOW })

      expect(only(outputs, 'send')).to.deep.equal([{ type: 'send', to: 'a', message: { type: 'interested' } }])
      expect(sent(subject.hear('a', { type: 'unchoke' }), 'request')).to.not.have.length(0)
    })

    it('asks at once of who is taken to serve us', () => {
      const outputs = new Subject().tell({ type: 'peer', peer: 'a', have: Bitfield.full(4), maxWindow: MAX_WINDOW, unchoked: true })

      expect(sent(outputs, 'request')).to.not.have.length(0)
    })

    it('is not interested in who has nothing that is missing', () => {
      const subject = new Subject({ have: [0, 1] })
      expect(only(subject.join('a', [0, 1]), 'send')).to.deep.equal([])
      expect(subject.core.starving).to.equal(true)
      expect(sent(subject.hear('a', { type: 'have', piece: 2 }), 'interested')).to.have.length(1)
      expect(subject.core.starving).to.equal(false)
    })

    it('asks for what the window holds, and never more', () => {
      const subject = new Subject({ size: 32 * PIECE_SIZE })
      subject.join('a')
      expect(subject.blocksAsked('a')).to.have.length(INITIAL_WINDOW / BLOCK_SIZE)

      for (let i = 0; i < 400; i++) {
        subject.fetch('a', 1)
        expect(subject.blocksAsked('a').length * BLOCK_SIZE).to.be.at.most(MAX_WINDOW)
      }

      expect(subject.blocksAsked('a').length * BLOCK_SIZE).to.be.above(MAX_WINDOW / 2)
    })

    it('asks for each block once, the last one as short as it is', () => {
      const size = 2 * PIECE_SIZE + BLOCK_SIZE + 7
      const subject = new Subject({ size })
      subject.join('a')
      const requests = [...subject.all, ...subject.answerAll('a')]
      const blocks = sent(requests, 'request').flatMap(request => [...blocksOf(request)])

      expect(blocks.reduce((sum, { length }) => sum + length, 0)).to.equal(size)
      expect(new Set(blocks.map(({ piece, begin }) => piece * PIECE_SIZE + begin)).size).to.equal(blocks.length)
    })

    it('fetches an empty content as one empty block', () => {
      const subject = new Subject({ size: 0 })
      expect(sent(subject.join('a'), 'request')).to.deep.equal([{ type: 'request', piece: 0, begin: 0, length: 0 }])
      expect(only(subject.verify(subject.answer('a')), 'done')).to.have.length(1)
    })

    it('asks peers for different pieces as long as there are', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE })
      const keys = ['a', 'b', 'c', 'd']
      keys.forEach(key => { subject.join(key) })

      expect(new Set(keys.flatMap(key => pieces(subject.blocksAsked(key)))).size).to.equal(4)
    })

    it('goes on with a piece that was begun before it begins another', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE })
      subject.join('a')
      const [first] = pieces(subject.blocksAsked('a'))
      const outputs = subject.answerAll('a', 8)

      expect(sent(outputs, 'request')[0].piece).to.equal(first)
    })

    it('begins with the rarest piece once it has begun four', () => {
      const subject = new Subject({ size: 20 * PIECE_SIZE, have: [] })
      const common = Array.from({ length: 19 }, (_, i) => i)
      // b and c make all but the last common, and do not serve
      for (const key of ['b', 'c']) {
        subject.tell({ type: 'peer', peer: key, have: bitfield(20, common), maxWindow: MAX_WINDOW })
      }

      subject.join('a')
      subject.fetch('a', 4 * 16)
      const begun = pieces(sent(subject.all, 'request'))

      expect(begun.slice(0, 5)).to.include(19)
    })

    it('fetches what a reader waits for first, in order', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE })
      subject.tell({ type: 'want', spans: [{ from: 40, to: 64 }] })
      subject.join('a')
      subject.fetch('a', 3 * 16)
      const begun = pieces(sent(subject.all, 'request'))

      expect(begun.slice(0, 4)).to.deep.equal([40, 41, 42, 43])
    })

    it('has several help with the piece a reader waits for', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE })
      subject.tell({ type: 'want', spans: [{ from: 7, to: 64 }] })
      subject.join('a')
      subject.join('b')

      expect(pieces(subject.blocksAsked('b'))).to.deep.equal([7])
      expect(subject.blocksAsked('a').some(range => subject.blocksAsked('b').some(other => same(range, other)))).to.equal(false)
    })

    it('begins no more pieces than there is memory for, and goes on as they are stored', () => {
      const subject = new Subject({ size: 8 * PIECE_SIZE, memory: 2 * PIECE_SIZE })
      subject.join('a')
      const outputs = subject.answerAll('a')

      expect(pieces(sent(subject.all, 'request'))).to.have.length(2)
      expect(subject.memory).to.equal(0)
      expect(only(outputs, 'complete')).to.have.length(2)
      expect(sent(subject.verify(outputs.slice(0)), 'request')).to.not.have.length(0)
    })

    it('asks nothing more of who chokes us, until it unchokes', () => {
      const subject = new Subject({ size: 8 * PIECE_SIZE })
      subject.join('a')
      subject.hear('a', { type: 'choke' })
      const asked = subject.blocksAsked('a').splice(0)
      const outputs = asked.flatMap(range => subject.hear('a', { type: 'reject', ...range }))

      expect(sent(outputs, 'request')).to.deep.equal([])
      expect(pieces(sent(subject.hear('a', { type: 'unchoke' }), 'request'))).to.deep.equal(pieces(asked))
    })
  })

  describe('storing', () => {
    it('begins nothing more while too much waits to be stored', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE })
      subject.join('a')
      const outputs = subject.answerAll('a')
      const begun = pieces(sent(subject.all, 'request')).length

      expect(only(outputs, 'complete')).to.have.length(begun)
      expect(begun).to.be.below(16)
      expect(sent(subject.verify(outputs), 'request')).to.not.have.length(0)
    })
  })

  describe('resuming', () => {
    it('fetches only what is missing', () => {
      const subject = new Subject({ have: [0, 2, 3] })
      subject.join('a')
      const outputs = subject.verify(subject.answerAll('a'))

      expect(pieces(sent(subject.all, 'request'))).to.deep.equal([1])
      expect(only(outputs, 'done')).to.have.length(1)
      expect(subject.core.have.full).to.equal(true)
    })
  })

  describe('finishing', () => {
    it('tells everybody what it has, and that it needs no more', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      subject.join('b', [])
      const outputs = subject.verify(subject.answerAll('a'))

      expect(sent(outputs, 'have', 'a')).to.deep.equal([{ type: 'have', piece: 0 }])
      expect(sent(outputs, 'have', 'b')).to.deep.equal([{ type: 'have', piece: 0 }])
      expect(sent(outputs, 'not-interested', 'a')).to.have.length(1)
      expect(only(outputs, 'done')).to.have.length(1)
    })

    it('keeps each block once, and gives all memory back', () => {
      const subject = new Subject({ size: 4 * PIECE_SIZE, memory: 4 * PIECE_SIZE })
      subject.join('a')
      subject.verify(subject.answerAll('a'))

      expect(only(subject.all, 'block')).to.have.length(64)
      expect(subject.memory).to.equal(4 * PIECE_SIZE)
    })
  })

  describe('late and slow peers', () => {
    it('asks somebody else for what is late', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      const late = [...subject.blocksAsked('a')]
      subject.join('b')
      subject.answerAll('b')
      const outputs = subject.wait(UNKNOWN_LATENESS + 2 * TICK_INTERVAL)

      expect(sent([...subject.all], 'cancel', 'a').map(({ begin }) => begin)).to.include.members(late.map(({ begin }) => begin))
      expect(sent(outputs, 'request', 'b').length + sent(subject.all, 'request', 'b').length).to.be.above(0)
      expect(only(subject.answerAll('b'), 'complete').length + only(subject.all, 'complete').length).to.be.above(0)
    })

    it('leaves what is late with who alone has it', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      const outputs = subject.wait(UNKNOWN_LATENESS + 2 * TICK_INTERVAL)

      expect(sent(outputs, 'cancel')).to.deep.equal([])
      expect(only(outputs, 'drop')).to.deep.equal([])
    })

    it('asks who was late for one block only', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE })
      subject.join('a')
      subject.join('b')
      const outputs = subject.wait(UNKNOWN_LATENESS + TICK_INTERVAL)

      expect(subject.blocksAsked('a').length).to.be.at.most(1)
      expect(sent(outputs, 'cancel', 'a')).to.not.have.length(0)
    })

    for (const others of [[], ['b']]) {
      it(`drops who owes blocks and sends nothing, ${others.length === 0 ? 'alone' : 'beside another'}`, () => {
        const subject = new Subject({ size: 640 * PIECE_SIZE })
        subject.join('a')
        others.forEach(key => { subject.join(key) })
        const drops: number[] = []

        for (let i = 0; i < 2 * STALL_TIMEOUT / TICK_INTERVAL && drops.length === 0; i++) {
          others.forEach(key => { subject.answer(key) })
          drops.push(...only(subject.wait(TICK_INTERVAL), 'drop').map(({ peer }) => peer === 'a' ? subject.now : NaN))
        }

        expect(drops[0]).to.be.within(STALL_TIMEOUT, STALL_TIMEOUT + 2 * TICK_INTERVAL)
      })
    }

    it('goes on with another when a peer leaves', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      subject.answer('a')
      subject.join('b')
      const before = subject.blocksAsked('b').length
      subject.tell({ type: 'gone', peer: 'a' })
      const outputs = subject.answerAll('b')

      expect(before).to.be.below(15)
      expect(only(outputs, 'complete')).to.have.length(1)
      // the block of the one that left is not fetched again
      expect(only(subject.all, 'block')).to.have.length(16)
      expect(subject.core.duplicateBytes).to.equal(0)
    })

    it('asks nobody for a block that may still come from there', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      const late = [...subject.blocksAsked('a')]
      subject.join('b')
      subject.answerAll('b')
      subject.wait(UNKNOWN_LATENESS + 2 * TICK_INTERVAL)
      subject.tell({ type: 'gone', peer: 'b' })

      // nothing of what was taken back is asked for again, until it is answered
      expect(subject.blocksAsked('a').filter(range => late.some(other => same(range, other)))).to.deep.equal([])
      const outputs = late.flatMap(range => subject.hear('a', { type: 'reject', ...range }))
      subject.wait(1_000)
      expect(only(outputs, 'drop')).to.deep.equal([])
      expect(subject.blocksAsked('a')).to.not.have.length(0)
    })
  })

  describe('the end', () => {
    /** b has nothing left to do, a owes the last blocks and is slow. */
    function ending (size: number): Subject {
      const subject = new Subject({ size })
      subject.join('a')
      subject.join('b')

      for (let i = 0; i < 3_000 && !subject.core.have.full; i++) {
        subject.now += 1
        subject.answer('b')

        if (i % 400 === 399) {
          subject.answer('a')
        }

        if (subject.now % TICK_INTERVAL === 0) {
          subject.tell({ type: 'timer', id: 'tick' })
        }

        subject.verify(subject.all.splice(0))
      }

      return subject
    }

    it('has the quick one bring what the slow one owes', () => {
      const subject = ending(64 * PIECE_SIZE)

      expect(subject.core.have.full).to.equal(true)
      // 1,024 blocks, one a ms, and little more
      expect(subject.now).to.be.below(1.3 * 1_024)
    })

    it('asks for the last blocks twice, and takes back what came from the other', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE, have: Array.from({ length: 63 }, (_, i) => i) })
      subject.join('a', undefined, 4 * BLOCK_SIZE)
      const owed = [...subject.blocksAsked('a')]
      subject.join('b')
      subject.answerAll('b')
      subject.wait(1_000)
      const twice = subject.blocksAsked('b').filter(range => owed.some(other => same(range, other)))

      expect(twice).to.have.length(1)
      const outputs = subject.answer('b')
      expect(sent(outputs, 'cancel', 'a').map(({ begin }) => begin)).to.deep.equal([twice[0].begin])
    })

    it('takes a duplicate without keeping it', () => {
      const subject = new Subject({ size: 64 * PIECE_SIZE, have: Array.from({ length: 63 }, (_, i) => i) })
      subject.join('a', undefined, 4 * BLOCK_SIZE)
      subject.join('b')
      subject.answerAll('b')
      subject.wait(1_000)
      const [range] = subject.blocksAsked('b')
      subject.answer('b')
      const outputs = subject.hear('a', block(range))

      expect(only(outputs, 'block')).to.deep.equal([])
      expect(only(outputs, 'drop')).to.deep.equal([])
      expect(subject.core.duplicateBytes).to.equal(BLOCK_SIZE)
    })
  })

  describe('rejects', () => {
    it('asks somebody else at once, and the same again after a while', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      subject.join('b')
      const [first] = subject.blocksAsked('a').splice(0, 1)
      subject.blocksAsked('a').splice(0).concat(first).forEach(range => { subject.hear('a', { type: 'reject', ...range }) })

      expect(subject.blocksAsked('a')).to.deep.equal([])
      subject.answerAll('b')
      expect(only(subject.all, 'complete')).to.have.length(1)
    })

    it('asks the only holder again, more and more seldom', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      const times: number[] = []

      for (let i = 0; i < 100; i++) {
        if (subject.blocksAsked('a').length > 0) {
          times.push(subject.now)
          subject.blocksAsked('a').splice(0).forEach(range => { subject.hear('a', { type: 'reject', ...range }) })
        }

        subject.wait(TICK_INTERVAL)
      }

      const gaps = times.slice(1).map((time, i) => time - times[i])
      expect(gaps.length).to.be.within(4, 12)
      expect(gaps.at(-1)).to.be.above(4 * gaps[0])
    })
  })

  describe('liars', () => {
    it('bans who alone sent a wrong piece, and forgets the bytes', () => {
      const subject = new Subject()
      subject.join('a')
      const [{ piece }] = subject.blocksAsked('a')
      const outputs = subject.verify(subject.answerAll('a', 16), false)

      expect(only(outputs, 'ban')).to.deep.equal([{ type: 'ban', peer: 'a', piece }])
      expect(only(outputs, 'discard')).to.deep.equal([{ type: 'discard', piece }])
      expect(subject.core.have.has(piece)).to.equal(false)
    })

    /** One piece that a and b sent together and that is wrong. */
    function mixed (): Subject {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a', undefined, 8 * BLOCK_SIZE)
      subject.join('b', undefined, 12 * BLOCK_SIZE)
      let outputs: DownloadOutput[] = []

      for (let i = 0; i < 16 && only(outputs, 'complete').length === 0; i++) {
        subject.now += 1
        outputs = [...subject.answer('a'), ...subject.answer('b')]
      }

      expect(only(subject.all, 'ban')).to.deep.equal([])
      subject.verify(outputs, false)

      return subject
    }

    it('bans nobody for a wrong piece that came from several, and fetches it again from one alone', () => {
      const subject = mixed()

      expect(only(subject.all, 'ban')).to.deep.equal([])
      expect(only(subject.all, 'discard')).to.have.length(1)
      expect([subject.blocksAsked('a').length > 0, subject.blocksAsked('b').length > 0].filter(Boolean)).to.have.length(1)
    })

    it('finds the liar by that', () => {
      const subject = mixed()
      const liar = subject.blocksAsked('a').length > 0 ? 'a' : 'b'
      const other = liar === 'a' ? 'b' : 'a'
      const outputs = subject.verify(subject.answerAll(liar), false)
      expect(only(outputs, 'ban').map(({ peer }) => peer)).to.deep.equal([liar])
      subject.tell({ type: 'gone', peer: liar })

      expect(only(subject.verify(subject.answerAll(other)), 'done')).to.have.length(1)
      expect(only(subject.all, 'ban')).to.have.length(1)
    })

    it('trusts again who brought a right piece alone', () => {
      const subject = mixed()
      const alone = subject.blocksAsked('a').length > 0 ? 'a' : 'b'

      expect(only(subject.verify(subject.answerAll(alone)), 'done')).to.have.length(1)
      expect(only(subject.all, 'ban')).to.deep.equal([])
    })

    it('gives a piece that must come from one alone to another, when the one rejects it', () => {
      const subject = mixed()
      const alone = subject.blocksAsked('a').length > 0 ? 'a' : 'b'
      const other = alone === 'a' ? 'b' : 'a'
      subject.answerAll(alone, 3)
      const asked = subject.blocksAsked(alone).splice(0)
      const outputs = subject.hear(alone, { type: 'reject', ...asked[0] })
      expect(only(outputs, 'discard')).to.have.length(1)

      // what is under way comes all the same, and is of no use
      const late = asked.slice(1).flatMap(range => subject.hear(alone, block(range)))
      expect(only(late, 'block')).to.deep.equal([])
      expect(only(late, 'drop')).to.deep.equal([])
      expect(only(subject.verify(subject.answerAll(other)), 'done')).to.have.length(1)
    })

    it('begins anew when who should bring a piece alone leaves', () => {
      const subject = mixed()
      const alone = subject.blocksAsked('a').length > 0 ? 'a' : 'b'
      const other = alone === 'a' ? 'b' : 'a'
      subject.answerAll(alone, 3)
      const outputs = subject.tell({ type: 'gone', peer: alone })

      expect(only(outputs, 'discard')).to.have.length(1)
      expect(only(subject.verify(subject.answerAll(other)), 'done')).to.have.length(1)
    })

    it('keeps its word of who lied after the liar left', () => {
      const subject = new Subject({ size: PIECE_SIZE })
      subject.join('a')
      const outputs = subject.answerAll('a')
      subject.tell({ type: 'gone', peer: 'a' })

      expect(only(subject.verify(outputs, false), 'ban').map(({ peer }) => peer)).to.deep.equal(['a'])
    })
  })

  describe('who breaks the rules', () => {
    const cases: Array<[what: string, message: (asked: Range) => Message]> = [
      ['sends a block nobody asked for', () => block({ piece: 3, begin: 15 * BLOCK_SIZE, length: BLOCK_SIZE })],
      ['sends a block of a piece that does not exist', () => block({ piece: 99, begin: 0, length: BLOCK_SIZE })],
      ['sends a block that begins nowhere', ({ piece, begin }) => block({ piece, begin: begin + 1, length: BLOCK_SIZE })],
      ['sends too little', range => block({ ...range, length: BLOCK_SIZE - 1 })],
      ['sends nothing for something', range => block({ ...range, length: 0 })],
      ['has a piece that does not exist', () => ({ type: 'have', piece: 4 })]
    ]

    for (const [what, message] of cases) {
      it(`is dropped if it ${what}`, () => {
        const subject = new Subject()
        subject.join('a')
        const outputs = subject.hear('a', message(subject.blocksAsked('a')[0]))

        expect(only(outputs, 'drop').map(({ peer }) => peer)).to.deep.equal(['a'])
        expect(only(outputs, 'block')).to.deep.equal([])
      })
    }

    it('is dropped if it sends a block twice', () => {
      const subject = new Subject()
      subject.join('a')
      const [range] = subject.blocksAsked('a')
      subject.answer('a')

      expect(only(subject.hear('a', block(range)), 'drop')).to.have.length(1)
    })

    it('is not heard before it joined and after it left', () => {
      const subject = new Subject()
      subject.join('a')
      const [range] = subject.blocksAsked('a')
      subject.tell({ type: 'gone', peer: 'a' })

      expect(subject.hear('a', block(range))).to.deep.equal([])
      expect(subject.hear('b', { type: 'have', piece: 99 })).to.deep.equal([])
      expect(subject.tell({ type: 'gone', peer: 'b' })).to.deep.equal([])
    })

    it('harms nothing by rejecting what nobody asked for', () => {
      const subject = new Subject()
      subject.join('a')
      const asked = [...subject.blocksAsked('a')]
      const outputs = subject.hear('a', { type: 'reject', piece: 99, begin: 0, length: PIECE_SIZE })

      expect(only(outputs, 'drop')).to.deep.equal([])
      expect(subject.blocksAsked('a')).to.deep.equal(asked)
    })
  })
})
