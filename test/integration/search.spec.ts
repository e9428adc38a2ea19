import { peerIdFromString } from '@libp2p/peer-id'
import { expect } from 'chai'
import { TypedEventEmitter } from 'main-event'
import { makeEntry, Shelf } from '../fixtures/search-shelf.ts'
import { until } from '../fixtures/until.ts'
import { connect, connectAll, connectLine, findAll, openStreams, startNode, startStranger } from './search-colony.ts'
import type { SearchNode } from './search-colony.ts'
import type { Hit, KeptEntry, SearchCost, SearchMembership, SearchProgressEvent } from '../../src/search/index.ts'
import type { PeerId } from '@libp2p/interface'

function names (hits: Hit[]): string[] {
  return hits.map(({ name }) => name)
}

describe('search', () => {
  const nodes: SearchNode[] = []

  /** Starts nodes that are stopped after the test. */
  async function start (...sources: Array<Parameters<typeof startNode>[0]>): Promise<SearchNode[]> {
    const started = await Promise.all(sources.map(async source => startNode(source)))
    nodes.push(...started)

    return started
  }

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(async node => { await node.stop() }))
  })

  it('finds what this node shares, and then what a node two hops away does, with its addresses', async () => {
    const [a, b, c] = await start(['especial of ours.txt'], ['Something else.txt'], ['Español Especial.pdf'])
    await connectLine([a, b, c])
    const hits = await findAll(a, 'especial')

    expect(names(hits)).to.deep.equal(['especial of ours.txt', 'Español Especial.pdf'])
    expect(hits[0]).to.include({ local: true }).and.have.property('addresses').that.is.empty
    expect(hits[0].holder.equals(a.peerId)).to.equal(true)
    expect(hits[1]).to.include({ local: false, size: 1000, path: '' })
    expect(hits[1].cid.equals(makeEntry('Español Especial.pdf').cid)).to.equal(true)
    expect(hits[1].holder.equals(c.peerId)).to.equal(true)
    expect(hits[1].addresses.map(String)).to.deep.equal(c.getMultiaddrs().map(String))
    await a.dial(hits[1].addresses)
  })

  it('answers for members that are gone, and says for whom', async () => {
    const [a] = await start([])
    const ward = peerIdFromString('12D3KooWHFKTMzwerBtsVmtz4ZZEQy2heafxzWw6wNn5PPYkBxJ5')
    const kept = new Shelf()
    kept.put('owls of who is gone', { ward } as Partial<KeptEntry>)
    const same = kept.put('owls of both', { ward } as Partial<KeptEntry>)
    const b = await startNode(['owls of b'], undefined, undefined, kept)
    nodes.push(b)
    await connect(a, b)

    for (const node of [a, b]) {
      const hits = await findAll(node, 'owls')
      expect(hits.map(({ name, ward }) => [name, ward?.toString()]).sort()).to.deep.equal([
        ['owls of b', undefined], ['owls of both', String(ward)], ['owls of who is gone', String(ward)]
      ])
      expect(hits.map(({ holder, local }) => [holder.equals(b.peerId), local])).to.deep.equal(Array(3).fill([true, node === b]))
    }

    kept.take(same)
    expect(await findAll(a, 'both')).to.deep.equal([])
  })

  it('asks those that membership takes for neighbours, as they change', async () => {
    const [b, c] = await start(['owls of b'], ['owls of c'])
    const neighbours = new Set([String(b.peerId)])
    const membership: SearchMembership = Object.assign(new TypedEventEmitter<{ 'membership:links': CustomEvent<void> }>(), {
      isNeighbour: (peer: PeerId) => neighbours.has(String(peer))
    })
    const a = await startNode([], undefined, membership)
    nodes.push(a)
    await connect(a, b)
    await connect(a, c)
    expect(names(await findAll(a, 'owls'))).to.deep.equal(['owls of b'])
    neighbours.clear()
    neighbours.add(String(c.peerId));
    (membership as unknown as EventTarget).dispatchEvent(new CustomEvent('membership:links'))
    expect(names(await findAll(a, 'owls'))).to.deep.equal(['owls of c'])
  })

  it('goes as far as it has hops, and no further', async () => {
    const line = await start([], ['owls 1'], ['owls 2'], ['owls 3'], ['owls 4'])
    await connectLine(line)

    for (const [hops, found] of [[0, 0], [1, 1], [2, 2], [3, 3], [undefined, 3], [4, 4]]) {
      expect(await findAll(line[0], 'owls', { hops }), `${hops} hops`).to.have.lengthOf(found ?? 0)
    }
  })

  it('gives one hit for each content and holder, in whatever circles the colony is connected', async () => {
    const all = await start(...Array.from({ length: 5 }, () => ['owls.txt', 'OWLS.txt']))
    await connectAll(all)
    const hits = await findAll(all[0], 'owls')

    expect(hits).to.have.lengthOf(10)
    expect(new Set(hits.map(({ cid, holder }) => `${cid}/${holder}`))).to.have.property('size', 10)
  })

  it('gives all fields of an entry, and leaves out those it does not have', async () => {
    const shelf = new Shelf()
    const full = shelf.put('owls.mp4', { path: 'films/2024', size: 12345, mediaType: 'video/mp4', modified: 1_700_000_000_000.5 })
    const bare = shelf.put('more owls')
    const [a, b] = await start(undefined, shelf)
    await connect(a, b)
    const [second, first] = (await findAll(a, 'owls')).sort((a, b) => a.name < b.name ? -1 : 1)

    expect({ ...first, cid: String(first.cid) }).to.deep.include({ ...full, cid: String(full.cid) })
    expect({ ...second, cid: String(second.cid) }).to.deep.include({ ...bare, cid: String(bare.cid) })
    expect(second).not.to.have.any.keys('mediaType', 'modified')
  })

  it('tells a path as far as others accept it', async () => {
    const shelf = new Shelf()
    const folders = Array.from({ length: 300 }, (_, i) => `folder ${i}`)
    shelf.put('owls long', { path: folders.join('/') })
    shelf.put('owls odd', { path: 'a/\u0007/b' })
    const [a, b] = await start(undefined, shelf)
    await connect(a, b)
    const [long, odd] = (await findAll(a, 'owls')).sort((a, b) => a.name < b.name ? -1 : 1)

    expect(folders.join('/').endsWith(`/${long.path}`)).to.equal(true)
    expect(long.path.length).to.be.within(900, 1_024)
    expect(odd.path).to.equal('')
  })

  it('leaves out an entry whose name others would refuse', async () => {
    const [a, b] = await start(undefined, ['owls/of\u0000', 'owls'])
    await connect(a, b)

    expect(names(await findAll(a, 'owls'))).to.deep.equal(['owls'])
  })

  it('filters, and finds exact names and CIDs, everywhere', async () => {
    const shelf = new Shelf(['small owls.txt'])
    const { cid } = shelf.put('owls.mp4', { size: 5_000, mediaType: 'video/mp4' })
    const [a, b, c] = await start([], [], shelf)
    await connectLine([a, b, c])

    expect(names(await findAll(a, 'owls', { minSize: 2_000 }))).to.deep.equal(['owls.mp4'])
    expect(names(await findAll(a, 'owls', { maxSize: 2_000 }))).to.deep.equal(['small owls.txt'])
    expect(names(await findAll(a, 'owls', { mediaType: 'video/*' }))).to.deep.equal(['owls.mp4'])
    expect(names(await findAll(a, 'owls', { extension: 'TXT' }))).to.deep.equal(['small owls.txt'])
    expect(names(await findAll(a, '"OWLS.mp4"'))).to.deep.equal(['owls.mp4'])
    expect(names(await findAll(a, String(cid)))).to.deep.equal(['owls.mp4'])
  })

  it('knows what was added and removed since it started', async () => {
    const shelf = new Shelf(['owls 1'])
    const [a, b] = await start(undefined, shelf)
    await connect(a, b)
    const added = shelf.put('owls 2')

    expect(names(await findAll(a, 'owls')).sort()).to.deep.equal(['owls 1', 'owls 2'])
    shelf.take(added)
    expect(names(await findAll(a, 'owls'))).to.deep.equal(['owls 1'])
  })

  it('answers with all it shares from the moment it has started', async () => {
    const [a] = await start(Array.from({ length: 5_000 }, (_, i) => `owls ${i}.txt`))

    expect(await findAll(a, 'owls', { limit: 1_000 })).to.have.lengthOf(1_000)
    expect(await findAll(a, '4999')).to.have.lengthOf(1)
  })

  it('keeps colonies apart', async () => {
    const a = await startNode([], { network: 'one' })
    const b = await startNode(['owls'], { network: 'two' })
    nodes.push(a, b)
    await connect(a, b)

    expect(await findAll(a, 'owls')).to.deep.equal([])
  })

  it('tells what a search has cost', async () => {
    const all = await start([], ['owls 1'], ['owls 2'], ['owls 3'])
    await connectLine(all)
    const events: SearchProgressEvent[] = []
    await findAll(all[0], 'owls', { onProgress: event => { events.push(event) } })
    const last = events.at(-1)?.detail

    expect(new Set(events.map(({ type }) => type))).to.deep.equal(new Set(['search:cost']))
    expect(last).to.include({ messages: 3, members: 4, hops: 3, unanswered: 0 })
    expect(last?.firstHitMs).to.be.above(0)
  })

  it('throws what a progress listener throws, and goes on with other searches', async () => {
    const [a, b] = await start([], ['owls'])
    await connect(a, b)
    const other = findAll(a, 'owls')
    const failed = await findAll(a, 'owls', { onProgress: () => { throw new Error('of the listener') } }).catch((err: Error) => err)

    expect(failed).to.have.property('message', 'of the listener')
    expect(await other).to.have.lengthOf(1)
  })

  it('gives no more hits than the limit, and leaves no stream open', async () => {
    const all = await start(...Array.from({ length: 4 }, (_, i) => Array.from({ length: 30 }, (_, j) => `owls ${i} ${j}`)))
    await connectLine(all)

    expect(await findAll(all[0], 'owls', { limit: 50 })).to.have.lengthOf(50)
    await until(() => openStreams(...all) === 0)
  })

  it('ends everywhere when the loop is left', async () => {
    const silent = await startStranger(() => {})
    const [a, b, c] = await start([], [], ['owls'])
    nodes.push(silent)
    await connectLine([a, b, c, silent])

    for await (const hit of a.services.search.find('owls', { timeout: 60_000 })) {
      expect(hit.name).to.equal('owls')
      expect(openStreams(a, b, c)).to.be.above(0)
      break
    }

    await until(() => openStreams(a, b, c, silent) === 0)
  })

  it('throws the reason of its signal, and ends everywhere', async () => {
    const silent = await startStranger(() => {})
    const [a, b] = await start(['owls'], [])
    nodes.push(silent)
    await connectLine([a, b, silent])
    const controller = new AbortController()
    const search = a.services.search.find('owls', { timeout: 60_000, signal: controller.signal })
    await search.next()
    const next = search.next().catch((err: Error) => err)
    await until(() => openStreams(silent) === 1)
    controller.abort(new Error('enough'))

    expect(await next).to.have.property('message', 'enough')
    await until(() => openStreams(a, b, silent) === 0)
    expect(await findAll(a, 'owls', { signal: controller.signal }).catch((err: Error) => err)).to.have.property('message', 'enough')
  })

  it('goes on without a neighbour that leaves', async () => {
    const silent = await startStranger(() => {})
    const [a, b] = await start([], ['owls'])
    nodes.push(silent)
    await connect(a, b)
    await connect(a, silent)
    const search = findAll(a, 'owls', { timeout: 60_000 })
    await until(() => openStreams(silent) === 1)
    await silent.stop()

    expect(names(await search)).to.deep.equal(['owls'])
  })

  it('ends what runs when the node stops, and searches again when it has started again', async () => {
    const silent = await startStranger(() => {})
    const [a] = await start(['owls'])
    nodes.push(silent)
    await connect(a, silent)
    const search = findAll(a, 'owls', { timeout: 60_000 }).catch((err: Error) => err)
    await until(() => openStreams(silent) === 1)
    await a.stop()

    expect(await search).to.have.property('name', 'NotStartedError')
    expect(await findAll(a, 'owls').catch((err: Error) => err)).to.have.property('name', 'NotStartedError')
    await a.start()
    expect(await findAll(a, 'owls')).to.have.lengthOf(1)
  })

  const bad: Array<[what: string, query: any, options?: object]> = [
    ['no text', ''],
    ['a blank text', '  '],
    ['a text of 261 characters', 'x'.repeat(261)],
    ['a text that is none', 7],
    ['half a character', '\ud800'],
    ['a limit of 0', 'owls', { limit: 0 }],
    ['a limit of 1,001', 'owls', { limit: 1_001 }],
    ['a limit that is no number', 'owls', { limit: NaN }],
    ['a timeout of 0', 'owls', { timeout: 0 }],
    ['half a hop', 'owls', { hops: 0.5 }],
    ['8 hops', 'owls', { hops: 8 }],
    ['a negative size', 'owls', { minSize: -1 }],
    ['a media type that is none', 'owls', { mediaType: 'video' }]
  ]

  for (const [what, query, options] of bad) {
    it(`refuses to search for ${what}`, async () => {
      const [a] = await start(['owls'])

      expect(await findAll(a, query, options).catch((err: Error) => err)).to.have.property('name', 'InvalidParametersError')
    })
  }

  for (const [shape, connectThem] of [['each connected with each', connectAll], ['in a line', connectLine]] as const) {
    it(`answers 200 searches at once among ten nodes ${shape}`, async () => {
      const all = await start(...Array.from({ length: 10 }, (_, i) => Array.from({ length: 20 }, (_, j) => `owls of ${i} and ${j}.txt`)))
      await connectThem(all)
      const searches = Array.from({ length: 200 }, async (_, i) => {
        const to = shape === 'in a line' ? Math.min(9, i % 10 + 3) : (i + 1 + i % 7) % 10
        let cost: SearchCost | undefined
        const hits = await findAll(all[i % 10], `"owls of ${to} and ${i % 20}.txt"`, { timeout: 30_000, onProgress: ({ detail }) => { cost = detail } })

        return { found: hits.length, unanswered: cost?.unanswered }
      })

      for (const result of await Promise.all(searches)) {
        expect(result).to.deep.equal({ found: 1, unanswered: 0 })
      }

      await until(() => openStreams(...all) === 0)
    })
  }
})
