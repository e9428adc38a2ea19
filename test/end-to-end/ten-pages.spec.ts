import { expect } from 'chai'
import { useColony, webSocketsOf } from './colony.ts'
import type { Actor } from './colony.ts'
import type { Made } from './made.ts'

const PAGES = 10

describe('ten pages in a colony', () => {
  const colony = useColony()

  it('see each other, find what each has, and are seen and found by Node', async () => {
    const hub = await colony.hub()
    const names = Array.from({ length: PAGES }, (_, i) => `page${i}`)
    const nodes = await Promise.all(['ned', 'nia'].map(async name => colony.node({ name, bootstrap: hub.addresses.map(String) })))
    const pages: Actor[] = await Promise.all(names.map(async name => colony.page({ name, bootstrap: webSocketsOf(hub) })))
    const all = [...pages, ...nodes]
    await Promise.all(all.map(async member => member.untilAlive([...names, 'ned', 'nia', 'hub'])))
    const files = all.map(({ name }, seed): Made => ({ name: `song of ${name}.bin`, seed, pieces: 1 }))
    const cids = await Promise.all(all.map(async (member, i) => member.share(files[i])))

    // all search before anybody downloads: who has downloaded shares what it has, and is found too
    const hits = await Promise.all(all.map(async member => member.find('song', all.length)))

    await Promise.all(all.map(async (member, i) => {
      const found = hits[i]
      const others = new Map(found.map(({ cid, holder }) => [cid, holder]))
      expect([...others.keys()]).to.have.members(cids)
      const next = (i + 1) % all.length
      expect(others.get(cids[next])).to.equal(all[next].peerId)
      expect(await member.download(cids[next])).to.equal(cids[next])
      expect(await member.holds(cids[next], files[next])).to.equal(true)
    }))

    // a machine that is busy may have taken somebody for dead for a while
    await Promise.all(all.map(async member => member.untilAlive([...names, 'ned', 'nia', 'hub'])))
  })
})
