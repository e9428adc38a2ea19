import { expect } from 'chai'
import { SwimCore } from '../../src/membership/core/swim.ts'
import { seededRandom } from '../../src/random.ts'
import type { Message, SignedRecord } from '../../src/membership/core/messages.ts'
import type { SwimInput, SwimOutput } from '../../src/membership/core/swim.ts'

function record (peer: string): SignedRecord {
  return { record: { peer, epoch: 1, counter: 0 }, envelope: new Uint8Array(300) }
}

describe('membership: introductions', () => {
  let core: SwimCore
  let outputs: SwimOutput[]

  function tell (input: SwimInput): void {
    outputs = core.handle(input, 0)
  }

  function hear (message: Message): void {
    tell({ type: 'message', from: 'door', message })
  }

  /** The number of the ping that was sent just now, if one was. */
  function pinged (): number | undefined {
    return outputs.flatMap(output => output.type === 'send' && output.message.type === 'ping' ? [output.message.seq] : []).at(-1)
  }

  function introduced (): string[] {
    return outputs.flatMap(output => output.type === 'event' && output.event.type === 'introduced' ? [output.event.peer] : [])
  }

  beforeEach(() => {
    core = new SwimCore({ self: 'self', random: seededRandom(1) })
    tell({ type: 'self', signed: record('self') })
    tell({ type: 'linked', peer: 'door', dialled: true })
  })

  it('end when the other side has answered two pings, one after another', () => {
    const first = pinged() as number
    hear({ type: 'hello', signed: record('door') })
    expect([core.members.get('door')?.state, core.introductions.has('door')]).to.deep.equal(['alive', true])

    hear({ type: 'ack', seq: first, news: [] })
    const second = pinged() as number
    hear({ type: 'ack', seq: first, news: [] })
    expect([introduced(), core.introductions.has('door')]).to.deep.equal([[], true])

    hear({ type: 'ack', seq: second, news: [] })
    expect([introduced(), core.introductions.has('door')]).to.deep.equal([['door'], false])

    hear({ type: 'ack', seq: second, news: [] })
    expect([introduced(), pinged()]).to.deep.equal([[], undefined])
  })

  it('take the answer to a later ping for one that was lost', () => {
    hear({ type: 'ack', seq: pinged() as number + 5, news: [] })
    hear({ type: 'ack', seq: pinged() as number + 5, news: [] })
    expect(introduced()).to.deep.equal(['door'])
  })

  it('have nothing to do with those who are no links', () => {
    tell({ type: 'message', from: 'stranger', message: { type: 'ack', seq: 100, news: [] } })
    expect([introduced(), core.introductions.has('stranger')]).to.deep.equal([[], false])
  })

  for (const type of ['gone', 'unlinked'] as const) {
    it(`are over when the link is ${type}, and begin again with the next`, () => {
      const first = pinged() as number
      tell({ type, peer: 'door' })
      expect(core.introductions.has('door')).to.equal(false)

      tell({ type: 'linked', peer: 'door', dialled: false })
      expect(core.introductions.has('door')).to.equal(true)
      hear({ type: 'ack', seq: first, news: [] })
      expect(pinged()).to.equal(undefined)
    })
  }
})
