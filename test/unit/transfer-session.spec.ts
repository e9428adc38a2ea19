import { peerIdFromString } from '@libp2p/peer-id'
import { expect } from 'chai'
import { decodeMessage } from '../../src/transfer/codec.ts'
import { MAX_EARLY_MESSAGES, MAX_MESSAGE_SIZE } from '../../src/transfer/constants.ts'
import { parseMessage } from '../../src/transfer/core/messages.ts'
import { Session } from '../../src/transfer/session.ts'
import { FrameDecoder } from '../../src/wire/frame.ts'
import { until } from '../fixtures/until.ts'
import type { AnyMessage, Hello, Message } from '../../src/transfer/core/messages.ts'
import type { SessionHandler, SessionLine } from '../../src/transfer/session.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

const PEER = peerIdFromString('12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8')
const hello: Hello = { type: 'hello', root: new Uint8Array(36).fill(1), have: 'none', size: undefined }

/** A line that keeps what is sent, and a handler that notes what is reported. */
class Subject implements SessionLine, SessionHandler {
  readonly peer = PEER
  readonly dialled: boolean
  readonly full = false
  readonly maxWindow = 1_048_576
  readonly sent: AnyMessage[] = []
  readonly reported: string[] = []
  readonly session: Session
  heard = 0
  packets = 0

  constructor ({ dialled = true }: { dialled?: boolean } = {}) {
    this.dialled = dialled
    this.session = dialled ? new Session(this, 'content', this) : new Session(this, '', undefined, hello)
  }

  /** A session that both have said hello in. */
  static open (have: Hello['have'] = 'none'): Subject {
    const subject = new Subject()
    subject.session.begin(hello)
    subject.session.receive({ ...hello, have })
    subject.sent.length = 0
    subject.reported.length = 0

    return subject
  }

  send (frames: Uint8Array | Uint8ArrayList): void {
    this.packets++
    this.sent.push(...Array.from(new FrameDecoder(MAX_MESSAGE_SIZE).push(frames), body => parseMessage(decodeMessage(body))))
  }

  async drained (): Promise<void> {}

  release (): void {
    this.reported.push('release')
  }

  abort (): void {
    this.reported.push('abort')
  }

  opened (): void {
    this.reported.push('opened')
  }

  message (_session: Session, { type }: Message): void {
    this.reported.push(type)
  }

  closed (_session: Session, end: string): void {
    this.reported.push(end)
  }
}

