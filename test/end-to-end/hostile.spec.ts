import { expect } from 'chai'
import { makeHit } from '../fixtures/search-shelf.ts'
import { useColony, webSocketsOf } from './colony.ts'
import { attackAll, frame, once, repeat, startHostile } from './hostile-peer.ts'
import type { PageActor } from './colony.ts'
import type { Attack } from './hostile-peer.ts'
import type { Made } from './made.ts'
import type { Libp2p } from '@libp2p/interface'

const MIB = 2 ** 20
const FILM: Made = { name: 'film about ants.bin', seed: 1, pieces: 8 }

/** Streams of each protocol that an attacker opens. */
const STREAMS = 5

/** What a page may hold more after an attack, in bytes: less than any of them sends. */
const GROWTH = 96 * MIB

const ATTACKS: Array<[string, Attack]> = [
  ['garbage', once(Uint8Array.of(0, 0, 0, 2, 0xc1, 0xc1))],
  ['garbage without end', repeat(new Uint8Array(65_536).fill(0xc1))],
  ['frames of 4 GiB', repeat(new Uint8Array(65_536).fill(0xff))],
  ['messages that there are not, without end', repeat(frame({ type: 'please', text: 'x'.repeat(1_000) }))],
  ['pings without end', repeat(frame({ type: 'ping', seq: 1 }))],
  ['hits without end', repeat(frame({ type: 'hits', hits: [makeHit('film about ants.bin')] }))],
  ['blocks that nobody asked for, without end', repeat(frame({ type: 'block', piece: 0, begin: 0, bytes: new Uint8Array(65_536) }))],
  ['nothing', once()]
]

describe('a page among hostile peers', () => {
  const colony = useColony()

  async function hostile (attack: Attack, page: PageActor, transport: string): Promise<Libp2p> {
    const peer = await startHostile(attack)
    colony.defer(async () => peer.stop())
    const address = peer.getMultiaddrs().find(address => address.toString().includes(transport))
    await page.dial(String(address))

    return peer
  }

  for (const [i, [what, attack]] of ATTACKS.entries()) {
    it(`has what an honest peer shares, and grows by little, while it is sent ${what} on many streams`, async () => {
      const hub = await colony.hub()
      const ada = await colony.node({ name: 'ada', bootstrap: hub.addresses.map(String) })
      const ben = await colony.page({ name: 'ben', bootstrap: webSocketsOf(hub), dataDir: 'ben' })
      await ben.untilLinked(ada.peerId)
      const before = await ben.memory()
      const cid = await ada.share(FILM)
      const peer = await hostile(attack, ben, i % 2 === 0 ? '/ws/' : '/webrtc-direct/')
      const attacked = attackAll(peer, STREAMS, attack)
      await ben.find(`"${FILM.name}"`)

      expect(await ben.download(cid)).to.equal(cid)
      expect(await ben.holds(cid, FILM)).to.equal(true)
      await attacked
      expect(await ben.memory() - before).to.be.below(GROWTH)
      expect(await ben.alive()).to.include.members(['ada', 'ben', 'hub'])
    })
  }

  it('keeps what it fetches in its store, and under a name that harms nobody, whatever a hit says', async () => {
    const hub = await colony.hub()
    const ada = await colony.node({ name: 'ada', bootstrap: hub.addresses.map(String) })
    const ben = await colony.page({ name: 'ben', bootstrap: webSocketsOf(hub), dataDir: 'ben' })
    const names = ['../../x', 'film\u0000\u001b[2J\n.bin', 'C:\\film.bin', '..', 'film/../../y']
    const cids = await Promise.all(names.map(async (_, seed) => ada.share({ name: `right ${seed}.bin`, seed, pieces: 1 })))
    const found = (await ben.find('right', names.length)).map(({ cid }) => cid)
    expect(found).to.have.members(cids)

    for (const [i, cid] of cids.entries()) {
      expect(await ben.downloadAs(cid, names[i])).to.equal(cid)
      expect(await ben.holds(cid, { name: '', seed: i, pieces: 1 })).to.equal(true)
    }

    const paths = await ben.page.evaluate(filesOfOrigin)
    expect(paths.length).to.be.at.least(names.length)
    // all in the one folder of the node
    expect([...new Set(paths.map(path => path.split('/')[1]))]).to.have.lengthOf(1)

    for (const name of await ben.entries()) {
      expect(name).to.match(/^[^/\\\p{Cc}]+$/u).and.not.match(/^\.+$/)
    }
  })
})

/** Paths of all files that the origin of a page has, from its top. */
async function filesOfOrigin (): Promise<string[]> {
  const paths: string[] = []
  const walk = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
    for await (const [name, handle] of (folder as unknown as { entries (): AsyncIterable<[string, FileSystemHandle]> }).entries()) {
      if (handle.kind === 'directory') {
        await walk(handle as FileSystemDirectoryHandle, `${path}/${name}`)
      } else {
        paths.push(`${path}/${name}`)
      }
    }
  }
  await walk(await navigator.storage.getDirectory(), '')

  return paths
}
