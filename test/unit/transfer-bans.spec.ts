import { expect } from 'chai'
import { Bans } from '../../src/transfer/bans.ts'

describe('transfer: bans', () => {
  it('are told from what was banned before', () => {
    const bans = new Bans()

    expect(bans.add('eve')).to.equal(true)
    expect(bans.add('eve')).to.equal(false)
    expect(bans.has('eve')).to.equal(true)
    expect(bans.has('ada')).to.equal(false)
  })

  it('are forgotten, the first of them, when there are very many', () => {
    const bans = new Bans()
    const peers = Array.from({ length: 10_001 }, (_, i) => `eve ${i}`)
    peers.forEach(peer => { bans.add(peer) })

    expect(peers.filter(peer => !bans.has(peer))).to.deep.equal(['eve 0'])
  })
})
