import { generateKeyPair } from '@libp2p/crypto/keys'
import { decode } from '@msgpack/msgpack'
import { expect } from 'chai'
import { contingencyProtocol } from '../../src/contingency/constants.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, failure, readAll, shareBytes, sourceOf } from '../fixtures/colony.ts'
import { contentsOf, crash, emptyDisk, has, makeWard, nameOf, together, until } from '../fixtures/contingency.ts'
import { endAfterEach } from '../fixtures/end-after-each.ts'
import type { ContingencyInit, KeptEntry } from '../../src/contingency/index.ts'
import type { Ward, WardInit } from '../fixtures/contingency.ts'
import type { Datastore } from 'interface-datastore'

const PROTOCOL = contingencyProtocol('formicary')

/** Has no items of a node written until what it returns is called. */
function breakItems (datastore: Datastore): () => void {
  const batch = datastore.batch.bind(datastore)
  datastore.batch = () => {
    const all = batch()
    let broken = false

    return {
      put: (key, value) => {
        broken ||= key.toString().startsWith('/formicary/contingency/')
        all.put(key, value)
      },
      delete: key => { all.delete(key) },
      commit: async options => {
        if (broken) {
          throw new Error('The disk is full')
        }

        await all.commit(options)
      }
    }
  }

  return () => { datastore.batch = batch }
}

function isRunning (peer: Ward): boolean {
  try {
    return peer.services.contingency.status() != null
  } catch {
    return false
  }
}

