import { expect } from 'chai'
import { Challenges } from '../../src/contingency/challenges.ts'
import { MAX_CHALLENGE } from '../../src/contingency/codec.ts'
import { seededRandom } from '../../src/random.ts'
import { bytesOf } from '../fixtures/colony.ts'
import { until } from '../fixtures/contingency.ts'
import { cidOf } from '../fixtures/items.ts'
import type { Challenge, Proof } from '../../src/contingency/codec.ts'

describe('contingency: challenges', () => {
  const item = { cid: cidOf('film'), size: 200_000 }
  const film = bytesOf(item.size)
  let asked: Challenge[]
  let results: Array<[peer: string, right: boolean]>
  let ward: Challenges

  beforeEach(() => {
    asked = []
    results = []
    ward = make(async (_cid, offset, length) => film.slice(offset, offset + length), message => { asked.push(message as Challenge) })
  })

  afterEach(() => { ward.close() })

  function make (read: (cid: unknown, offset: number, length: number) => Promise<Uint8Array | undefined>, send: (message: Challenge | Proof) => void, patience?: number): Challenges {
    return new Challenges({ random: seededRandom(3), read, send: (_to, message) => { send(message) }, onResult: (peer, right) => { results.push([peer, right]) }, patience })
  }

  /** What somebody with these bytes answers. */
  async function proofOf (bytes: Uint8Array | undefined): Promise<Proof> {
    const proofs: Proof[] = []
    await make(async (_cid, offset, length) => bytes?.slice(offset, offset + length), message => { proofs.push(message as Proof) }).answer('ada', asked[0])

    return proofs[0]
  }

  it('are met by who has the bytes, and by nobody else', async () => {
    const cases: Array<[Uint8Array | undefined, boolean]> = [[film, true], [film.map(byte => byte ^ 1), false], [new Uint8Array(0), false], [undefined, false]]

    for (const [bytes, right] of cases) {
      asked = []
      await ward.ask('ben', item, () => true)
      expect(asked[0].length).to.equal(MAX_CHALLENGE)
      const proof = await proofOf(bytes)
      // that of another, or of another question, is none
      ward.take('eve', proof)
      ward.take('ben', { ...proof, id: proof.id ^ 1 })
      ward.take('ben', proof)
      ward.take('ben', proof)
      expect(results).to.deep.equal([['ben', right]])
      results = []
    }
  })

  it('cannot be met with the proof of another time', async () => {
    await ward.ask('ben', item, () => true)
    const proof = await proofOf(film)
    ward.take('ben', proof)
    asked = []
    await ward.ask('ben', item, () => true)
    ward.take('ben', { ...proof, id: asked[0].id })
    expect(results).to.deep.equal([['ben', true], ['ben', false]])
  })

  it('say nothing of who should not have it any more', async () => {
    await ward.ask('ben', item, () => false)
    ward.take('ben', await proofOf(undefined))
    expect(results).to.deep.equal([])
  })

  it('are not met by who does not answer three times in a row', async () => {
    ward = make(async (_cid, offset, length) => film.slice(offset, offset + length), message => { asked.push(message as Challenge) }, 20)

    for (const peer of ['ben', 'cleo', 'ben', 'cleo']) {
      const before = asked.length
      await ward.ask(peer, item, () => true)
      expect(asked.length).to.equal(before + 1)
    }

    await ward.ask('ben', item, () => true)
    await until(() => results.length > 0)
    expect(results).to.deep.equal([['ben', false]])
  })

  it('are not asked of what is not here, nor without end', async () => {
    const silent = make(async () => undefined, message => { asked.push(message as Challenge) })
    await silent.ask('ben', item, () => true)
    expect(asked).to.deep.equal([])
    await Promise.all(Array.from({ length: 300 }, async () => ward.ask('ben', item, () => true)))
    expect(asked.length).to.be.at.most(100)
  })

  it('end', async () => {
    await ward.ask('ben', item, () => true)
    ward.close()
    await ward.ask('ben', item, () => true)
    ward.take('ben', await proofOf(film))
    expect([asked.length, results]).to.deep.equal([1, []])
  })
})
