import { execFileSync } from 'node:child_process'
import { appendFile, link, mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { stop } from '@libp2p/interface'
import { expect } from 'chai'
import { LevelDatastore } from 'datastore-level'
import { ManifestBuilder, hashPiece, PIECE_SIZE } from '../../src/content/index.ts'
import { LONG_AGO, SharedFolder } from './catalog-folder.ts'
import type { Entry, OpenContent, Skipped } from '../../src/catalog/index.ts'

async function errorOf (promise: Promise<unknown>): Promise<Error> {
  return promise.then(() => { throw new Error('It did not fail') }, (err: Error) => err)
}

describe('catalog of files', () => {
  let folder: SharedFolder
  let skipped: Skipped[]

  beforeEach(async () => {
    folder = await SharedFolder.make()
    skipped = []
    folder.catalog.addEventListener('entry:skipped', ({ detail }) => { skipped.push(detail) })
  })

  afterEach(async () => {
    await folder.end()
  })

  async function openOnly (): Promise<OpenContent> {
    const [entry] = folder.catalog.entries()

    return (await folder.catalog.open(entry.cid))!
  }

  function reasons (): string[] {
    return skipped.map(({ path, reason }) => `${reason} ${basename(path)}`).sort()
  }

  describe('sharing', () => {
    it('names a file by itself', async () => {
      await folder.write('ein schöner Tag.txt', 'hello')
      const [entry] = await folder.share('ein schöner Tag.txt')
      expect(entry).to.deep.include({ name: 'ein schöner Tag.txt', path: '', size: 5, mediaType: 'text/plain', modified: LONG_AGO })
      expect(entry.cid.toString()).to.equal('bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq')
      expect(await folder.text(entry.name)).to.equal('hello')
    })

    it('names files of a folder with the folders, from the shared one on', async () => {
      await folder.write('top/a b/cafe\u0301.txt', '1')
      await folder.write('top/a b/caf\u00e9.txt', '2')
      await folder.write('top/z', '3')
      const entries = await folder.share('top')
      expect(entries.map(({ path, name }) => `${path}:${name}`).sort()).to.deep.equal([
        'top/a b:cafe\u0301.txt', 'top/a b:caf\u00e9.txt', 'top:z'
      ])
      expect(await folder.text('cafe\u0301.txt')).to.equal('1')
      expect(await folder.text('caf\u00e9.txt')).to.equal('2')
    })

    it('gives large files the CID of their pieces', async () => {
      const bytes = Buffer.alloc(3 * PIECE_SIZE + 17, 'formicary')
      await folder.write('big', bytes)
      const builder = new ManifestBuilder()

      for (let offset = 0; offset < bytes.byteLength; offset += PIECE_SIZE) {
        const piece = Uint8Array.from(bytes.subarray(offset, offset + PIECE_SIZE))
        builder.add(await hashPiece(piece), piece.byteLength)
      }

      const [{ cid }] = await folder.share('big')
      expect(cid.toString()).to.equal(builder.finish().root.toString())
      const opened = await openOnly()
      expect(Buffer.compare(await opened.read(PIECE_SIZE - 3, PIECE_SIZE), bytes.subarray(PIECE_SIZE - 3, 2 * PIECE_SIZE - 3))).to.equal(0)
      await opened.close()
    })

    it('skips what is hidden unless asked', async () => {
      await folder.write('.secret', '1')
      await folder.write('.folder/a', '2')
      await folder.write('b', '3')
      await folder.share()
      expect(folder.names()).to.deep.equal(['b'])
      expect(reasons()).to.deep.equal(['hidden .folder', 'hidden .secret'])
      await folder.share('', { hidden: true })
      expect(folder.names()).to.deep.equal(['.folder/a', '.secret', 'b'])
    })

    it('shares what is hidden if it is named', async () => {
      await folder.write('.folder/a', '1')
      await folder.share('.folder')
      expect(folder.names()).to.deep.equal(['.folder/a'])
    })

    it('follows no links', async () => {
      const outside = await mkdtemp(join(tmpdir(), 'outside '))
      await writeFile(join(outside, 'secret'), 'secret')
      await folder.write('in/a', '1')
      await symlink(join(outside, 'secret'), folder.path('in/file out'))
      await symlink(outside, folder.path('in/folder out'))
      await symlink('..', folder.path('in/up'))
      await symlink('.', folder.path('in/cycle'))
      await symlink('a', folder.path('in/same'))
      await symlink('nowhere', folder.path('in/broken'))
      await symlink('loop', folder.path('in/loop'))
      await folder.share('in')
      await rm(outside, { recursive: true })
      expect(folder.names()).to.deep.equal(['in/a'])
      expect(reasons()).to.deep.equal([
        'duplicate cycle', 'duplicate same', 'outside file out', 'outside folder out', 'outside up', 'unreadable broken', 'unreadable loop'
      ])
    })

    it('follows a link that is shared by itself', async () => {
      await folder.write('in/a', '1')
      await symlink('in', folder.path('link'))
      await folder.share('link')
      expect(folder.names()).to.deep.equal(['in/a'])
    })

    it('skips pipes, and other things that are not files', async () => {
      await folder.write('a', '1')
      execFileSync('mkfifo', [folder.path('pipe')])
      await folder.share()
      await folder.share('pipe')
      await folder.catalog.share('/dev/null').next()
      expect(folder.names()).to.deep.equal(['a'])
      expect(reasons()).to.deep.equal(['not-a-file null', 'not-a-file pipe', 'not-a-file pipe'])
    })

    it('does not wait for a pipe that took the place of a file', async () => {
      await folder.write('a', '1')
      const { open } = folder.files
      folder.files.open = async path => {
        await rm(path)
        execFileSync('mkfifo', [path])

        return open(path)
      }
      expect(await folder.share()).to.deep.equal([])
    })

    it('opens no link that took the place of a file', async () => {
      await folder.write('a', '1')
      await folder.write('elsewhere/b', 'secret')
      const { open } = folder.files
      folder.files.open = async path => {
        await rm(path)
        await symlink('elsewhere/b', path)

        return open(path)
      }
      expect(await folder.share('a')).to.deep.equal([])
    })

    it('skips names that cannot be shown', async () => {
      await folder.write('line\nbreak', '1')
      await folder.write('control\u001b[2J/a', '1')
      await folder.write('b', '1')
      await writeFile(Buffer.concat([Buffer.from(folder.path('latin')), Buffer.of(0xe4)]), '1')
      await folder.share()
      expect(folder.names()).to.deep.equal(['b'])
      expect(skipped.map(({ reason }) => reason)).to.deep.equal(['bad-name', 'bad-name', 'bad-name'])
    })

    it('skips what cannot be read, and says why', async () => {
      await folder.write('a', '1')
      await folder.write('b', '2')
      const { open } = folder.files
      folder.files.open = async path => {
        if (path.endsWith('a')) {
          throw Object.assign(new Error('denied'), { code: 'EACCES' })
        }

        return open(path)
      }
      const seen: string[] = []
      await folder.share('', { onProgress: ({ type, detail }) => { seen.push(`${type} ${basename(detail.path)}`) } })
      expect(folder.names()).to.deep.equal(['b'])
      expect(skipped).to.have.lengthOf(1)
      expect(skipped[0]).to.deep.include({ path: folder.path('a'), reason: 'unreadable' })
      expect(skipped[0].cause).to.have.property('message', 'denied')
      expect(seen.sort()).to.deep.equal(['share:bytes b', 'share:file a', 'share:file b', 'share:skipped a'])
    })

    it('skips a file that is written to all the time', async () => {
      await folder.write('log', '1')
      const { open } = folder.files
      folder.files.open = async path => {
        const reader = await open(path)
        const version = reader.version.bind(reader)
        reader.version = async () => {
          await appendFile(path, '1')
          await utimes(path, 1, ++time)

          return version()
        }

        return reader
      }
      let time = 1
      expect(await folder.share()).to.deep.equal([])
      expect(reasons()).to.deep.equal(['changing log'])
      expect(folder.opened).to.have.lengthOf(3)
    })

    it('waits until a file is old enough for the next change to show', async () => {
      await folder.write('a', '1', Date.now())
      const [{ modified }] = await folder.share('a')
      expect(Date.now() - modified!).to.be.at.least(50)
    })

    it('shares files with a time in the future, or before 1970', async () => {
      await folder.write('future', '1', Date.now() + 1e9)
      await folder.write('past', '2', -1e9)
      await folder.share()
      expect(folder.names()).to.deep.equal(['future', 'past'])
      await folder.restart()
      expect(folder.names()).to.deep.equal(['future', 'past'])
    })

    it('fails if there is nothing', async () => {
      expect(await errorOf(folder.share('nothing'))).to.have.property('name', 'NotFoundError')
      await folder.write('file', '1')
      expect(await errorOf(folder.share('file/below'))).to.have.property('name', 'NotFoundError')
      expect(await errorOf(folder.share('nul\0'))).to.be.an('error')
    })

    it('takes empty files and folders', async () => {
      await folder.write('empty', '')
      await mkdir(folder.path('folder'))
      await folder.share()
      expect(folder.names()).to.deep.equal(['empty'])
      expect(await folder.text('empty')).to.equal('')
    })

    it('gives equal files entries of their own', async () => {
      await folder.write('a', 'same')
      await folder.write('b', 'same')
      const [{ cid }] = await folder.share()
      expect(folder.catalog.get(cid).map(({ name }) => name).sort()).to.deep.equal(['a', 'b'])
      expect(folder.catalog.size).to.equal(2)
    })

    it('reads nothing again that has not changed', async () => {
      await folder.write('a', '1')
      await folder.write('b', '2')
      await folder.share()
      folder.opened.length = 0
      await folder.write('b', '22', LONG_AGO + 1)
      const entries = await folder.share()
      expect(entries.map(({ name, size }) => `${name} ${size}`).sort()).to.deep.equal(['a 1', 'b 2'])
      expect(folder.opened).to.deep.equal(['b'])
    })

    it('forgets what is gone from a folder that is shared again', async () => {
      await folder.write('a', '1')
      await folder.write('b', '2')
      await folder.share()
      await rm(folder.path('a'))
      await folder.share()
      expect(folder.names()).to.deep.equal(['b'])
    })

    it('hashes once when a folder is shared twice at once', async () => {
      for (let i = 0; i < 50; i++) {
        await folder.write(`${i % 5}/${i}`, `${i}`)
      }

      const [first, second] = await Promise.all([folder.share(), folder.share()])
      expect([first.length, second.length, folder.catalog.size, folder.opened.length]).to.deep.equal([50, 50, 50, 50])
    })

    it('names a file by the longer path of two shares, whichever comes first', async () => {
      await folder.write('x/y/a', '1')
      await folder.share('x/y/a')
      await folder.share('x')
      expect(folder.names()).to.deep.equal(['x/y/a'])
      await folder.share('x/y')
      expect(folder.names()).to.deep.equal(['x/y/a'])
      expect(folder.opened).to.deep.equal(['x/y/a'])
    })

    it('yields small files while a large one is hashed', async () => {
      await folder.write('a', Buffer.alloc(64 * PIECE_SIZE))
      await folder.write('b', '1')
      expect((await folder.share()).map(({ name }) => name)).to.deep.equal(['b', 'a'])
    })

    it('ends when it is aborted, and keeps what it yielded', async () => {
      for (let i = 0; i < 100; i++) {
        await folder.write(`${i}`, `${i}`)
      }

      const controller = new AbortController()
      const yielded: Entry[] = []
      const error = await errorOf((async () => {
        for await (const entry of folder.catalog.share(folder.root, { signal: controller.signal })) {
          yielded.push(entry)

          if (yielded.length === 10) {
            controller.abort(new Error('enough'))
          }
        }
      })())

      expect(error).to.have.property('message', 'enough')
      expect(folder.catalog.size).to.be.within(10, 30)
      yielded.forEach(({ cid }) => { expect(folder.catalog.has(cid)).to.equal(true) })
      expect(await folder.share()).to.have.lengthOf(100)
    })

    it('ends in the middle of a large file', async () => {
      await folder.write('a', Buffer.alloc(256 * PIECE_SIZE))
      const controller = new AbortController()
      let bytes = 0
      await errorOf(folder.share('a', {
        signal: controller.signal,
        onProgress: event => {
          bytes = event.type === 'share:bytes' ? event.detail.bytes : 0
          controller.abort()
        }
      }))
      expect(bytes).to.be.below(8 * PIECE_SIZE)
      expect(folder.catalog.size).to.equal(0)
    })

    it('stops when nobody wants more', async () => {
      for (let i = 0; i < 100; i++) {
        await folder.write(`${i}`, `${i}`)
      }

      for await (const _entry of folder.catalog.share(folder.root)) {
        break
      }

      const { length } = folder.opened
      expect(length).to.be.below(30)
      await new Promise(resolve => { setImmediate(resolve) })
      expect(folder.opened).to.have.lengthOf(length)
    })

    it('takes 5,000 small files', async () => {
      await mkdir(folder.path('many'))

      for (let i = 0; i < 5000; i++) {
        await writeFile(folder.path(`many/${i}`), `${i}`)
      }

      expect(await folder.share('many')).to.have.lengthOf(5000)
      expect(folder.catalog.size).to.equal(5000)
      expect(await folder.text('4321')).to.equal('4321')
    })
  })

  describe('changes', () => {
    it('of bytes while open are never served, and are hashed again', async () => {
      await folder.write('a', 'old')
      const [before] = await folder.share('a')
      const opened = await openOnly()
      const events: string[] = []
      folder.catalog.addEventListener('entry:removed', ({ detail }) => { events.push(`-${detail.cid}`) })
      folder.catalog.addEventListener('entry:added', ({ detail }) => { events.push(`+${detail.cid}`) })
      await folder.write('a', 'new', LONG_AGO + 1)
      expect(await errorOf(opened.read(0, 3))).to.have.property('name', 'ContentChangedError')
      expect(folder.catalog.has(before.cid)).to.equal(false)
      expect(await errorOf(opened.read(0, 3))).to.have.property('name', 'ContentChangedError')
      await opened.close()
      await folder.until(() => folder.catalog.size === 1)
      const [after] = folder.catalog.entries()
      expect(events).to.deep.equal([`-${before.cid}`, `+${after.cid}`])
      expect(after).to.include({ name: 'a', modified: LONG_AGO + 1 })
      expect(await folder.text('a')).to.equal('new')
    })

    it('are noticed when it is opened', async () => {
      await folder.write('a', 'old')
      const [{ cid }] = await folder.share('a')
      await folder.write('a', 'new', LONG_AGO + 1)
      expect(await folder.catalog.open(cid)).to.equal(undefined)
      await folder.until(() => folder.catalog.size === 1)
      expect(await folder.text('a')).to.equal('new')
    })

    it('to a shorter file are an error, not a short answer', async () => {
      await folder.write('a', 'long enough')
      await folder.share('a')
      const opened = await openOnly()
      await truncate(folder.path('a'), 2)
      expect(await errorOf(opened.read(0, 11))).to.have.property('name', 'ContentChangedError')
      await opened.close()
      await folder.until(() => [...folder.catalog.entries()].some(({ size }) => size === 2))
    })

    it('between reading and checking are noticed', async () => {
      await folder.write('a', 'old')
      await folder.share('a')
      const { open } = folder.files
      folder.files.open = async path => {
        const reader = await open(path)
        const read = reader.read.bind(reader)
        reader.read = async (offset, length) => {
          await folder.write('a', 'new', LONG_AGO + 1)

          return read(offset, length)
        }

        return reader
      }
      const opened = await openOnly()
      expect(await errorOf(opened.read(0, 3))).to.have.property('name', 'ContentChangedError')
      await opened.close()
    })

    it('by another file in its place do not disturb who has it open', async () => {
      await folder.write('a', 'old')
      await folder.share('a')
      const opened = await openOnly()
      await folder.write('b', 'newer')
      await rename(folder.path('b'), folder.path('a'))
      expect(Buffer.from(await opened.read(0, 3)).toString()).to.equal('old')
      await opened.close()
      expect(await folder.text('a')).to.equal(undefined)
      await folder.until(() => folder.catalog.size === 1)
      expect(await folder.text('a')).to.equal('newer')
    })

    it('to nothing remove the entry', async () => {
      await folder.write('a', 'old')
      const [{ cid }] = await folder.share('a')
      await rm(folder.path('a'))
      expect(await folder.catalog.open(cid)).to.equal(undefined)
      expect(folder.catalog.size).to.equal(0)
      await folder.restart()
      expect(folder.catalog.size).to.equal(0)
    })

    it('are served from another file with the same bytes', async () => {
      await folder.write('a', 'same')
      await folder.write('b', 'same')
      const [{ cid }] = await folder.share()
      await rm(folder.path('a'))
      await folder.write('b', 'same', LONG_AGO)
      const opened = await folder.catalog.open(cid)
      expect(Buffer.from(await opened!.read(0, 4)).toString()).to.equal('same')
      await opened!.close()
    })

    it('to a link, or to a folder above that is one, end the sharing', async () => {
      await folder.write('in/a', 'old')
      await folder.write('out/a', 'secret')
      await folder.share('in/a')
      await rename(folder.path('in'), folder.path('was'))
      await symlink('out', folder.path('in'))
      const [{ cid }] = folder.catalog.entries()
      // as long as size and time are the same, nothing shows
      await folder.write('out/a', 'other', LONG_AGO + 1)
      folder.opened.length = 0
      expect(await folder.catalog.open(cid)).to.equal(undefined)
      await folder.restart()
      expect(folder.catalog.size).to.equal(0)
      expect(folder.opened.length).to.be.below(2)
    })

    it('are not hashed again after it is unshared', async () => {
      await folder.write('a', 'old')
      const [{ cid }] = await folder.share('a')
      const gate = Promise.withResolvers<void>()
      const { open } = folder.files
      await folder.write('a', 'new', LONG_AGO + 1)
      let opens = 0
      folder.files.open = async path => {
        // the first finds the change, the second hashes it
        if (++opens === 2) {
          await gate.promise
        }

        return open(path)
      }
      expect(await folder.catalog.open(cid)).to.equal(undefined)
      await folder.catalog.unshare(folder.path('a'))
      gate.resolve()
      await folder.restart()
      expect(folder.catalog.size).to.equal(0)
    })

    it('do not confuse hard links', async () => {
      await folder.write('a', 'same')
      await link(folder.path('a'), folder.path('b'))
      expect(await folder.share()).to.have.lengthOf(2)
    })
  })

  it('leaves nothing open when it stops, whatever it is doing', async () => {
    await folder.write('in/a', '1')
    await folder.share('in', { watch: true })
    const opened = await openOnly()
    await folder.write('big', Buffer.alloc(64 * PIECE_SIZE))
    const sharing = errorOf(folder.share('big'))
    await new Promise<void>(resolve => { setImmediate(resolve) })
    expect(folder.unclosed.size).to.be.at.least(2)
    await stop(folder.catalog)
    expect([...folder.unclosed]).to.deep.equal([])
    expect(await sharing).to.have.property('name', 'AbortError')
    expect(await errorOf(opened.read(0, 1))).to.be.an('error')
    await opened.close()
    expect(await errorOf(folder.share('in'))).to.have.property('name', 'NotStartedError')
  })

  describe('a restart', () => {
    let place: string
    let datastore: LevelDatastore

    beforeEach(async () => {
      place = await mkdtemp(join(tmpdir(), 'records '))
      datastore = new LevelDatastore(place)
      await datastore.open()
      await folder.end()
      folder = await SharedFolder.make(datastore)
    })

    afterEach(async () => {
      await folder.end()
      await datastore.close()
      await rm(place, { recursive: true })
    })

    it('has all entries at once, and hashes only what changed', async () => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) {
        await folder.write(`in/${name}`, name)
      }

      await folder.share('in')
      const describe = (): string[] => [...folder.catalog.entries()].map(({ cid, ...entry }) => `${cid} ${JSON.stringify(entry)}`).sort()
      const before = describe()
      await folder.write('in/b', 'changed')
      await folder.write('in/c', 'C', LONG_AGO + 5)
      await rm(folder.path('in/d'))
      await folder.write('in/new', 'not shared')
      await folder.restart()
      expect(describe()).to.deep.equal(before)
      await folder.until(() => folder.catalog.size === 4 && folder.opened.length === 2)
      expect(folder.names()).to.deep.equal(['in/a', 'in/b', 'in/c', 'in/e'])
      expect(folder.opened.sort()).to.deep.equal(['in/b', 'in/c'])
      expect(await folder.text('b')).to.equal('changed')
    })

    it('opens a file the records of which are all it has', async () => {
      await folder.write('big', Buffer.alloc(2 * PIECE_SIZE, 'x'))
      await folder.share('big')
      await folder.restart()
      expect(await folder.text('big')).to.have.lengthOf(2 * PIECE_SIZE)
    })

    it('in the middle of hashing again loses nothing', async () => {
      await folder.write('a', 'old')
      const [{ cid }] = await folder.share('a')
      await folder.write('a', 'new', LONG_AGO + 1)
      await folder.catalog.open(cid)
      await folder.restart()
      await folder.until(() => [...folder.catalog.entries()].some(({ modified }) => modified === LONG_AGO + 1))
      expect(await folder.text('a')).to.equal('new')
    })
  })

  describe('unsharing', () => {
    beforeEach(async () => {
      await folder.write('a/b/1', '1')
      await folder.write('a/b/c/2', '2')
      await folder.write('a/bc/3', '3')
      await folder.write('a/b.txt', '4')
      await folder.share('a')
    })

    it('takes a folder and all in it', async () => {
      expect(await folder.catalog.unshare(folder.path('a/b'))).to.equal(2)
      expect(folder.names()).to.deep.equal(['a/b.txt', 'a/bc/3'])
      await folder.restart()
      expect(folder.names()).to.deep.equal(['a/b.txt', 'a/bc/3'])
    })

    it('takes a folder that is gone, however it is written', async () => {
      await rm(folder.path('a'), { recursive: true })
      expect(await folder.catalog.unshare(`${folder.path('x')}/../a/`)).to.equal(4)
    })

    it('takes one file, by path or by CID', async () => {
      expect(await folder.catalog.unshare(folder.path('a/b/1'))).to.equal(1)
      const entry = [...folder.catalog.entries()].find(({ name }) => name === '3')
      expect(await folder.catalog.unshare(entry!.cid)).to.equal(1)
      expect(folder.names()).to.deep.equal(['a/b.txt', 'a/b/c/2'])
    })

    it('takes nothing that is not there', async () => {
      expect(await folder.catalog.unshare(folder.path('nothing'))).to.equal(0)
      expect(await folder.catalog.unshare(folder.path('a/b/c/2/3'))).to.equal(0)
    })
  })
})
