import { expect } from 'chai'
import * as scavenge from '../../src/node/scavenge.ts'

const KIB = 1024

/** How often something new was made while bytes were counted, `count` times. */
function made (bytes: number, count: number): number {
  let changes = 0

  for (let i = 0; i < count; i++) {
    const { latest } = scavenge
    scavenge.hastenScavenge(bytes)
    changes += Number(scavenge.latest !== latest)
  }

  return changes
}

describe('node: garbage of connections', () => {
  it('makes young objects that keep pace with buffers, large or small', () => {
    expect(made(16 * KIB, 10)).to.equal(10)
    expect(made(KIB, 160)).to.equal(10)
    expect(made(64 * KIB, 10)).to.equal(10)
  })

  it('makes none for next to nothing', () => {
    expect(made(0, 100)).to.equal(0)
  })
})
