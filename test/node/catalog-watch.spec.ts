import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { pick, randomInt, seededRandom } from '../../src/random.ts'
import { LONG_AGO, SharedFolder } from './catalog-folder.ts'

describe('catalog: watching', () => {
  let folder: SharedFolder

  beforeEach(async () => {
    folder = await SharedFolder.make()
    await folder.write('in/a', '1')
    await folder.write('in/sub/b', '2')
    await folder.share('in', { watch: true })
  })

  afterEach(async () => {
    await folder.end()
  })

  async function untilNames (...names: string[]): Promise<void> {
    const expected = names.map(name => `in/${name}`).sort().join()
    await folder.until(() => folder.names().join() === expected)
  }

  it('finds new files, and files in new folders', async () => {
    await folder.write('in/c', '3')
    await folder.write('in/new/deep/d', '4')
    await folder.write('in/.hidden/e', '5')
    await untilNames('a', 'c', 'new/deep/d', 'sub/b')
    await folder.write('in/new/deep/er/f', '6')
    await folder.write('in/sub/g', '7')
    await untilNames('a', 'c', 'new/deep/d', 'new/deep/er/f', 'sub/b', 'sub/g')
  })

  it('notices what changes', async () => {
    await folder.write('in/sub/b', 'changed', LONG_AGO + 1)
    await folder.until(() => [...folder.catalog.entries()].some(({ size }) => size === 7))
    expect(await folder.text('b')).to.equal('changed')
    await folder.write('in/sub/b', 'CHANGED', LONG_AGO + 2)
    await folder.until(() => [...folder.catalog.entries()].some(({ modified }) => modified === LONG_AGO + 2))
    expect(await folder.text('b')).to.equal('CHANGED')
  })

  it('notices files and folders that go', async () => {
    await rm(folder.path('in/a'))
    await untilNames('sub/b')
    await rm(folder.path('in/sub'), { recursive: true })
    await untilNames()
    await folder.write('in/sub/c', '3')
    await untilNames('sub/c')
  })

  it('follows files and folders that are renamed', async () => {
    await rename(folder.path('in/a'), folder.path('in/A'))
    await untilNames('A', 'sub/b')
    await rename(folder.path('in/sub'), folder.path('in/other'))
    await untilNames('A', 'other/b')
    await folder.write('in/other/c', '3')
    await untilNames('A', 'other/b', 'other/c')
  })

  it('takes folders that are moved in, and gives up those that are moved out', async () => {
    await folder.write('outside/deep/c', '3')
    await rename(folder.path('outside'), folder.path('in/outside'))
    await untilNames('a', 'outside/deep/c', 'sub/b')
    await rename(folder.path('in/outside'), folder.path('outside'))
    await untilNames('a', 'sub/b')
  })

  it('hashes a file when its writer is done', async () => {
    folder.opened.length = 0
    let pauses = 0

    for (let i = 0; i < 10; i++) {
      const began = performance.now()
      await writeFile(folder.path('in/growing'), 'x'.repeat(i + 1))
      await new Promise(resolve => { setTimeout(resolve, 20) })
      // when the machine is busy with something else, the writer seems to be done, and up to three attempts are made
      pauses += Number(performance.now() - began > 150)
    }

    await untilNames('a', 'growing', 'sub/b')
    expect(await folder.text('growing')).to.equal('x'.repeat(10))
    expect(folder.opened.filter(path => path === 'in/growing').length).to.be.at.most(2 + 3 * pauses)
  })

  it('finds 3,000 files that come at once', async () => {
    await mkdir(folder.path('in/many'))
    await Promise.all(Array.from({ length: 3000 }, async (_, i) => writeFile(folder.path(`in/many/${i}`), `${i}`)))
    await folder.until(() => folder.catalog.size === 3002)
  })

  for (const seed of [1, 2, 3]) {
    it(`ends up with what is there, after 400 changes of seed ${seed}`, async () => {
      const random = seededRandom(seed)
      const place = (): string => `in/${randomInt(random, 3)}/${randomInt(random, 3)}`
      const changes: Array<() => Promise<void>> = [
        async () => folder.write(`${place()}/${randomInt(random, 5)}`, `${random()}`),
        async () => folder.write(`${place()}/${randomInt(random, 5)}`, `${random()}`),
        async () => rm(folder.path(`${place()}/${randomInt(random, 5)}`), { force: true }),
        async () => rename(folder.path(place()), folder.path(place())),
        async () => rename(folder.path(`${place()}/1`), folder.path(`${place()}/2`)),
        async () => rm(folder.path(place()), { recursive: true, force: true }),
        async () => rm(folder.path(place().slice(0, -2)), { recursive: true, force: true }),
        async () => new Promise(resolve => { setTimeout(resolve, randomInt(random, 40)) })
      ]

      for (let i = 0; i < 400; i++) {
        // some cannot be: a folder over one that is not empty, or into itself
        await pick(random, changes)!().catch(() => {})
      }

      await folder.write('in/last', 'last')
      const found: string[] = []

      for await (const item of folder.files.walk(folder.path('in'))) {
        if (item.type === 'file') {
          found.push(`${item.folders}/${item.name}`)
        }
      }

      const expected = found.sort().join()
      await folder.until(() => folder.names().join() === expected)
    })
  }

  it('follows no link that comes later', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'outside '))
    await writeFile(join(outside, 'secret'), 'secret')
    await symlink(outside, folder.path('in/link'))
    await symlink(join(outside, 'secret'), folder.path('in/file'))
    await folder.write('in/z', '3')
    await untilNames('a', 'sub/b', 'z')
    await rm(outside, { recursive: true })
  })

  it('goes on after a restart, with what happened meanwhile', async () => {
    await folder.restart()
    await folder.write('in/c', '3')
    await untilNames('a', 'c', 'sub/b')
    await folder.catalog.unshare(folder.path('in/a'))
    await folder.write('in/d', '4')
    await rm(folder.path('in/c'))
    await folder.restart()
    await untilNames('d', 'sub/b')
    expect(folder.opened).to.deep.equal(['in/d'])
  })

  it('ends when the folder is unshared', async () => {
    await folder.catalog.unshare(folder.path('in'))
    await folder.write('in/c', '3')
    await folder.write('else/d', '4')
    await folder.share('else', { watch: true })
    await folder.write('else/e', '5')
    await folder.until(() => folder.catalog.size === 2)
    await folder.restart()
    await folder.until(() => folder.catalog.size === 2)
    expect(folder.names()).to.deep.equal(['else/d', 'else/e'])
  })

  it('leaves out what is unshared below, until it is shared again', async () => {
    await folder.catalog.unshare(folder.path('in/sub'))
    await folder.write('in/sub/c', '3')
    await folder.write('in/d', '4')
    await untilNames('a', 'd')
    await folder.share('in')
    await untilNames('a', 'd', 'sub/b', 'sub/c')
    await folder.write('in/sub/e', '5')
    await untilNames('a', 'd', 'sub/b', 'sub/c', 'sub/e')
  })

  it('of a file follows it when another takes its place', async () => {
    await folder.write('one', 'old')
    await folder.share('one', { watch: true })
    await folder.write('two', 'newer')
    await rename(folder.path('two'), folder.path('one'))
    await folder.until(() => [...folder.catalog.entries()].some(({ size }) => size === 5))
    expect(await folder.text('one')).to.equal('newer')
    await rm(folder.path('one'))
    await untilNames('a', 'sub/b')
  })

  it('waits for a folder that is gone to come back', async () => {
    await rm(folder.path('in'), { recursive: true })
    await untilNames()
    await folder.write('in/z', '3')
    await untilNames('z')
    await folder.write('in/y', '3')
    await untilNames('y', 'z')
  })

  it('does not begin if sharing is aborted', async () => {
    await folder.write('else/a', '1')
    const controller = new AbortController()
    controller.abort()
    await folder.share('else', { watch: true, signal: controller.signal }).catch(() => {})

    for await (const _entry of folder.catalog.share(folder.path('else'), { watch: true })) {
      break
    }

    await folder.write('else/b', '2')
    await folder.write('in/c', '3')
    await folder.until(() => folder.names().includes('in/c'))
    expect(folder.names()).to.deep.equal(['else/a', 'in/a', 'in/c', 'in/sub/b'])
  })

  it('goes on, by looking, when the system reports no more', async () => {
    const { watch } = folder.files
    const errors: Array<(err: Error) => void> = []
    folder.files.watch = async (root, listener, options) => {
      errors.push(err => { listener.onError(err) })

      return watch(root, { ...listener, onChange () {} }, options)
    }
    await folder.restart()
    await folder.until(() => errors.length === 1)
    await folder.write('in/c', '3')
    errors[0](new Error('overflow'))
    await untilNames('a', 'c', 'sub/b')
  })
})
