import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { delay } from '../../src/delay.ts'
import { createNode, importIdentity } from '../../src/index.ts'
import { NodeProcess } from '../fixtures/node-process.ts'
import type { Entry, Node, NodeEvents, NodeInit } from '../../src/index.ts'

const LISTEN = ['/ip4/127.0.0.1/tcp/0']
const NAME = 'Notes on ants.txt'
const NOTES = 'They never hurry, and they never stop; nobody has told them where the end is.'
const SECRET_NAME = 'diary of ada, volume seven'
const SECRET = 'Nobody but ada may know that ants scare her, and have done so for years.'
const PASSPHRASE = 'a passphrase for the tests'

/** One copy, and little patience, so that each step is seen for itself. */
const CONTINGENCY = { copies: 1, grace: 2_000 }

function bytesOf (text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Files under a folder in which a text is to be read. */
async function filesWith (folder: string, text: string): Promise<string[]> {
  const found: string[] = []

  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)

    if (path.includes(text) || (entry.isFile() && (await readFile(path)).includes(text))) {
      found.push(path)
    }
  }

  return found
}

describe('contingency in a colony', function () {
  this.timeout(120_000)

  let folder: string
  let nodes: Node[]

  async function make (name: string, known: Array<Node | string> = [], init: NodeInit = {}): Promise<Node> {
    const bootstrap = known.flatMap(each => typeof each === 'string' ? [each] : each.addresses.map(String))
    const node = await createNode({ name, listen: LISTEN, dataDir: join(folder, name), bootstrap, contingency: CONTINGENCY, ...init })
    nodes.push(node)

    return node
  }

  async function fill (node: Node): Promise<Entry> {
    const [entry] = await Array.fromAsync(node.share({ name: NAME, content: bytesOf(NOTES) }))
    await node.vault.put(SECRET_NAME, bytesOf(SECRET))
    await node.contingency.settled({ signal: AbortSignal.timeout(30_000) })

    return entry
  }

  async function next<Type extends `contingency:${string}` & keyof NodeEvents> (node: Node, type: Type): Promise<NodeEvents[Type]> {
    return new Promise(resolve => { node.addEventListener(type, event => { resolve(event) }, { once: true }) })
  }

  /** Resolves when a member knows another. */
  async function knows (node: Node, other: Node): Promise<void> {
    while (node.membership.get(other.peerId)?.state !== 'alive') {
      await delay(20)
    }
  }

  function keepers (node: Node): string[] {
    return node.contingency.status().contingents.filter(({ state }) => state === 'verified').map(({ peerId }) => String(peerId))
  }

  beforeEach(async () => {
    nodes = []
    folder = await mkdtemp(join(tmpdir(), 'formicary-contingency-'))
  })

  afterEach(async () => {
    await Promise.all(nodes.map(async node => node.stop({ signal: AbortSignal.timeout(1) })))
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  })

  it('has what a contingent keeps with the next before it goes', async () => {
    const ada = await make('ada')
    const ben = await make('ben', [ada])
    const { cid } = await fill(ada)
    expect(keepers(ada)).to.deep.equal([String(ben.peerId)])
    expect(await filesWith(join(folder, 'ben'), NOTES)).to.not.have.lengthOf(0)
    const cleo = await make('cleo', [ada])
    await Promise.all([knows(ben, cleo), knows(ada, cleo)])

    const handedOver = next(ben, 'contingency:handed-over').then(({ detail }) => ({
      ...detail,
      copies: ada.contingency.copiesOf(cid),
      there: cleo.contingency.status().wards.find(({ peerId }) => peerId.equals(ada.peerId))?.complete
    }))
    await ben.stop()
    const { ward, contingents, copies, there } = await handedOver

    expect(ward.equals(ada.peerId)).to.equal(true)
    expect(contingents.map(String)).to.deep.equal([String(cleo.peerId)])
    expect({ copies, there }).to.deep.equal({ copies: 1, there: true })
    expect(keepers(ada)).to.deep.equal([String(cleo.peerId)])
    expect(await filesWith(join(folder, 'ben'), NOTES)).to.deep.equal([])
    expect(await filesWith(join(folder, 'cleo'), NOTES)).to.not.have.lengthOf(0)
  })

  it('replaces a contingent that is killed', async () => {
    const ada = await make('ada')
    await using ben = new NodeProcess()
    const { peerId } = await ben.tell<{ peerId: string }>({ type: 'start', init: { name: 'ben', listen: LISTEN, bootstrap: ada.addresses.map(String), contingency: CONTINGENCY } })
    const { cid } = await fill(ada)
    expect(keepers(ada)).to.deep.equal([peerId])
    const cleo = await make('cleo', [ada])
    await knows(ada, cleo)

    const missing = next(ada, 'contingency:at-risk')
    const replaced = next(ada, 'contingency:protected')
    await ben.kill()
    expect(String((await missing).detail.peer)).to.equal(peerId)
    expect((await replaced).detail.contingents.map(String)).to.deep.equal([String(cleo.peerId)])
    expect(ada.contingency.copiesOf(cid)).to.equal(1)
    expect(ada.contingency.status()).to.deep.include({ state: 'protected', verified: 1, atRisk: { items: 0, bytes: 0 } })
    expect(await filesWith(join(folder, 'cleo'), NOTES)).to.not.have.lengthOf(0)
  })

  it('finds and gives what a member had that is killed, copies it once more, and gives all of it back', async () => {
    const ben = await make('ben')
    await using ada = new NodeProcess()
    const { peerId } = await ada.tell<{ peerId: string }>({ type: 'start', init: { name: 'ada', listen: LISTEN, bootstrap: ben.addresses.map(String), contingency: CONTINGENCY } })
    await writeFile(join(folder, NAME), NOTES)
    await ada.tell({ type: 'share', path: join(folder, NAME) })
    await ada.tell({ type: 'put', values: { [SECRET_NAME]: Buffer.from(SECRET).toString('base64') } })
    expect(await ada.tell({ type: 'settled', timeout: 30_000 })).to.equal(true)
    const key = await ada.tell<string>({ type: 'identity', passphrase: PASSPHRASE })
    const cleo = await make('cleo', [ben])

    const serving = next(ben, 'contingency:serving')
    const copied = next(cleo, 'contingency:serving')
    await ada.kill()
    expect(String((await serving).detail.ward)).to.equal(peerId)
    // after the grace, cleo has it as well
    const hits = (await Array.fromAsync(cleo.search('notes ants'))).filter(({ local }) => !local)
    expect(hits.map(({ name, holder, ward }) => [name, String(holder), String(ward)])).to.deep.equal([[NAME, String(ben.peerId), peerId]])
    expect(await (await cleo.file(await cleo.download(hits[0]))).text()).to.equal(NOTES)

    // after the grace, ben appoints another, who says that it answers too once it has everything
    expect(String((await copied).detail.ward)).to.equal(peerId)
    expect(cleo.contingency.status().wards.map(ward => [String(ward.peerId), ward.complete])).to.deep.equal([[peerId, true]])

    const returned = next(ben, 'contingency:returned')
    const back = await make('ada', [cleo], { identity: await importIdentity(key, PASSPHRASE) })
    expect(String(back.peerId)).to.equal(peerId)
    const { entries, values, missing } = await back.contingency.recover()
    expect({ entries, values, missing }).to.deep.equal({ entries: 1, values: 1, missing: [] })
    expect(Array.from(back.entries(), ({ name }) => name)).to.deep.equal([NAME])
    expect(await (await back.file([...back.entries()][0])).text()).to.equal(NOTES)
    expect(await back.vault.get(SECRET_NAME)).to.deep.equal(bytesOf(SECRET))
    expect(String((await returned).detail.ward)).to.equal(peerId)
  })

  const SIGNALS: Array<[string, () => AbortSignal]> = [
    ['before it begins', () => AbortSignal.abort()],
    ['in the middle', () => AbortSignal.timeout(1)]
  ]

  for (const [when, signal] of SIGNALS) {
    it(`says whose data is at risk when time to stop is up ${when}, stops all the same, and deletes nothing`, async () => {
      const ada = await make('ada')
      const ben = await make('ben', [ada])
      await fill(ada)
      const cleo = await make('cleo', [ada])
      await knows(ben, cleo)

      const wards: string[][] = []
      ben.addEventListener('contingency:at-risk', ({ detail }) => { wards.push(detail.wards.map(String)) })
      await ben.stop({ signal: signal() })
      expect(wards).to.deep.equal([[String(ada.peerId)]])
      expect(ben.libp2p.status).to.equal('stopped')
      expect(await filesWith(join(folder, 'ben'), NOTES)).to.not.have.lengthOf(0)

      const again = await make('ben', [ada])
      expect(again.peerId.equals(ben.peerId)).to.equal(true)
    })
  }

  it('lets a contingent read nothing of a vault', async () => {
    const ada = await make('ada')
    const ben = await make('ben', [ada])
    await Array.fromAsync(ben.share({ name: 'shared by ben himself.txt', content: bytesOf('ben has this too') }))
    await fill(ada)
    expect(ben.contingency.status().wards.map(({ peerId, complete }) => [String(peerId), complete])).to.deep.equal([[String(ada.peerId), true]])
    await ben.stop({ signal: AbortSignal.timeout(1) })
    const data = join(folder, 'ben')

    // what is there in plain is found: contents and names of what ada shares, and records
    expect(await filesWith(data, NOTES)).to.not.have.lengthOf(0)
    expect(await filesWith(data, NAME)).to.not.have.lengthOf(0)
    expect((await filesWith(data, 'shared by ben himself')).some(path => path.includes('records'))).to.equal(true)

    for (const text of [SECRET, SECRET_NAME, SECRET.slice(0, 12), SECRET_NAME.slice(0, 12)]) {
      expect(await filesWith(data, text)).to.deep.equal([])
      expect(await filesWith(data, Buffer.from(text).toString('hex'))).to.deep.equal([])
    }

    // and the owner can
    expect(await ada.vault.get(SECRET_NAME)).to.deep.equal(bytesOf(SECRET))
  })
})
