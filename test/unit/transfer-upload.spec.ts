import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/constants.ts'
import { seededRandom } from '../../src/random.ts'
import { BLOCK_SIZE, MAX_QUEUED, MAX_REQUESTS, OPTIMISTIC_INTERVAL, RECHOKE_INTERVAL } from '../../src/transfer/constants.ts'
import { blocksOf, UploadCore } from '../../src/transfer/core/upload.ts'
import type { Message, Range } from '../../src/transfer/core/messages.ts'
import type { UploadInput, UploadOutput } from '../../src/transfer/core/upload.ts'

type Of<Type extends UploadOutput['type']> = Extract<UploadOutput, { type: Type }>

function only<Type extends UploadOutput['type']> (outputs: UploadOutput[], type: Type): Array<Of<Type>> {
  return outputs.filter((output): output is Of<Type> => output.type === type)
}

function sent (outputs: UploadOutput[], type: Message['type']): string[] {
  return only(outputs, 'send').filter(({ message }) => message.type === type).map(({ to }) => to)
}

/** Bytes of a message's ranges. */
function bytesOf (outputs: UploadOutput[], type: 'reject'): number {
  return only(outputs, 'send').map(({ message }) => message).reduce((sum, message) => sum + (message.type === type ? message.length : 0), 0)
}

function block (piece: number, index = 0): Range {
  return { piece, begin: index * BLOCK_SIZE, length: BLOCK_SIZE }
}

function whole (piece: number): Range {
  return { piece, begin: 0, length: PIECE_SIZE }
}

/** What a node serves, and whom. */
class Subject {
  readonly core: UploadCore
  readonly unchoked = new Set<string>()
  now = 0

  constructor (slots = 2, seed = 1) {
    this.core = new UploadCore({ slots, random: seededRandom(seed) })
  }

  tell (input: UploadInput): UploadOutput[] {
    const outputs = this.core.handle(input, this.now)
    sent(outputs, 'unchoke').forEach(key => { this.unchoked.add(key) })
    sent(outputs, 'choke').forEach(key => { this.unchoked.delete(key) })

    return outputs
  }

  hear (session: string, message: Message): UploadOutput[] {
    return this.tell({ type: 'message', session, message })
  }

  request (session: string, range: Range): UploadOutput[] {
    return this.hear(session, { type: 'request', ...range })
  }

  /** A peer that wants something. */
  join (session: string, { peer = session, content = 'x', complete = true } = {}): UploadOutput[] {
    this.tell({ type: 'peer', session, peer, content, complete })

    return this.hear(session, { type: 'interested' })
  }

  rechoke (): UploadOutput[] {
    this.now += RECHOKE_INTERVAL

    return this.tell({ type: 'timer', id: 'rechoke' })
  }
}

