import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { createNode } from '../../src/index.ts'
import { failure } from '../fixtures/failure.ts'
import { until } from '../fixtures/until.ts'
import type { Entry, Hit, Node, NodeInit } from '../../src/index.ts'
import type { SearchCost } from '../../src/search/index.ts'

const MIB = 1024 * 1024
const listen = ['/ip4/127.0.0.1/tcp/0']

function bytesOf (size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + (i >> 12) * seed + seed)
}

async function share (node: Node, name: string, content: Uint8Array): Promise<Entry> {
  const [entry] = await Array.fromAsync(node.share({ name, content }))

  return entry
}

/** Searches, and again as long as it finds nothing and says that not all have answered: streams that take 10 s on a busy machine are given up. */
async function find (node: Node, query: string): Promise<Hit[]> {
  for (;;) {
    let cost: SearchCost | undefined
    const hits = await Array.fromAsync(node.search(query, { limit: 1, timeout: 60_000, onProgress: ({ detail }) => { cost = detail } }))

    if (hits.length > 0 || cost?.unanswered === 0) {
      return hits
    }
  }
}

/** What a process holds open; timers of libp2p that stop by themselves are not among it. */
function held (): { files: number, sockets: number } {
  const resources = process.getActiveResourcesInfo()

  return {
    files: readdirSync('/proc/self/fd').length,
    sockets: resources.filter(name => name.startsWith('TCP')).length
  }
}

