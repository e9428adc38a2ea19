import { rename, rm } from 'node:fs/promises'
import { stop } from '@libp2p/interface'
import { expect } from 'chai'
import { SharedFolder } from './catalog-folder.ts'
import type { Catalog } from '../../src/catalog/index.ts'

describe('catalog: lost entries', () => {
  let folder: SharedFolder
  let said: string[]

  beforeEach(async () => {
    folder = await SharedFolder.make()
    await folder.write('in/a', '1')
    await folder.write('in/sub/b', '2')
    said = []
  })

  afterEach(async () => {
    await folder.end()
  })

  function listen (catalog: Catalog = folder.catalog): void {
    for (const type of ['entry:added', 'entry:lost', 'entry:removed'] as const) {
      catalog.addEventListener(type, ({ detail }) => { said.push(`${type.slice('entry:'.length)} ${detail.name}`) })
    }
  }

  /** Restarts, listening from the beginning. */
  async function restart (): Promise<void> {
    await stop(folder.catalog)
    await folder.restart()
    listen()
    await folder.until(() => folder.catalog.size === 0 || said.length > 0)
  }

  for (const watch of [false, true]) {
    it(`are told of when they are missing at start, in a folder that is ${watch ? '' : 'not '}watched`, async () => {
      await folder.share('in', { watch })
      await stop(folder.catalog)
      await rm(folder.path('in/a'))
      await restart()
      await folder.until(() => folder.names().join() === 'in/sub/b')

      expect(said).to.deep.equal(['lost a', 'removed a'])
    })

    it(`are told of when all of the folder is away at start, as on a disk that is not mounted, ${watch ? '' : 'not '}watched`, async () => {
      await folder.share('in', { watch })
      await stop(folder.catalog)
      await rename(folder.path('in'), folder.path('away'))
      await restart()
      await folder.until(() => folder.catalog.size === 0)

      expect(said.sort()).to.deep.equal(['lost a', 'lost b', 'removed a', 'removed b'])
    })
  }

  it('are told of when they are opened and not there', async () => {
    const entries = await folder.share('in')
    listen()
    await rm(folder.path('in/a'))
    expect(await folder.catalog.open(entries.find(({ name }) => name === 'a')!.cid)).to.equal(undefined)

    expect(said).to.deep.equal(['lost a', 'removed a'])
  })

  it('are told of when the watched folder vanishes as a whole', async () => {
    await folder.share('in', { watch: true })
    listen()
    await rename(folder.path('in'), folder.path('away'))
    await folder.until(() => folder.catalog.size === 0)

    expect(said.sort()).to.deep.equal(['lost a', 'lost b', 'removed a', 'removed b'])
  })

  it('are told of when the store has lost the bytes', async () => {
    const location: string[] = []
    const open = folder.store.open.bind(folder.store)
    folder.store.open = async (at, options) => {
      location.push(at)

      return open(at, options)
    }

    for await (const { cid } of folder.catalog.share({ name: 'bytes', content: Uint8Array.of(1, 2, 3) })) {
      await (await folder.catalog.open(cid))?.close()
      await folder.store.delete(location[0])
      listen()
      expect(await folder.catalog.open(cid)).to.equal(undefined)
    }

    expect(said).to.deep.equal(['lost bytes', 'removed bytes'])
  })

  it('are told of after they are removed when the new bytes cannot be read', async () => {
    await folder.share('in/a')
    await stop(folder.catalog)
    await folder.write('in/a', 'another', Date.UTC(2021, 0, 1))
    folder.files.open = async () => { throw new Error('The disk is broken') }
    await folder.restart()
    const lost = new Promise<unknown>(resolve => { folder.catalog.addEventListener('entry:lost', resolve) })
    listen()
    await lost

    expect(said).to.deep.equal(['removed a', 'lost a'])
  })

  it('are not those that are unshared', async () => {
    const [{ cid }] = await folder.share('in')
    listen()
    await folder.catalog.unshare(cid)
    await folder.catalog.unshare(folder.path('in'))

    expect(said.filter(text => text.startsWith('lost'))).to.deep.equal([])
    expect(said).to.have.lengthOf(2)
  })

  it('are not those that are deleted or renamed in a watched folder', async () => {
    await folder.share('in', { watch: true })
    listen()
    await rm(folder.path('in/a'))
    await folder.until(() => folder.names().join() === 'in/sub/b')
    await rename(folder.path('in/sub/b'), folder.path('in/sub/c'))
    await folder.until(() => folder.names().join() === 'in/sub/c')
    await rm(folder.path('in/sub'), { recursive: true })
    await folder.until(() => folder.catalog.size === 0)

    expect(said.filter(text => text.startsWith('lost'))).to.deep.equal([])
    expect(said.filter(text => text.startsWith('removed')).sort()).to.deep.equal(['removed a', 'removed b', 'removed c'])
  })

  it('are not those that a new version replaces', async () => {
    await folder.share('in')
    listen()
    await folder.write('in/a', 'another', Date.UTC(2021, 0, 1))
    await folder.share('in')

    expect(said).to.deep.equal(['removed a', 'added a'])
  })
})