describe('transfer: session', () => {
  it('opens when both have said hello, whoever is first', () => {
    const ours = new Subject()
    ours.session.begin(hello)
    expect(ours.session.open).to.equal(false)
    ours.session.receive(hello)
    expect(ours.session.open).to.equal(true)
    expect(ours.reported).to.deep.equal(['opened'])

    const theirs = new Subject({ dialled: false })
    theirs.session.accept('content', hello, theirs)
    expect(theirs.sent).to.deep.equal([hello])
    expect(theirs.reported).to.deep.equal(['opened'])
  })

  it('hands over what came before our hello, after it, and bounds it', () => {
    const subject = new Subject({ dialled: false })
    subject.session.receive({ type: 'interested' })
    subject.session.receive({ type: 'request', piece: 0, begin: 0, length: 5 })
    subject.session.accept('content', hello, subject)
    expect(subject.reported).to.deep.equal(['opened', 'interested', 'request'])

    const flooded = new Subject({ dialled: false })
    expect(() => {
      for (let i = 0; i <= MAX_EARLY_MESSAGES; i++) {
        flooded.session.receive({ type: 'interested' })
      }
    }).to.throw().with.property('name', 'ProtocolError')
  })

  const early: Message[] = [{ type: 'block', piece: 0, begin: 0, bytes: new Uint8Array(5) }, { type: 'node', cid: new Uint8Array(36) }]

  for (const message of early) {
    it(`keeps no ${message.type} that nobody can have asked for`, () => {
      expect(() => { new Subject({ dialled: false }).session.receive(message) }).to.throw().with.property('name', 'ProtocolError')
    })
  }

  it('refuses a second hello, and any message before the first', () => {
    expect(() => { Subject.open().session.receive(hello) }).to.throw().with.property('name', 'ProtocolError')
    expect(() => { new Subject({ dialled: false }).session.receive(hello) }).to.throw().with.property('name', 'ProtocolError')
    expect(() => { new Subject().session.receive({ type: 'unchoke' }) }).to.throw().with.property('name', 'ProtocolError')
  })

  it('tells a peer that lacks the content from one that has enough', () => {
    const lacking = new Subject()
    lacking.session.begin(hello)
    lacking.session.receive({ type: 'end' })
    expect(lacking.reported).to.deep.equal(['lacking', 'release'])

    const ended = Subject.open()
    ended.session.receive({ type: 'end' })
    expect(ended.reported).to.deep.equal(['ended', 'release'])
    expect(ended.sent).to.deep.equal([{ type: 'end' }])
  })

  it('says end once, and drops what is still under way', () => {
    const { session, sent, reported } = Subject.open()
    session.end()
    session.end()
    session.send({ type: 'interested' })
    session.receive({ type: 'have', piece: 1 })
    session.receive({ type: 'end' })

    expect(sent).to.deep.equal([{ type: 'end' }])
    expect(reported).to.deep.equal(['ended', 'release'])
    expect(session.over).to.equal(true)
  })

  it('is not accepted after it has ended', () => {
    const subject = new Subject({ dialled: false })
    subject.session.receive({ type: 'end' })
    subject.session.accept('content', hello, subject)

    expect(subject.sent).to.deep.equal([{ type: 'end' }])
    expect(subject.reported).to.deep.equal(['release'])
  })

  it('reports once that the stream broke', () => {
    const { session, reported } = Subject.open()
    session.broken(new Error('gone'))
    session.broken(new Error('gone'))

    expect(reported).to.deep.equal(['broken'])
  })

  it('knows what the other has, from its hello and what it gained', () => {
    const { session } = Subject.open(Uint8Array.of(0b1010_0000))
    session.receive({ type: 'have', piece: 1 })
    const pieces = session.pieces(3)
    expect([0, 1, 2].map(piece => pieces.has(piece))).to.deep.equal([true, true, true])
    expect(Subject.open('all').session.pieces(9).full).to.equal(true)
    expect(Subject.open('none').session.pieces(9).count).to.equal(0)
  })

  it('remembers no more gains of a stranger than it has room for, and all that fit the content', () => {
    const gain = (session: Session): void => {
      for (let piece = 0; piece < 70_000; piece++) {
        session.receive({ type: 'have', piece })
      }
    }
    expect(() => { gain(Subject.open().session) }).to.throw().with.property('name', 'ProtocolError')

    const { session } = Subject.open()
    session.pieces(70_000)
    gain(session)
    expect(session.pieces(70_000).full).to.equal(true)
  })

  const unfit: Array<[what: string, have: Hello['have'], gained?: number]> = [
    ['too short', Uint8Array.of(0)],
    ['too long', new Uint8Array(3)],
    ['with pieces after the last', Uint8Array.of(0, 1)],
    ['without a piece it gains', 'none', 9]
  ]

  for (const [what, have, gained] of unfit) {
    it(`refuses a bitfield ${what}`, () => {
      const { session } = Subject.open(have)

      if (gained != null) {
        session.receive({ type: 'have', piece: gained })
      }

      expect(() => session.pieces(9)).to.throw().with.property('name', 'ProtocolError')
    })
  }

  it('sends what is deferred with the next message, or soon', async () => {
    const subject = Subject.open()
    subject.packets = 0
    subject.session.defer({ type: 'have', piece: 1 })
    subject.session.defer({ type: 'have', piece: 2 })
    expect(subject.sent).to.deep.equal([])
    subject.session.send({ type: 'interested' })
    expect(subject.sent.map(({ type }) => type)).to.deep.equal(['have', 'have', 'interested'])
    expect(subject.packets).to.equal(1)

    subject.session.defer({ type: 'have', piece: 3 })
    await until(() => subject.sent.length > 3)
    expect(subject.sent.at(-1)).to.deep.equal({ type: 'have', piece: 3 })
    subject.session.end()
  })
})