/** Lets nothing happen after something is on record until `release` is called. */
function stopAt (datastore: Datastore, isIt: (key: string, value: Uint8Array) => boolean): { saved: Promise<void>, release: () => void } {
  const put = datastore.put.bind(datastore)
  const [saved, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  datastore.put = async (key, value, options) => {
    await put(key, value, options)

    if (isIt(key.toString(), value)) {
      saved.resolve()
      await released.promise
    }

    return key
  }

  return { saved: saved.promise, release: released.resolve }
}

describe('contingency between nodes', function () {
  this.timeout(120_000)

  // there is no need to hand anything over
  const nodes = endAfterEach<Ward>(crash)

  async function make (init: WardInit = {}): Promise<Ward> {
    return nodes.add(await makeWard(init))
  }

  /** A colony in which all know all. */
  async function colony (size: number, init: WardInit = {}): Promise<Ward[]> {
    const peers = await Promise.all(Array.from({ length: size }, async () => make(init)))
    await together(...peers)

    return peers
  }

  it('waits, and says that nothing is protected, while nobody is there', async () => {
    const ada = await make()
    const { contingency } = ada.services
    await contingency.settled()
    expect(contingency.status()).to.include({ state: 'unprotected', wanted: 2, verified: 0, items: 0 })

    const { cid } = await shareBytes(ada, bytesOf(10))
    const reason = new Error('enough')
    const stop = new AbortController()
    const waiting = failure(contingency.settled({ signal: stop.signal }))
    await until(() => contingency.status().items === 1)
    stop.abort(reason)
    expect(await waiting).to.equal(reason)
    expect(contingency.status()).to.deep.include({ state: 'unprotected', bytes: 10, atRisk: { items: 1, bytes: 10 }, contingents: [], wards: [] })
    expect(contingency.copiesOf(cid)).to.equal(0)
    await contingency.leave()
  })

  it('has as many as wanted keep what a member shares, and what changes', async () => {
    const [ada, ...others] = await colony(3)
    const { contingency, catalog } = ada.services
    const protected_: string[][] = []
    contingency.addEventListener('contingency:protected', ({ detail }) => { protected_.push(detail.contingents.map(String).sort()) })
    const [film, song] = [await shareBytes(ada, bytesOf(3_000_000), 'film'), await shareBytes(ada, bytesOf(1000, 5), 'song')]
    await contingency.settled()

    expect(contingency.status()).to.deep.include({ state: 'protected', verified: 2, items: 2, bytes: 3_001_000, atRisk: { items: 0, bytes: 0 } })
    expect(contingency.status().contingents.map(({ state }) => state)).to.deep.equal(['verified', 'verified'])
    expect([film, song].map(({ cid }) => contingency.copiesOf(cid))).to.deep.equal([2, 2])
    expect(protected_.at(-1)).to.deep.equal(others.map(nameOf).sort())

    for (const other of others) {
      const [ward] = other.services.contingency.status().wards
      expect(ward).to.deep.include({ bytes: 3_001_000, complete: true, serving: false })
      expect(ward.peerId.equals(ada.peerId)).to.equal(true)
      expect(await has(other, film.cid)).to.equal(true)
      // what is kept for others is not among what is shared
      expect([other.services.catalog.size, [...other.services.contingency.entries()].length]).to.deep.equal([0, 0])
    }

    await catalog.unshare(film.cid)
    const poem = await shareBytes(ada, bytesOf(50, 9), 'poem')
    await contingency.settled()
    await until(async () => (await Promise.all(others.map(async other => has(other, film.cid)))).every(has => !has))
    expect(await Promise.all(others.map(async other => has(other, poem.cid)))).to.deep.equal([true, true])
    expect(contingency.status()).to.include({ items: 2, bytes: 1050 })
    expect(others.map(other => other.services.contingency.status().wards[0].bytes)).to.deep.equal([1050, 1050])
  })

  it('says of what was just shared that nobody has it', async () => {
    const [ada] = await colony(3)
    const { contingency } = ada.services
    const { cid } = await shareBytes(ada, bytesOf(100))
    await contingency.settled()
    const said: unknown[] = []
    ada.services.catalog.addEventListener('entry:added', ({ detail }) => {
      const { state, items, atRisk } = contingency.status()
      said.push(state, items, atRisk, contingency.copiesOf(cid), contingency.copiesOf(detail.cid))
    })
    const { cid: fresh } = await shareBytes(ada, bytesOf(200, 5), 'fresh')
    expect(said).to.deep.equal(['partly', 2, { items: 1, bytes: 200 }, 2, 0])
    await contingency.settled()
    expect(contingency.status()).to.deep.include({ state: 'protected', atRisk: { items: 0, bytes: 0 } })
    expect(contingency.copiesOf(fresh)).to.equal(2)
  })

  it('keeps what was shared before there was contingency, and leaves out what a filter does', async () => {
    const disk = emptyDisk()
    const first = await make({ ...disk, filter: () => false })
    const [{ cid }] = [await shareBytes(first, bytesOf(20), 'old'), await shareBytes(first, bytesOf(30), 'secret')]
    await crash(first)
    const [ada] = await Promise.all([make({ ...disk, filter: ({ name }) => name !== 'secret' }), make(), make()])
    await together(ada, ...nodes.all.filter(node => node.status === 'started' && node !== ada))
    await ada.services.contingency.settled()
    expect(ada.services.contingency.status().items).to.equal(1)
    expect(ada.services.contingency.copiesOf(cid)).to.equal(2)
  })

  for (const who of ['ward', 'contingent'] as const) {
    it(`copies nothing again when a ${who} restarts with what it had`, async () => {
      const disks = [emptyDisk(), emptyDisk(), emptyDisk()]
      const keys = await Promise.all(disks.map(async () => generateKeyPair('Ed25519')))
      const peers = await Promise.all(disks.map(async (disk, i) => make({ ...disk, privateKey: keys[i] })))
      await together(...peers)
      const film = await shareBytes(peers[0], bytesOf(2_000_000))
      await peers[0].services.contingency.settled()

      const index = who === 'ward' ? 0 : 1
      await crash(peers[index])
      await until(() => peers.every((peer, i) => i === index || peer.services.membership.get(peers[index].peerId)?.state !== 'alive'))
      const before = peers.map(peer => peer.services.transfer.downloaded)
      peers[index] = await make({ ...disks[index], privateKey: keys[index] })
      await together(...peers)
      await peers[0].services.contingency.settled()
      await until(() => peers.slice(1).every(peer => peer.services.contingency.status().wards[0]?.complete && !peer.services.contingency.status().wards[0].serving))

      expect(peers.map((peer, i) => peer.services.transfer.downloaded - (i === index ? 0 : before[i]))).to.deep.equal([0, 0, 0])
      expect(peers[0].services.contingency.copiesOf(film.cid)).to.equal(2)
    })
  }

  it('deletes nothing of a ward that is just back when it restarts', async () => {
    const disk = emptyDisk()
    const [ada] = await colony(1)
    const privateKey = await generateKeyPair('Ed25519')
    const ben = await make({ ...disk, privateKey })
    await together(ada, ben)
    const { cid: film } = await shareBytes(ada, bytesOf(1000), 'film')
    await until(() => ada.services.contingency.copiesOf(film) === 1)
    await crash(ben)
    await until(() => ada.services.membership.get(ben.peerId)?.state !== 'alive')
    await ada.services.catalog.unshare(film)
    const { cid: song } = await shareBytes(ada, bytesOf(500), 'song')

    const { saved, release } = stopAt(disk.datastore, (key, value) => key.startsWith('/formicary/contingency/kept/') && (decode(value) as { before?: unknown }).before != null)
    const again = await make({ ...disk, privateKey })
    await together(ada, again)
    await saved
    // what a crash left behind is deleted at the next start
    const { cid: stray } = await shareBytes({ services: { catalog: again.services.kept } } as unknown as Ward, bytesOf(77), 'stray')
    expect([await has(again, film), await has(again, song)]).to.deep.equal([true, true])
    const crashed = crash(again)
    await until(() => !isRunning(again))
    release()
    await crashed

    const third = await make({ ...disk, privateKey })
    await until(async () => !await has(third, stray))
    expect(await has(third, film)).to.equal(true)
    expect(await has(third, song)).to.equal(true)
  })

  it('moves on what a contingent keeps before it leaves', async () => {
    const peers = await colony(4)
    const [ada, ...others] = peers
    // its own snapshot, of nothing
    const nothing = await contentsOf(others[0])
    const { cid } = await shareBytes(ada, bytesOf(500_000))
    await ada.services.contingency.settled()
    const goer = others.find(peer => peer.services.contingency.status().wards.length > 0) as Ward
    const handed: string[] = []
    const copies: number[] = []
    goer.services.contingency.addEventListener('contingency:handed-over', ({ detail }) => {
      handed.push(String(detail.ward))
      copies.push(ada.services.contingency.copiesOf(cid))
    })
    await goer.services.contingency.leave()

    expect(handed).to.deep.equal([nameOf(ada)])
    expect(copies).to.deep.equal([2])
    expect(goer.services.contingency.status()).to.deep.include({ wards: [], used: 0 })
    await until(async () => !await has(goer, cid))
    expect(await contentsOf(goer)).to.deep.equal(nothing)
    await goer.stop()
    await ada.services.contingency.settled()
    expect(ada.services.contingency.copiesOf(cid)).to.equal(2)
  })

  it('answers for a ward that is gone, and stops when it is back', async () => {
    const disk = { ...emptyDisk(), privateKey: await generateKeyPair('Ed25519') }
    const ada = await make(disk)
    const [ben, cleo, dora] = await Promise.all([make({ grace: 500 }), make({ grace: 500 }), make({ grace: 500 })])
    await together(ada, ben, cleo, dora)
    const bytes = bytesOf(70_000)
    const { cid } = await shareBytes(ada, bytes, 'film')
    await ada.services.contingency.settled()
    const others = [ben, cleo, dora]
    const keepers = others.filter(peer => peer.services.contingency.status().wards.length > 0)
    const said: string[] = []
    const entries: KeptEntry[] = []
    keepers[0].services.contingency.addEventListener('contingency:serving', ({ detail }) => { said.push(`serving ${String(detail.ward)}`) })
    keepers[0].services.contingency.addEventListener('contingency:returned', ({ detail }) => { said.push(`returned ${String(detail.ward)}`) })
    keepers[0].services.contingency.addEventListener('entry:added', ({ detail }) => { entries.push(detail) })
    keepers[0].services.contingency.addEventListener('entry:removed', ({ detail }) => { said.push(`removed ${detail.name}`) })
    await crash(ada)

    await until(() => keepers.every(peer => [...peer.services.contingency.entries()].length === 1))
    expect(entries).to.have.length(1)
    expect(entries[0]).to.include({ name: 'film', path: '', size: 70_000 })
    expect([entries[0].cid.equals(cid), entries[0].ward.equals(ada.peerId)]).to.deep.equal([true, true])
    const reader = others.find(peer => !keepers.includes(peer)) as Ward
    expect(sameBytes(await readAll(reader, cid, { sources: [sourceOf(keepers[0])] }), bytes)).to.equal(true)
    // two of three were left, and one more is appointed in the place of the ward's own copy
    await until(async () => has(reader, cid))

    const back = await make(disk)
    await together(back, ...others)
    await back.services.contingency.settled()
    await until(() => others.every(peer => [...peer.services.contingency.entries()].length === 0))
    await until(() => said.length === 3)
    expect(said.sort()).to.deep.equal(['removed film', `returned ${nameOf(ada)}`, `serving ${nameOf(ada)}`])
    expect(back.services.transfer.downloaded).to.equal(0)
  })

  it('is announced by who keeps it only while the ward is gone, and only what others can use', async () => {
    const disk = { ...emptyDisk(), privateKey: await generateKeyPair('Ed25519') }
    const [ada, ben] = [await make(disk), await make()]
    const told: string[] = []
    ben.contentRouting.provide = async cid => { told.push(`announces ${cid}`) }
    ben.contentRouting.cancelReprovide = async cid => { told.push(`withdraws ${cid}`) }
    await together(ada, ben)
    const { cid } = await shareBytes(ada, bytesOf(70_000), 'film')
    await ada.services.contingency.vault.put('diary', bytesOf(500))
    await until(() => ben.services.contingency.status().wards[0]?.complete && ada.services.contingency.copiesOf(cid) === 1)
    await crash(ada)
    await until(() => told.includes(`announces ${cid}`))
    expect(told).not.to.include(`withdraws ${cid}`)
    const back = await make(disk)
    await together(back, ben)
    await until(() => told.includes(`withdraws ${cid}`))

    expect(told.filter(what => what.startsWith('announces'))).to.deep.equal([`announces ${cid}`])
  })

  it('is withdrawn only when nobody here offers it any more', async () => {
    const disk = { ...emptyDisk(), privateKey: await generateKeyPair('Ed25519') }
    const [ada, ben] = [await make(disk), await make()]
    const told: string[] = []
    ben.contentRouting.provide = async () => {}
    ben.contentRouting.cancelReprovide = async cid => { told.push(String(cid)) }
    await together(ada, ben)
    const [{ cid }] = [await shareBytes(ada, bytesOf(70_000), 'film'), await shareBytes(ben, bytesOf(70_000), 'the same')]
    await until(() => ben.services.contingency.status().wards[0]?.complete && ada.services.contingency.copiesOf(cid) === 1)
    await crash(ada)
    await until(() => [...ben.services.contingency.entries()].length === 1)
    await ben.services.catalog.unshare(cid)
    expect(told).not.to.include(String(cid))
    await together(await make(disk), ben)
    await until(() => told.includes(String(cid)))
  })

  it('keeps values of the vault, replaces and deletes them, and gives them to nobody else', async () => {
    const [ada, ben, cleo] = await colony(3)
    const { vault } = ada.services.contingency
    await vault.put('diary', new TextEncoder().encode('nobody knows'))
    await vault.put('photo', bytesOf(2_000_000))
    await ada.services.contingency.settled()
    const first = await contentsOf(ben)
    expect(await contentsOf(cleo)).to.deep.equal(first)
    expect(ben.services.contingency.status().wards[0].bytes).to.be.above(2_000_000)
    expect(await ben.services.contingency.vault.get('diary')).to.equal(undefined)

    await vault.put('diary', new TextEncoder().encode('nobody knew'))
    expect(await vault.delete('photo')).to.equal(true)
    await ada.services.contingency.settled()
    await until(async () => (await contentsOf(ben)).length < first.length && (await contentsOf(cleo)).length < first.length)
    expect(new TextDecoder().decode(await vault.get('diary'))).to.equal('nobody knew')
    expect(await vault.get('photo')).to.equal(undefined)
    expect(ben.services.contingency.status().wards[0].bytes).to.be.below(1000)
  })

  it('names the wards that are at risk when there is no time to leave', async () => {
    for (const signal of [AbortSignal.abort(), AbortSignal.timeout(1)]) {
      const peers = await colony(4)
      await shareBytes(peers[0], bytesOf(100_000))
      await peers[0].services.contingency.settled()
      const goer = peers.slice(1).find(peer => peer.services.contingency.status().wards.length > 0) as Ward
      const risks: string[][] = []
      goer.services.contingency.addEventListener('contingency:at-risk', ({ detail }) => { risks.push(detail.wards.map(String)) })
      await goer.services.contingency.leave({ signal })
      expect(risks).to.deep.equal([[nameOf(peers[0])]])
      expect(goer.services.contingency.status().wards).to.have.length(1)
      await nodes.end()
    }
  })

  const DEPARTURES: Array<[string, number, number, number]> = [['nobody has what it has', 1, 1, 1], ['another has what it has', 2, 1, 0], ['it has nothing', 1, 0, 0]]

  for (const [what, size, count, risks] of DEPARTURES) {
    it(`${risks === 0 ? 'names no risk' : 'says that its own data is at risk'} when it leaves and ${what}`, async () => {
      const [ada] = await colony(size)
      let told = 0
      ada.services.contingency.addEventListener('contingency:at-risk', () => { told++ })

      for (let i = 0; i < count; i++) {
        const { cid } = await shareBytes(ada, bytesOf(1000))
        await until(() => ada.services.contingency.copiesOf(cid) === size - 1)
      }

      await ada.services.contingency.leave()
      expect(told).to.equal(risks)
    })
  }

  it('goes on when a record could not be saved', async () => {
    const disk = emptyDisk()
    const put = disk.datastore.put.bind(disk.datastore)
    let failures = 0
    disk.datastore.put = async (key, value) => {
      if (String(key).endsWith('/contingency/ward') && failures++ < 1) {
        throw new Error('The disk is full')
      }

      return put(key, value)
    }
    const [ada, ben, cleo] = await Promise.all([make(disk), make(), make()])
    await together(ada, ben, cleo)
    const { cid } = await shareBytes(ada, bytesOf(100))
    await ada.services.contingency.settled()
    expect(failures).to.be.above(0)
    expect(ada.services.contingency.copiesOf(cid)).to.equal(2)
  })

  it('does not say that it is safe what could not be written, and does when it could', async () => {
    const disk = emptyDisk()
    const [ada] = await colony(2, { copies: 1 })
    const bob = await make({ ...disk, copies: 1 })
    await together(ada, bob)
    await shareBytes(bob, bytesOf(1000), 'film')
    await bob.services.contingency.settled()
    const heal = breakItems(disk.datastore)
    const { cid } = await shareBytes(bob, bytesOf(1000, 5), 'song')
    expect(await failure(bob.services.contingency.settled())).to.have.property('message', 'The disk is full')
    heal()
    await bob.services.contingency.settled()
    expect(bob.services.contingency.copiesOf(cid)).to.equal(1)
  })

  it('says that something is at risk when what it has could not be written before it left', async () => {
    const disk = emptyDisk()
    await colony(2)
    const ada = await make(disk)
    breakItems(disk.datastore)
    await shareBytes(ada, bytesOf(1000), 'film')
    let risks = 0
    ada.services.contingency.addEventListener('contingency:at-risk', () => { risks++ })
    await ada.services.contingency.leave()
    expect(risks).to.equal(1)
  })

  it('checks its options', async () => {
    const cases: ContingencyInit[] = [
      { copies: 0 }, { copies: 9 }, { copies: 1.5 }, { copies: '2' as unknown as number }, { room: -1 }, { room: Infinity }, { room: NaN }, { maxWards: -1 }, { maxWards: 1e9 },
      { grace: -1 }, { grace: 2 ** 31 }, { handoverTimeout: NaN }, { challengeInterval: 0 }, { challengeInterval: 2 ** 31 }, { vaultLimit: -1 }, { filter: 'all' as unknown as () => boolean }
    ]

    for (const init of cases) {
      expect(await failure(makeWard(init)), JSON.stringify(init)).to.have.property('name', 'InvalidParametersError')
    }
  })

  it('stops, twice as well, lets go of everything, and starts again', async () => {
    const [ada, ben, cleo] = await colony(3)
    await shareBytes(ada, bytesOf(100))
    await ada.services.contingency.settled()
    const { contingency, catalog } = ada.services
    const listeners = (): number[] => ['member:down', 'member:updated'].map(type => ada.services.membership.listenerCount(type))
    await crash(ada)
    await ada.stop()
    expect(listeners()).to.deep.equal([0, 0])
    expect(['entry:added', 'entry:lost', 'entry:removed'].map(type => catalog.listenerCount(type))).to.deep.equal([0, 0, 0])
    expect(() => contingency.status()).to.throw().with.property('name', 'NotStartedError')
    expect(() => contingency.vault).to.throw().with.property('name', 'NotStartedError')
    expect([...contingency.entries()]).to.deep.equal([])
    await contingency.leave()
    await until(() => [ben, cleo].every(peer => peer.getConnections().every(({ remotePeer, streams }) => !remotePeer.equals(ada.peerId) && streams.filter(({ protocol }) => protocol === PROTOCOL).length <= 2)))

    await ada.start()
    await together(ada, ben, cleo)
    const { cid } = await shareBytes(ada, bytesOf(200), 'new')
    await contingency.settled()
    expect(contingency.copiesOf(cid)).to.equal(2)
    expect(contingency.status().items).to.equal(2)
  })
})
