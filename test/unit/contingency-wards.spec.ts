import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { Wards } from '../../src/contingency/wards.ts'
import type { Assignment } from '../../src/contingency/core/messages.ts'
import type { KeptRecord } from '../../src/contingency/core/outbox.ts'
import type { Contents, FetchListener } from '../../src/contingency/fetching.ts'
import type { WardsInit } from '../../src/contingency/wards.ts'

/** Three snapshots of a ward, one after another, each with something of the one before. */
const SNAPSHOTS: Record<string, string> = { first: '1ab', blind: '2bc', newest: '3cd' }
const QUOTA = 1000

function cidOf (letter: string): string {
  return CID.createV1(0x55, Digest.create(0x12, new Uint8Array(32).fill(letter.charCodeAt(0)))).toString()
}

function contentsOf (root: string): Contents {
  return { items: [], selected: [], cids: new Set([...SNAPSHOTS[root]].map(cidOf)), pages: new Map() }
}

function assignment (root: string): Assignment {
  return { ward: 'w', epoch: 1 + Object.keys(SNAPSHOTS).indexOf(root), contingents: ['self'], root, rootSize: 10, size: QUOTA, envelope: new Uint8Array(1) }
}

function record (held: string, before?: string): KeptRecord {
  return { appointment: { assignment: assignment('newest') }, quota: QUOTA, held: assignment(held), heldQuota: QUOTA, before: before == null ? undefined : assignment(before) }
}

describe('contingency: what is here of a ward', () => {
  let disk: Set<string>
  let wards: Wards
  let told: Array<[string, boolean]>
  let arrived: () => Promise<void>

  beforeEach(() => {
    disk = new Set()
    told = []
    arrived = async () => {}
    wards = new Wards({
      blocks: {
        has: (cid: CID) => disk.has(String(cid)),
        release: async (cid: CID) => { wards.needs(cid) || disk.delete(String(cid)) }
      },
      fetching: {
        readAll: async ({ root }: { root: string }) => {
          if (!disk.has(cidOf(SNAPSHOTS[root][0]))) {
            throw new Error('Its root is not here')
          }

          return contentsOf(root)
        },
        fetch: async ({ root }: { root: string }, { onPages, onContents }: FetchListener) => {
          const { cids } = contentsOf(root)
          onPages(new Set([...cids].slice(0, 1)))
          await onContents(cids)
          await arrived()
          cids.forEach(cid => disk.add(cid))

          return contentsOf(root)
        }
      },
      log: defaultLogger().forComponent('test'),
      onFetched: (_: string, root: string, ok: boolean) => { told.push([root, ok]) },
      onEntry: () => {}
    } as unknown as WardsInit)
  })

  async function fetch (root: string): Promise<void> {
    const count = told.length
    wards.fetch({ type: 'fetch', assignment: assignment(root), quota: QUOTA, sources: [] })

    while (told.length === count) {
      await Promise.resolve()
    }
  }

  async function keepFirst (): Promise<void> {
    await fetch('first')
    await wards.tidy('w', false)
  }

  function here (): string {
    return [...new Set(Object.values(SNAPSHOTS).join(''))].filter(letter => disk.has(cidOf(letter))).join('')
  }

  it('is the newest snapshot, once nothing else may be needed', async () => {
    await keepFirst()
    await fetch('blind')
    expect(here()).to.equal('1ab2c')
    await wards.tidy('w', false)
    expect(here()).to.equal('b2c')
  })

  it('is what was there before too, as long as that may be needed, and nothing in between', async () => {
    await keepFirst()
    await fetch('blind')
    await wards.tidy('w', true)
    expect(here()).to.equal('1ab2c')
    await fetch('newest')
    await wards.tidy('w', true)
    expect(here()).to.equal('1abc3d')
    await wards.tidy('w', false)
    expect(here()).to.equal('c3d')
  })

  it('is whole until what comes next is on record: there may be a crash before', async () => {
    await keepFirst()
    await fetch('blind')
    await wards.tidy('w', true)
    arrived = async () => { throw new Error('The power was cut') }
    await fetch('newest')
    expect(told.at(-1)).to.deep.equal(['newest', false])
    expect(here()).to.equal('1ab2c')
  })

  const STARTS: Array<[string, string, string, KeptRecord, Array<string | undefined>]> = [
    ['what is on record', '1ab2c', '1ab2c', record('blind', 'first'), ['blind', 'first']],
    ['what was before, if the newest is not whole', '1ab2', '1ab2', record('blind', 'first'), ['first', undefined]],
    ['what was before, if the newest cannot be read', '1abc', '1ab', record('blind', 'first'), ['first', undefined]],
    ['the newest, if what was before cannot be read', 'ab2c', 'b2c', record('blind', 'first'), ['blind', undefined]],
    ['nothing, if neither is whole, and lets go of no part of it', '1b2', '1b2', record('blind', 'first'), [undefined, undefined]],
    ['nothing, if it is not whole, and lets go of no part of it', '2c', '2c', record('blind'), [undefined, undefined]]
  ]

  for (const [what, present, needed, before, expected] of STARTS) {
    it(`is after a start ${what}`, async () => {
      disk = new Set([...present].map(cidOf))
      const [opened] = await wards.open([before])
      expect([opened.held?.root, opened.before?.root]).to.deep.equal(expected)
      expect([...present].filter(letter => wards.needs(CID.parse(cidOf(letter)))).join('')).to.equal(needed)
    })
  }
})