describe('nodes in a colony', function () {
  this.timeout(120_000)

  let folder: string
  let nodes: Node[]

  async function make (init: NodeInit = {}): Promise<Node> {
    // copies that others make would be among what is counted here
    const node = await createNode({ listen, contingency: false, ...init })
    nodes.push(node)

    return node
  }

  beforeEach(async () => {
    nodes = []
    folder = await mkdtemp(join(tmpdir(), 'formicary-colony-'))
  })

  afterEach(async () => {
    await Promise.all(nodes.map(async node => node.stop()))
    await rm(folder, { recursive: true, force: true })
  })

  it('of ten answer 200 searches and serve 50 downloads at once, and hold nothing after', async () => {
    // all in one process, which on a busy machine takes longer to open 2,000 streams than the 10 s that libp2p gives each
    const patient: NodeInit = { libp2p: { connectionManager: { inboundConnectionThreshold: 1_000, maxIncomingPendingConnections: 1_000, inboundStreamProtocolNegotiationTimeout: 60_000, outboundStreamProtocolNegotiationTimeout: 60_000 } } }
    const before = held()
    const first = await make(patient)
    await Promise.all(Array.from({ length: 9 }, async () => make({ bootstrap: first.addresses, ...patient })))
    await until(() => nodes.every(node => [...node.members({ state: 'alive' })].length === 10))
    await Promise.all(nodes.map(async (node, i) => {
      await share(node, `report number${i}.txt`, bytesOf(20_000 + i, i))
      await share(node, `film number${i}.mkv`, bytesOf(3 * MIB + i, i))
    }))

    const searches = Array.from({ length: 200 }, async (_, i) => {
      expect(await find(nodes[i % 10], `report number${(i + 1 + Math.floor(i / 10)) % 10}`)).to.have.lengthOf(1)
    })
    const downloads = Array.from({ length: 50 }, async (_, i) => {
      const holder = (i + 1 + Math.floor(i / 10)) % 10
      const hits = await find(nodes[i % 10], `"film number${holder}.mkv"`)
      const entry = await nodes[i % 10].download(hits[0])
      expect(entry.size).to.equal(3 * MIB + holder)
    })
    await Promise.all([...searches, ...downloads])
    await Promise.all(nodes.map(async node => node.stop()))

    // the last sockets close a moment later
    for (let wait = 1; wait < 10_000 && held().sockets > before.sockets; wait *= 2) {
      await new Promise(resolve => { setTimeout(resolve, wait) })
    }

    // those of earlier tests may have closed meanwhile
    expect(held().sockets).to.be.at.most(before.sockets)
    expect(held().files).to.be.at.most(before.files + 2)
  })

  it('stop in the middle of everything', async () => {
    const ada = await make({ uploadLimit: 2_000_000, dataDir: join(folder, 'ada') })
    const ben = await make({ bootstrap: ada.addresses, dataDir: join(folder, 'ben') })
    const entry = await share(ada, 'film.mkv', bytesOf(20 * MIB, 1))
    await mkdir(join(folder, 'docs'))
    await Promise.all(Array.from({ length: 300 }, async (_, i) => writeFile(join(folder, 'docs', `${i}.txt`), String(i))))
    const hits = await Array.fromAsync(ben.search('film'))
    const work = [
      ben.download(hits[0]),
      Array.fromAsync(ben.read(entry.cid, { sources: hits, offset: 10 * MIB })),
      Array.fromAsync(ben.share(join(folder, 'docs'))),
      Array.fromAsync(ben.search('nothing like it')),
      ben.download('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
    ].map(async promise => promise.then(() => 'done', (err: Error) => err.name))
    await until(() => ben.libp2p.services.transfer.downloaded > 0)
    const start = performance.now()
    await Promise.all([ben.stop(), ada.stop()])
    const ends = await Promise.all(work)

    expect(performance.now() - start).to.be.below(10_000)
    expect(ends.filter(end => !['done', 'NotStartedError', 'AbortError'].includes(end))).to.deep.equal([])
    expect(ends[0]).to.equal('NotStartedError')
    expect(await failure(ben.download(entry))).to.have.property('name', 'NotStartedError')
    expect(await failure(Array.fromAsync(ben.search('film')))).to.have.property('name', 'NotStartedError')

    // and go on after
    await Promise.all([ada.start(), ben.start()])
    await ben.join(ada.addresses[0])
    await ben.download(hits[0], { sources: [{ holder: ada.peerId, addresses: ada.addresses }] })
    expect([...ben.entries()].some(({ cid }) => cid.equals(entry.cid))).to.equal(true)
  })

  it('joins by the address that works, when those that do not are tried at the same time', async () => {
    const [ada, ben] = await Promise.all([make(), make()])
    const no = [`/ip4/127.0.0.1/udp/9/quic-v1/p2p/${ada.peerId}`, `/ip4/127.0.0.1/udp/10/quic-v1/p2p/${ada.peerId}`]
    const joined = await Promise.allSettled([...no, ada.addresses[0]].map(async address => ben.join(address)))

    expect(joined[2]).to.have.property('status', 'fulfilled')
    expect(ben.libp2p.getConnections().map(({ remotePeer }) => String(remotePeer))).to.include(String(ada.peerId))
  })

  it('can be started and stopped more than once', async () => {
    const node = await make({ dataDir: join(folder, 'a') })
    const { cid } = await share(node, 'a.txt', bytesOf(100, 1))
    await Promise.all([node.start(), node.start()])
    await Promise.all([node.stop(), node.stop()])
    await Promise.all([node.start(), node.stop(), node.start()])

    expect([...node.entries()].map(entry => String(entry.cid))).to.deep.equal([String(cid)])
  })

  it('keep their identity and what they share', async () => {
    const dataDir = join(folder, 'a')
    const first = await make({ dataDir })
    const { cid } = await share(first, 'a.txt', bytesOf(100, 1))
    await first.stop()
    const second = await make({ dataDir })

    expect(String(second.peerId)).to.equal(String(first.peerId))
    expect([...second.entries()].map(entry => String(entry.cid))).to.deep.equal([String(cid)])
  })

  it('give what they shared or fetched as a file, and nothing else', async () => {
    const first = await make({ dataDir: join(folder, 'a') })
    const bytes = bytesOf(2 * 1024 * 1024 + 5, 3)
    const entry = await share(first, 'a.mp3', bytes)
    const second = await make({ dataDir: join(folder, 'b'), bootstrap: first.addresses })
    expect(await failure(second.file(entry))).to.have.property('name', 'NotFoundError')
    await second.download(entry)

    for (const [node, what] of [[first, entry], [second, entry.cid], [second, String(entry.cid)]] as const) {
      const file = await node.file(what)
      expect([file.name, file.type, file.size]).to.deep.equal(['a.mp3', 'audio/mpeg', bytes.byteLength])
      expect(Buffer.compare(Buffer.from(await file.arrayBuffer()), bytes)).to.equal(0)
    }

    expect(await failure(first.file('x'))).to.have.property('name', 'InvalidParametersError')
  })

  it('do not share a data folder', async () => {
    const dataDir = join(folder, 'a')
    const first = await make({ dataDir })
    expect(await failure(createNode({ dataDir, listen }))).to.have.property('name', 'DataDirInUseError')

    await share(first, 'a.txt', bytesOf(100, 1))
    expect([...first.entries()]).to.have.lengthOf(1)
  })

  const wrong: Array<[string, NodeInit]> = [
    ['a network with a slash', { network: 'a/b' }],
    ['an address that is none', { bootstrap: ['localhost:4001'] }],
    ['a server for addresses that is none', { iceServers: [{ urls: ['https://stun.example.org'] }] }],
    ['no upload slots', { uploadSlots: 0 }],
    ['a negative limit', { uploadLimit: -1 }]
  ]

  for (const [what, init] of wrong) {
    it(`refuse ${what}`, async () => {
      expect(await failure(createNode({ listen, ...init }))).to.have.property('name', 'InvalidParametersError')
    })
  }

  it('find a content by its CID alone, through others', async () => {
    const middle = await make()
    const ada = await make({ bootstrap: middle.addresses })
    const ben = await make({ bootstrap: middle.addresses })
    const { cid } = await share(ada, 'film.mkv', bytesOf(2 * MIB, 1))
    const entry = await ben.download(String(cid), { patience: 30_000 })

    expect(entry.size).to.equal(2 * MIB)
  })

  it('of two networks do not mix', async () => {
    const ada = await make({ network: 'one' })
    const ben = await make({ network: 'two' })
    const entry = await share(ada, 'film.mkv', bytesOf(100, 1))
    await ben.join(ada.addresses[0])

    expect(await Array.fromAsync(ben.search('film', { timeout: 500 }))).to.deep.equal([])
    expect(await failure(ben.download(entry, { sources: [{ holder: ada.peerId }], patience: 500 }))).to.have.property('name', 'NotFoundError')
  })

  it('never write outside their folder, whatever a content is called', async () => {
    const names = ['../../x', '/etc/x', 'C:\\x', 'con', '', 'a'.repeat(10_000), '\u0000\u0007\n', '..', '.', 'x/../../../y']
    const ada = await make()
    const ben = await make({ bootstrap: ada.addresses, dataDir: join(folder, 'ben') })

    for (const [i, name] of names.entries()) {
      const { cid, size } = await share(ada, `${i}.txt`, bytesOf(100 + i, i))
      const hit = { cid, size, name, path: '../..', holder: ada.peerId, addresses: [], local: false, score: 1 } as unknown as Hit
      const entry = await ben.download(hit).catch((err: Error) => err)
      expect(entry instanceof Error ? entry.name : entry.size, JSON.stringify(name.slice(0, 20))).to.be.oneOf([100 + i, 'InvalidParametersError'])
    }

    expect(await readdir(folder)).to.deep.equal(['ben'])
    expect((await readdir(join(folder, 'ben'))).sort()).to.deep.equal(['downloads', 'parts', 'records'])
    expect(await readdir(join(folder, 'ben/parts'))).to.deep.equal([])
    const files = await readdir(join(folder, 'ben/downloads'), { withFileTypes: true })
    expect(files.every(file => file.isFile())).to.equal(true)
    expect(files.length).to.be.at.least(7)
  })
})
