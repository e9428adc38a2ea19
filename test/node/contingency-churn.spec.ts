import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Churn } from '../fixtures/churn.ts'
import type { Departure } from '../fixtures/churn.ts'

const MIB = 1024 * 1024

/** Two disks are lost, as many as there are contingents: a third could be the last with something on it. */
const DEPARTURES: Departure[] = [
  { way: 'kill', fate: 'same' },
  { way: 'kill', fate: 'never' },
  { way: 'stop', fate: 'same' },
  { way: 'kill', fate: 'empty' },
  { way: 'stop', fate: 'same' }
]

describe('a colony of processes in which some are killed, some stop, and others come', function () {
  this.timeout(240_000)

  let folder: string
  const lines: string[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-churn-'))
  })

  after(async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  })

  it('loses nothing of what others had', async () => {
    await using colony = new Churn({
      folder,
      members: 6,
      files: 2,
      fileSize: 2 * MIB + 1,
      values: 2,
      departures: DEPARTURES,
      interval: 3_000,
      contingency: { room: 256 * MIB, grace: 3_000, handoverTimeout: 5_000 },
      seed: 1,
      losses: { most: 2, within: Infinity },
      recoveries: 2,
      log: line => { lines.push(line) }
    })
    const { kills, stops, returns, contents, vaults, lost } = await colony.run()

    expect(lost, lines.join('\n')).to.deep.equal([])
    expect({ kills, stops, returns }).to.deep.equal({ kills: 3, stops: 2, returns: { same: 3, empty: 1, never: 1 } })
    expect(contents.all).to.be.at.least(12)
    expect(contents.verified).to.equal(contents.all)
    expect(vaults).to.deep.equal({ all: 2, recovered: 2 })
  })
})
