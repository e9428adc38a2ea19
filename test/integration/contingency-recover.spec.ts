import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { Key } from 'interface-datastore/key'
import { memoryStore } from '../../src/store/index.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { bytesOf, failure, readAll, shareBytes } from '../fixtures/colony.ts'
import { contentsOf, copyOf, crash, emptyDisk, has, makeWard, together, until } from '../fixtures/contingency.ts'
import { endAfterEach } from '../fixtures/end-after-each.ts'
import type { RecoverProgressEvent } from '../../src/contingency/index.ts'
import type { Ward, WardInit } from '../fixtures/contingency.ts'
import type { PrivateKey } from '@libp2p/interface'

/** Up to which version others were known to have items. */
const PROMISED = new Key('/formicary/contingency/promised')

describe('contingency: what comes back', function () {
  this.timeout(120_000)

  const nodes = endAfterEach<Ward>(crash)
  let privateKey: PrivateKey
  let others: Ward[]

  beforeEach(async () => {
    privateKey = await generateKeyPair('Ed25519')
    others = await Promise.all([make(), make()])
    await together(...others)
  })

  async function make (init: WardInit = {}): Promise<Ward> {
    return nodes.add(await makeWard(init))
  }

  /** The member whose data this is about, with a disk. */
  async function ward (init: WardInit = {}): Promise<Ward> {
    const node = await make({ privateKey, ...init })
    await together(node, ...others)

    return node
  }

  async function gone (node: Ward): Promise<void> {
    await crash(node)
    await until(() => others.every(peer => peer.services.membership.get(node.peerId)?.state !== 'alive'))
  }

  function namesIn (node: Ward): string[] {
    return [...node.services.catalog.entries()].map(({ name }) => name).sort()
  }

  it('is everything, on an empty disk, with the key', async () => {
    const ada = await ward()
    const film = bytesOf(3_000_000)
    const { cid } = await shareBytes(ada, film, 'film')
    await shareBytes(ada, bytesOf(10), 'song')
    await ada.services.contingency.vault.put('diary', bytesOf(500))
    await ada.services.contingency.settled()
    await gone(ada)

    const again = await ward()
    const progress: Array<RecoverProgressEvent['type']> = []
    const recovery = await again.services.contingency.recover({ onProgress: ({ type }) => { progress.push(type) } })
    expect(recovery).to.deep.include({ entries: 2, values: 1, missing: [] })
    expect(recovery.bytes).to.be.at.least(3_000_510)
    expect(progress.sort()).to.deep.equal(['recover:entry', 'recover:entry', 'recover:value'])
    expect(namesIn(again)).to.deep.equal(['film', 'song'])
    expect(sameBytes(await readAll(again, cid), film)).to.equal(true)
    expect(sameBytes(await again.services.contingency.vault.get('diary') as Uint8Array, bytesOf(500))).to.equal(true)
    expect(await again.services.contingency.recover()).to.deep.equal({ entries: 0, values: 0, bytes: 0, missing: [] })
    await again.services.contingency.settled()
    expect(again.services.contingency.copiesOf(cid)).to.equal(2)
  })

  it('is nothing where nobody keeps anything, which is said', async () => {
    const ada = await ward()
    expect(await failure(ada.services.contingency.recover({ patience: 300 }))).to.have.property('name', 'NotFoundError')
    const reason = new Error('enough')
    expect(await failure(ada.services.contingency.recover({ signal: AbortSignal.abort(reason) }))).to.equal(reason)
  })

  it('is what two nodes with one key had, one after another', async () => {
    const first = await ward()
    await shareBytes(first, bytesOf(1000, 3), 'first')
    await first.services.contingency.vault.put('mine', bytesOf(10))
    await first.services.contingency.settled()
    await gone(first)

    const second = await ward()
    const { cid } = await shareBytes(second, bytesOf(2000, 4), 'second')
    await second.services.contingency.vault.put('yours', bytesOf(20))
    await second.services.contingency.settled()
    await until(() => second.services.contingency.status().items === 4)
    expect(second.services.contingency.copiesOf(cid)).to.equal(2)
    await gone(second)

    const third = await ward()
    expect(await third.services.contingency.recover()).to.deep.include({ entries: 2, values: 2, missing: [] })
    expect(namesIn(third)).to.deep.equal(['first', 'second'])
    expect((await Array.fromAsync(third.services.contingency.vault.list())).map(({ name }) => name).sort()).to.deep.equal(['mine', 'yours'])
  })

  it('is what two nodes with one key have at the same time, as soon as one of them goes', async () => {
    const first = await ward()
    const { cid: left } = await shareBytes(first, bytesOf(1000, 3), 'left')
    await first.services.contingency.settled()
    const second = await make({ privateKey })
    await Promise.all(others.map(async other => second.dial(other.getMultiaddrs())))
    const { cid: right } = await shareBytes(second, bytesOf(2000, 4), 'right')
    await until(() => second.services.contingency.status().items >= 1)
    expect(await Promise.all(others.map(async peer => has(peer, left)))).to.deep.equal([true, true])
    expect(second.services.contingency.status().atRisk.items).to.equal(1)
    await crash(first)

    await until(() => second.services.contingency.copiesOf(right) === 2)
    expect(await Promise.all(others.flatMap(peer => [has(peer, left), has(peer, right)]))).to.deep.equal([true, true, true, true])
    expect(await second.services.contingency.recover()).to.deep.include({ entries: 1, missing: [] })
    expect(namesIn(second)).to.deep.equal(['left', 'right'])
  })

  it('is not what was deleted meanwhile, when an old disk returns', async () => {
    const disk = emptyDisk()
    const first = await ward(disk)
    const [{ cid: old }, { cid: kept }] = [await shareBytes(first, bytesOf(1000, 3), 'old'), await shareBytes(first, bytesOf(500, 8), 'kept')]
    await first.services.contingency.vault.put('secret', bytesOf(10))
    await first.services.contingency.settled()
    const image = { datastore: await copyOf(disk.datastore), store: disk.store }
    // the bytes are on the old disk too
    disk.store.delete = async () => {}
    await first.services.catalog.unshare(old)
    await first.services.contingency.vault.delete('secret')
    const { cid: fresh } = await shareBytes(first, bytesOf(2000, 4), 'fresh')
    await first.services.contingency.settled()
    await until(async () => !await has(others[0], old))
    await gone(first)

    const second = await ward(image)
    const { cid: last } = await shareBytes(second, bytesOf(300, 6), 'last')
    await until(() => namesIn(second).join() === 'kept,last')
    await second.services.contingency.settled()
    expect(await second.services.contingency.recover()).to.deep.include({ entries: 1, values: 0, missing: [] })
    // the store has a file of that name, which nobody deleted
    expect(namesIn(second)).to.deep.equal(['fresh (2)', 'kept', 'last'])
    expect(await second.services.contingency.vault.has('secret')).to.equal(false)
    expect([kept, fresh, last].map(cid => second.services.contingency.copiesOf(cid))).to.deep.equal([2, 2, 2])
    expect(await Promise.all(others.map(async peer => has(peer, old)))).to.deep.equal([false, false])
  })

  it('is what is lost on this disk, unless it is to be forgotten', async () => {
    const disk = emptyDisk()
    const first = await ward(disk)
    const [{ cid: film }, { cid: song }] = [await shareBytes(first, bytesOf(1000, 3), 'film'), await shareBytes(first, bytesOf(500, 8), 'song')]
    await first.services.contingency.settled()
    await gone(first)

    // what it has on record is not in its store any more
    const second = await ward({ ...disk, store: memoryStore() })
    await until(() => namesIn(second).length === 0)
    await second.services.contingency.settled()
    expect([film, song].map(cid => second.services.contingency.copiesOf(cid))).to.deep.equal([2, 2])
    expect(await second.services.contingency.forget(song)).to.equal(1)
    expect(await second.services.contingency.forget(song)).to.equal(0)
    await until(async () => (await Promise.all(others.map(async peer => has(peer, song)))).every(has => !has))
    expect(await second.services.contingency.recover()).to.deep.include({ entries: 1, missing: [] })
    expect(namesIn(second)).to.deep.equal(['film'])
    // what is shared is not forgotten
    expect(await second.services.contingency.forget(film)).to.equal(0)
  })

  it('is not what nobody ever had: all would wait for it for ever', async () => {
    const alone = emptyDisk()
    const first = await make({ privateKey, ...alone })
    await shareBytes(first, bytesOf(1000, 3), 'film')
    await until(() => first.services.contingency.status().items === 1)
    await crash(first)

    const second = await ward({ ...alone, store: memoryStore() })
    const { cid } = await shareBytes(second, bytesOf(500, 8), 'song')
    await second.services.contingency.settled()
    expect(second.services.contingency.status()).to.deep.include({ state: 'protected', items: 1, atRisk: { items: 0, bytes: 0 } })
    expect(second.services.contingency.copiesOf(cid)).to.equal(2)
  })

  it('is what one alone has, of two that should', async () => {
    const disk = emptyDisk()
    const first = await ward({ ...disk, copies: 3 })
    const { cid } = await shareBytes(first, bytesOf(1000, 3), 'film')
    await until(() => first.services.contingency.copiesOf(cid) === 2)
    expect(first.services.contingency.status().state).to.equal('partly')
    await gone(first)

    const second = await ward({ ...disk, copies: 3, store: memoryStore() })
    await until(() => namesIn(second).length === 0 && second.services.contingency.copiesOf(cid) === 2)
    expect(await second.services.contingency.recover()).to.deep.include({ entries: 1, missing: [] })
  })

  it('is what others had just fetched when the power was cut, before this node had noted that', async () => {
    const disk = emptyDisk()
    const first = await ward(disk)
    const { cid } = await shareBytes(first, bytesOf(1000, 3), 'film')
    await first.services.contingency.settled()
    await gone(first)
    await disk.datastore.put(PROMISED, new Uint8Array([0]))

    const second = await ward({ ...disk, store: memoryStore() })
    await until(() => namesIn(second).length === 0 && second.services.contingency.copiesOf(cid) === 2)
    expect(await second.services.contingency.recover()).to.deep.include({ entries: 1, missing: [] })
    expect(namesIn(second)).to.deep.equal(['film'])
  })

  it('is with the others until it is on record here', async () => {
    const first = await ward()
    const { cid } = await shareBytes(first, bytesOf(1000, 3), 'film')
    await first.services.contingency.settled()
    await gone(first)

    const disk = emptyDisk()
    const second = await make({ privateKey, ...disk })
    await shareBytes(second, bytesOf(10), 'song')
    // as soon as it knows others, it would have them keep that
    await until(async () => (await contentsOf(second)).length > 1)
    let failures = 0
    const batch = disk.datastore.batch.bind(disk.datastore)
    disk.datastore.batch = () => ({
      ...batch(),
      commit: async () => {
        failures++
        throw new Error('The disk is full')
      }
    })
    await together(second, ...others)
    await until(() => failures > 2)
    // a signed assignment without it would have the others delete it
    expect(await Promise.all(others.map(async peer => has(peer, cid)))).to.deep.equal([true, true])
    expect(second.services.contingency.copiesOf(cid)).to.equal(0)
    await gone(second)
    disk.datastore.batch = batch

    const third = await ward(disk)
    await until(() => third.services.contingency.status().items === 2)
    await third.services.contingency.recover()
    expect(namesIn(third)).to.include('film')
  })

  it('says what is missing when both contingents are gone as well, and nothing else is lost', async () => {
    const ada = await ward()
    const { cid } = await shareBytes(ada, bytesOf(1000, 3), 'film')
    await ada.services.contingency.settled()
    const risks: string[] = []
    ada.services.contingency.addEventListener('contingency:at-risk', ({ detail }) => { risks.push(String(detail.peer)) })
    await Promise.all(others.map(async peer => crash(peer)))
    await until(() => risks.length > 0 && ada.services.contingency.status().verified === 0)
    expect(others.map(({ peerId }) => String(peerId))).to.include(risks[0])
    expect(ada.services.contingency.status()).to.deep.include({ state: 'unprotected', items: 1, atRisk: { items: 1, bytes: 1000 } })
    expect(ada.services.contingency.status().contingents.map(({ state }) => state)).to.deep.equal(['gone', 'gone'])
    expect(ada.services.contingency.copiesOf(cid)).to.equal(0)
    expect(namesIn(ada)).to.deep.equal(['film'])
  })
})