describe('transfer: upload', () => {
  describe('slots', () => {
    it('chokes nobody when no more ask than there are slots', () => {
      const subject = new Subject(3)
      const outputs = ['a', 'b', 'c'].flatMap(key => subject.join(key))

      expect(sent(outputs, 'unchoke')).to.deep.equal(['a', 'b', 'c'])
      expect(only(outputs, 'timer')).to.deep.equal([])
    })

    it('unchokes nobody who is not interested', () => {
      const subject = new Subject()

      expect(subject.tell({ type: 'peer', session: 'a', peer: 'a', content: 'x', complete: true })).to.deep.equal([])
      expect(sent(subject.hear('a', { type: 'interested' }), 'unchoke')).to.deep.equal(['a'])
      expect(subject.hear('a', { type: 'interested' })).to.deep.equal([])
    })

    it('gives a free slot to who waits longest', () => {
      for (const leave of ['gone', 'not-interested'] as const) {
        const subject = new Subject(1)

        for (const key of ['a', 'b', 'c']) {
          subject.now++
          subject.join(key)
        }

        const outputs = leave === 'gone' ? subject.tell({ type: 'gone', session: 'a' }) : subject.hear('a', { type: 'not-interested' })
        expect(sent(outputs, 'unchoke'), leave).to.deep.equal(['b'])
      }
    })

    it('gives one slot to all sessions of a peer', () => {
      const subject = new Subject(1)
      subject.join('1', { peer: 'a', content: 'x' })
      const outputs = [...subject.join('2', { peer: 'a', content: 'y' }), ...subject.join('3', { peer: 'b' })]

      expect(sent(outputs, 'unchoke')).to.deep.equal(['2'])
    })

    it('lets everybody have a turn where nobody gives anything', () => {
      const subject = new Subject(2)
      const keys = ['a', 'b', 'c', 'd', 'e']
      keys.forEach(key => { subject.join(key) })
      const turns = new Map(keys.map(key => [key, 0]))

      for (let i = 0; i < 10; i++) {
        expect(subject.unchoked.size).to.equal(2)
        subject.unchoked.forEach(key => { turns.set(key, 1 + (turns.get(key) ?? 0)) })
        subject.rechoke()
      }

      expect([...turns.values()]).to.deep.equal([4, 4, 4, 4, 4])
    })

    it('serves those who give most, and one at random', () => {
      const subject = new Subject(3)
      const keys = ['a', 'b', 'c', 'd', 'e', 'f']
      keys.forEach(key => { subject.join(key) })
      const optimistic = new Set<string>()

      for (let i = 0; i < 60; i++) {
        subject.tell({ type: 'received', session: 'e', bytes: 5_000 })
        subject.tell({ type: 'received', session: 'f', bytes: 3_000 })
        subject.tell({ type: 'received', session: 'a', bytes: 1_000 })
        subject.rechoke()

        expect([...subject.unchoked]).to.include.members(['e', 'f'])
        expect(subject.unchoked.size).to.equal(3)
        subject.unchoked.forEach(key => { optimistic.add(key) })
      }

      expect(optimistic).to.deep.equal(new Set(keys))
    })

    it('counts what was given since the last time only', () => {
      const subject = new Subject(2)
      const keys = ['a', 'b', 'c']
      keys.forEach(key => { subject.join(key) })
      subject.tell({ type: 'received', session: 'a', bytes: 1_000_000 })
      subject.rechoke()
      expect(subject.unchoked.has('a')).to.equal(true)
      subject.tell({ type: 'received', session: 'b', bytes: 10 })
      subject.rechoke()

      expect(subject.unchoked.has('b')).to.equal(true)
    })

    it('leaves the optimistic slot with one peer for its time', () => {
      const subject = new Subject(2, 5)
      const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
      keys.forEach(key => { subject.join(key) })
      const chosen: string[] = []

      for (let i = 0; i < 30; i++) {
        subject.tell({ type: 'received', session: 'a', bytes: 1_000 })
        subject.rechoke()
        chosen.push([...subject.unchoked].find(key => key !== 'a') ?? '')
      }

      const changes = chosen.slice(1).filter((key, i) => key !== chosen[i]).length
      expect(changes).to.be.within(5, 30 * RECHOKE_INTERVAL / OPTIMISTIC_INTERVAL)
    })
  })

  describe('requests', () => {
    it('are served in the order they came, what lies together in one go', () => {
      const subject = new Subject()
      subject.join('a')
      expect(only(subject.request('a', whole(0)), 'serve')).to.deep.equal([{ type: 'serve', session: 'a', range: whole(0) }])
      expect(only(subject.request('a', block(1, 0)), 'serve').map(({ range }) => range)).to.deep.equal([block(1, 0)])
      expect(subject.request('a', block(1, 1))).to.deep.equal([])
      expect(subject.request('a', block(1, 2))).to.deep.equal([])
      expect(subject.request('a', block(3, 5))).to.deep.equal([])
      const outputs = subject.tell({ type: 'served', session: 'a', range: whole(0) })

      expect(only(outputs, 'serve').map(({ range }) => range)).to.deep.equal([{ piece: 1, begin: BLOCK_SIZE, length: 2 * BLOCK_SIZE }, block(3, 5)])
    })

    it('are served one after another, so that little is read before it is sent', () => {
      const subject = new Subject()
      subject.join('a')
      const serving = [0, 1, 2, 3].flatMap(piece => only(subject.request('a', whole(piece)), 'serve'))
      expect(serving.reduce((sum, { range }) => sum + range.length, 0)).to.equal(2 * PIECE_SIZE)

      for (let i = 0; i < serving.length; i++) {
        serving.push(...only(subject.tell({ type: 'served', session: 'a', range: serving[i].range }), 'serve'))
      }

      expect(serving.map(({ range }) => range)).to.deep.equal([0, 1, 2, 3].map(whole))
    })

    it('for an empty content are served', () => {
      const subject = new Subject()
      subject.join('a')

      expect(only(subject.request('a', { piece: 0, begin: 0, length: 0 }), 'serve')).to.have.length(1)
    })

    it('are rejected while the peer is choked', () => {
      const subject = new Subject(1)
      subject.join('a')
      subject.join('b')

      expect(subject.request('b', block(4))).to.deep.equal([{ type: 'send', to: 'b', message: { type: 'reject', ...block(4) } }])
    })

    it('that wait are rejected when the peer is choked, and what is being sent is finished', () => {
      const subject = new Subject(1)
      subject.join('a')
      subject.join('b')
      const serving = [0, 1, 2, 3].flatMap(piece => only(subject.request('a', whole(piece)), 'serve'))
      const outputs = subject.rechoke()

      expect(sent(outputs, 'choke')).to.deep.equal(['a'])
      expect(bytesOf(outputs, 'reject') + serving.reduce((sum, { range }) => sum + range.length, 0)).to.equal(4 * PIECE_SIZE)
      expect(serving.flatMap(({ range }) => subject.tell({ type: 'served', session: 'a', range }))).to.deep.equal([])
    })

    it('break off with a peer that asks for too much at once', () => {
      const subject = new Subject()
      subject.join('a')
      const outputs = Array.from({ length: MAX_QUEUED / PIECE_SIZE }, (_, piece) => subject.request('a', whole(piece))).flat()
      expect(only(outputs, 'drop')).to.deep.equal([])

      expect(only(subject.request('a', block(99)), 'drop').map(({ session }) => session)).to.deep.equal(['a'])
    })

    for (const length of [0, 1]) {
      it(`break off with a peer that asks for ${length} bytes too often`, () => {
        const subject = new Subject()
        subject.join('a')
        const outputs = Array.from({ length: MAX_REQUESTS }, () => subject.request('a', { piece: 0, begin: 0, length })).flat()
        expect(only(outputs, 'drop')).to.deep.equal([])

        expect(only(subject.request('a', { piece: 0, begin: 0, length }), 'drop').map(({ session }) => session)).to.deep.equal(['a'])
      })
    }

    it('may go on for ever as long as they are served', () => {
      const subject = new Subject()
      subject.join('a')

      for (let piece = 0; piece < 4 * MAX_QUEUED / PIECE_SIZE; piece++) {
        const outputs = subject.request('a', whole(piece))
        expect(only(outputs, 'drop')).to.deep.equal([])
        expect(only(outputs, 'serve')).to.have.length(1)
        subject.tell({ type: 'served', session: 'a', range: whole(piece) })
      }
    })

    it('of who is gone are forgotten', () => {
      const subject = new Subject()
      subject.join('a')
      subject.request('a', whole(0))
      subject.tell({ type: 'gone', session: 'a' })

      expect(subject.request('a', whole(1))).to.deep.equal([])
      expect(subject.tell({ type: 'served', session: 'a', range: whole(0) })).to.deep.equal([])
    })
  })

  describe('cancels', () => {
    it('reject what waits', () => {
      const subject = new Subject()
      subject.join('a')
      ;[0, 1, 2].forEach(piece => { subject.request('a', whole(piece)) })
      const outputs = subject.hear('a', { type: 'cancel', ...block(2, 3) })
      expect(outputs).to.deep.equal([{ type: 'send', to: 'a', message: { type: 'reject', ...block(2, 3) } }])
      const rest = subject.tell({ type: 'served', session: 'a', range: whole(0) })

      expect(only(rest, 'serve').map(({ range }) => range)).to.deep.equal([{ piece: 2, begin: 0, length: 3 * BLOCK_SIZE }])
    })

    it('skip what is being sent', () => {
      const subject = new Subject()
      subject.join('a')
      subject.request('a', whole(0))

      expect(subject.hear('a', { type: 'cancel', ...block(0, 9) })).to.deep.equal([{ type: 'skip', session: 'a', range: block(0, 9) }])
    })

    it('of what was never asked for, or was sent, do nothing', () => {
      const subject = new Subject()
      subject.join('a')
      subject.request('a', whole(0))
      subject.tell({ type: 'served', session: 'a', range: whole(0) })

      expect(subject.hear('a', { type: 'cancel', ...block(0, 0) })).to.deep.equal([])
      expect(subject.hear('a', { type: 'cancel', ...block(7, 0) })).to.deep.equal([])
    })

    it('leave every block answered once, whatever is taken back', () => {
      const random = seededRandom(3)

      for (let round = 0; round < 200; round++) {
        const subject = new Subject()
        subject.join('a')
        const answers = new Map<string, number>()
        const serving: Range[] = []
        const skipped: Range[] = []
        const answer = (ranges: Range[]): void => {
          for (const { piece, begin } of ranges.flatMap(range => [...blocksOf(range)])) {
            answers.set(`${piece} ${begin}`, 1 + (answers.get(`${piece} ${begin}`) ?? 0))
          }
        }
        const take = (outputs: UploadOutput[]): void => {
          serving.push(...only(outputs, 'serve').map(({ range }) => range))
          skipped.push(...only(outputs, 'skip').map(({ range }) => range))
          answer(only(outputs, 'send').map(({ message }) => message).filter(message => message.type === 'reject'))
        }

        ;[0, 1, 2, 3].forEach(piece => { take(subject.request('a', whole(piece))) })

        for (let i = 0; i < 20; i++) {
          take(subject.hear('a', { type: 'cancel', ...block(Math.floor(random() * 4), Math.floor(random() * 16)) }))

          if (random() < 0.3) {
            const range = serving.shift()

            if (range !== undefined) {
              answer([range])
              take(subject.tell({ type: 'served', session: 'a', range }))
            }
          }
        }

        for (let range = serving.shift(); range !== undefined; range = serving.shift()) {
          answer([range])
          take(subject.tell({ type: 'served', session: 'a', range }))
        }

        expect([...answers.values()]).to.deep.equal(new Array(64).fill(1))
      }
    })
  })

  describe('several that fetch the same from a seed', () => {
    it('are sent to each other for what one of them is getting', () => {
      const subject = new Subject()
      subject.join('a')
      subject.join('b')
      subject.request('a', whole(0))

      expect(sent(subject.request('b', whole(0)), 'reject')).to.deep.equal(['b'])
      expect(only(subject.request('b', whole(1)), 'serve')).to.have.length(1)
    })

    it('get it all the same after a few times', () => {
      const subject = new Subject()
      subject.join('a')
      subject.join('b')
      subject.request('a', whole(0))
      let asked = 1

      for (; only(subject.request('b', whole(0)), 'serve').length === 0; asked++) {
        expect(asked).to.be.below(10)
      }

      expect(asked).to.be.above(1)
    })

    it('get it when who was to spread it has left, or was never heard of again', () => {
      for (const how of ['gone', 'silent']) {
        const subject = new Subject()
        subject.join('a')
        subject.join('b')
        subject.request('a', whole(0))
        subject.tell({ type: 'served', session: 'a', range: whole(0) })

        if (how === 'gone') {
          subject.tell({ type: 'gone', session: 'a' })
        } else {
          subject.now += 60_000
        }

        expect(only(subject.request('b', whole(0)), 'serve'), how).to.have.length(1)
      }
    })

    it('get it from who has only part of the content', () => {
      const subject = new Subject()
      subject.join('a', { complete: false })
      subject.join('b', { complete: false })
      subject.request('a', whole(0))

      expect(only(subject.request('b', whole(0)), 'serve')).to.have.length(1)
    })

    it('get it if they fetch another content', () => {
      const subject = new Subject()
      subject.join('a')
      subject.join('b', { content: 'y' })
      subject.request('a', whole(0))

      expect(only(subject.request('b', whole(0)), 'serve')).to.have.length(1)
    })
  })
})
