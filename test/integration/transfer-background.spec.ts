import { expect } from 'chai'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, failure, makePeer, readAll, shareBytes, sourceOf } from '../fixtures/colony.ts'
import { GatedStore } from '../fixtures/gate.ts'
import { until } from '../fixtures/until.ts'
import type { Peer } from '../fixtures/colony.ts'

const MIB = 1024 * 1024

describe('transfer in the background', function () {
  this.timeout(60_000)

  let ada: Peer
  let ben: Peer
  let cleo: Peer
  let gate: GatedStore

  beforeEach(async () => {
    gate = new GatedStore();
    [ada, ben, cleo] = await Promise.all([makePeer({ store: gate, uploadLimit: 16_000_000 }), makePeer(), makePeer()])
  })

  afterEach(async () => {
    gate.release()
    await Promise.all([ada, ben, cleo].map(async peer => peer.stop()))
  })

  /** Resolves at the first piece of a download. */
  function begun (peer: Peer, cid: Parameters<Peer['services']['transfer']['download']>[0]): { piece: Promise<unknown>, done: Promise<unknown> } {
    const piece = Promise.withResolvers<void>()
    const done = peer.services.transfer.download(cid, {
      background: true,
      sources: [sourceOf(ada)],
      onProgress: ({ type }) => { type === 'transfer:piece' && piece.resolve() }
    })
    done.catch(piece.reject)

    return { piece: piece.promise, done }
  }

  for (const where of ['the same node', 'another node'] as const) {
    it(`gives way to a download of ${where}, and goes on afterwards`, async () => {
      const [first, second] = await Promise.all([shareBytes(ada, bytesOf(12 * MIB, 1), 'a'), shareBytes(ada, bytesOf(24 * MIB, 2), 'b')])
      // what it has before the other begins does not count
      gate.hold(2 * MIB)
      const background = begun(ben, second.cid)
      await background.piece
      const peer = where === 'the same node' ? ben : cleo
      let ended = false
      void background.done.then(() => { ended = true })
      // in the same node, what the gate still lets through in the background is no more than this
      const before = peer.services.transfer.downloaded
      const foreground = peer.services.transfer.download(first.cid, { sources: [sourceOf(ada)] })
      await until(() => peer.services.transfer.downloaded > before + MIB)
      gate.release()
      await foreground
      // it had begun before: at the same rate it would have had as much by now
      const had = where === 'the same node' ? ben.services.transfer.downloaded - 12 * MIB : ben.services.transfer.downloaded

      expect(ended).to.equal(false)
      expect(had).to.be.below(10 * MIB)
      await background.done
      expect(sameBytes(await readAll(ben, second.cid), bytesOf(24 * MIB, 2))).to.equal(true)
    })
  }

  it('is in a hurry as soon as somebody is, and not any more when they left', async () => {
    const [first, second] = await Promise.all([shareBytes(ada, bytesOf(60 * MIB, 1), 'a'), shareBytes(ada, bytesOf(6 * MIB, 2), 'b')])
    const other = new AbortController()
    // what the other has before there is a hurry does not count
    gate.hold(2 * MIB)
    const busy = failure(cleo.services.transfer.download(first.cid, { sources: [sourceOf(ada)], signal: other.signal }))
    await until(() => gate.waiting > 0)
    const background = begun(ben, second.cid)
    const hurried = ben.services.transfer.download(second.cid)
    await background.piece
    gate.release()
    await Promise.all([hurried, background.done])

    // in the background it would have had a tenth of what the other has
    expect(cleo.services.transfer.downloaded).to.be.below(40 * MIB)
    other.abort(new Error('enough'))
    expect(await busy).to.have.property('message', 'enough')

    const third = await shareBytes(ada, bytesOf(6 * MIB, 3), 'c')
    gate.hold(2 * MIB)
    const hurry = new AbortController()
    const leaving = failure(ben.services.transfer.download(third.cid, { sources: [sourceOf(ada)], signal: hurry.signal }))
    const going = begun(ben, third.cid)
    await going.piece
    hurry.abort(new Error('left'))
    gate.release()
    expect(await leaving).to.have.property('message', 'left')
    await going.done
    expect(sameBytes(await readAll(ben, third.cid), bytesOf(6 * MIB, 3))).to.equal(true)
  })

  for (const [when, background] of [['looks for nobody else while bytes come', true], ['looks for others when it is in the foreground', false]] as const) {
    it(when, async () => {
      const slow = await makePeer({ uploadLimit: 1_500_000 })
      let lookups = 0
      ben.contentRouting.findProviders = async function * () {
        lookups++
        yield * []
      }

      try {
        // for so long that it would look
        const { cid } = await shareBytes(slow, bytesOf(4 * MIB))
        await ben.services.transfer.download(cid, { background, sources: [sourceOf(slow)] })
        expect(lookups > 0).to.equal(!background)
      } finally {
        await slow.stop()
      }
    })
  }

  it('is refused where it is neither true nor false', async () => {
    const { cid } = await shareBytes(ada, bytesOf(10))
    expect(await failure(ben.services.transfer.download(cid, { background: 1 as unknown as boolean }))).to.have.property('name', 'InvalidParametersError')
  })
})
