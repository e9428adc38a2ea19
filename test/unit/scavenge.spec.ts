import { expect } from 'chai'
import * as scavenge from '../../src/node/scavenge.ts'

const KIB = 1024

/** How many young objects are made while bytes are counted, `count` times. */
function made (bytes: number, count: number): number {
  const before = scavenge.made

  for (let i = 0; i < count; i++) {
    scavenge.hastenScavenge(bytes)
  }

  return scavenge.made - before
}

describe('node: garbage of connections', () => {
  it('is followed by young objects that keep pace with it, in large parts or small', () => {
    expect(made(16 * KIB, 10)).to.equal(10)
    expect(made(KIB, 160)).to.equal(10)
    expect(made(64 * KIB, 10)).to.equal(40)
  })

  it('is followed by none where there is next to none', () => {
    expect(made(0, 100)).to.equal(0)
  })
})
