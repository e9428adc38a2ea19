import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { cp, link, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { diskStore } from '../../src/store/disk.ts'
import { storeTests } from '../../src/store/tests.ts'
import { failure } from '../fixtures/failure.ts'
import type { Part, PartInfo, Store } from '../../src/store/index.ts'

const KEY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const SIZE = 11 * PIECE_SIZE + 1
const WRITER = fileURLToPath(new URL('../fixtures/store-writer.ts', import.meta.url))

/** A folder on another disk than the temporary one, where there is one. */
const OTHER_DISK = ['/dev/shm'].find(path => {
  const dev = statSync(path, { throwIfNoEntry: false })?.dev

  return dev != null && dev !== statSync(tmpdir()).dev
})

let folder: string

function at (...path: string[]): string {
  return join(folder, ...path)
}

function storeIn (folder: string): Store {
  return diskStore({ downloads: join(folder, 'downloads'), parts: join(folder, 'parts') })
}

async function begin (store: Store, init: { key?: string, size?: number, name?: string } = {}): Promise<Part> {
  return await store.part(init.key ?? KEY, { size: init.size ?? SIZE, name: init.name ?? 'film.mkv' })
}

async function put (part: Part, ...pieces: number[]): Promise<void> {
  for (const piece of pieces) {
    await part.write(piece * PIECE_SIZE, Uint8Array.of(piece + 1))
    await part.mark(piece)
  }
}

async function finish (store: Store, key: string, name: string): Promise<string> {
  const part = await begin(store, { key, name, size: 3 })
  await part.write(0, Buffer.from('abc'))

  return (await part.finish()).name
}

async function list (store: Store): Promise<PartInfo[]> {
  const infos: PartInfo[] = []

  for await (const info of store.parts()) {
    infos.push(info)
  }

  return infos
}

/** The folder as a killed process would have left it now. */
async function crashed (): Promise<string> {
  const copy = `${folder}/crash-${Math.random()}`
  await mkdir(copy)

  for (const name of ['parts', 'downloads']) {
    await cp(at(name), join(copy, name), { recursive: true })
  }

  return copy
}

/** Pieces in a bitfield. */
function pieces (bits: Uint8Array): number[] {
  return Array.from({ length: bits.byteLength * 8 }, (_, i) => i).filter(i => (bits[i >> 3] & (0x80 >> (i & 7))) !== 0)
}

/** Handles of this process on anything in the folder. */
async function handles (): Promise<string[]> {
  const links = await Promise.all((await readdir('/proc/self/fd')).map(async fd => await readlink(`/proc/self/fd/${fd}`).catch(() => '')))

  return links.filter(path => path.startsWith(folder))
}

async function partFile (): Promise<string> {
  return at('parts', (await readdir(at('parts'))).find(name => name.endsWith('.part')) ?? '')
}

/** Handles that stay: a finished file is open until it is on the disk. */
async function handlesLeft (): Promise<string[]> {
  for (let wait = 1; wait < 10_000; wait *= 2) {
    if ((await handles()).length === 0) {
      break
    }

    await new Promise(resolve => { setTimeout(resolve, wait) })
  }

  return handles()
}

describe('store: disk', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-store-'))
  })

  afterEach(async () => {
    const open = process.platform === 'linux' ? await handlesLeft() : []
    await rm(folder, { recursive: true, force: true })
    expect(open, 'handles left open').to.deep.equal([])
  })

  storeTests({ setup: async () => storeIn(folder) }, { describe, it })

  describe('after a crash', () => {
    it('has every marked piece, in doubt if it was not flushed', async () => {
      const part = await begin(storeIn(folder))
      await put(part, 1, 2)
      await part.close()
      const again = await begin(storeIn(folder))
      await put(again, 5, 11)
      const after = await begin(storeIn(await crashed()))

      expect(pieces(after.marked)).to.deep.equal([1, 2])
      expect(pieces(after.doubtful)).to.deep.equal([5, 11])
      expect(await after.read(11 * PIECE_SIZE, 1)).to.deep.equal(Uint8Array.of(12))
      await again.close()
      await after.close()
    })

    it('loses no mark of a process that is killed', async () => {
      const child = spawn(process.execPath, [WRITER, folder, KEY, '40'], { stdio: ['ignore', 'pipe', 'inherit'] })
      const marked = new Set<number>()

      for await (const line of createInterface(child.stdout)) {
        marked.add(Number(line))

        if (marked.size === 25) {
          child.kill('SIGKILL')
        }
      }

      const part = await begin(storeIn(folder), { size: 40 * PIECE_SIZE })
      expect([...pieces(part.marked), ...pieces(part.doubtful)]).to.include.members([...marked])

      for (const piece of marked) {
        expect(Buffer.compare(await part.read(piece * PIECE_SIZE, PIECE_SIZE), Buffer.alloc(PIECE_SIZE, piece + 1))).to.equal(0)
      }

      await part.close()
    })

    it('goes on doubting what nobody has hashed since', async () => {
      const part = await begin(storeIn(folder))
      await put(part, 1, 2, 3)
      const first = await crashed()
      const second = await begin(storeIn(first))
      await second.mark(2)
      await cp(first, at('second'), { recursive: true })
      const third = await begin(storeIn(at('second')))

      expect(pieces(third.doubtful)).to.deep.equal([1, 2, 3])
      await Promise.all([part, second, third].map(async part => { await part.close() }))
      const last = await begin(storeIn(first))

      expect(pieces(last.marked)).to.deep.equal([2])
      expect(pieces(last.doubtful)).to.deep.equal([1, 3])
      await last.close()
    })

    it('has all marks that were made at once', async () => {
      const part = await begin(storeIn(folder), { size: 3000 * PIECE_SIZE })
      const all = Array.from({ length: 3000 }, (_, i) => i)
      await Promise.all(all.map(async piece => { await part.mark(piece) }))
      const after = await begin(storeIn(await crashed()), { size: 3000 * PIECE_SIZE })

      expect([...pieces(after.marked), ...pieces(after.doubtful)].sort((a, b) => a - b)).to.deep.equal(all)
      await part.close()
      await after.close()
    })

    it('has no doubt about what was flushed while it went on', async () => {
      const part = await begin(storeIn(folder), { size: 100 * PIECE_SIZE })
      await put(part, ...Array.from({ length: 64 }, (_, i) => i))
      let marked: number[] = []

      while (marked.length === 0) {
        const after = await begin(storeIn(await crashed()), { size: 100 * PIECE_SIZE })
        marked = pieces(after.marked)
        await after.close()
      }

      expect(marked).to.have.lengthOf(64)
      await part.close()
    })

    it('has nothing past the end of a file that was cut, ever', async () => {
      await (await begin(storeIn(folder))).close()
      const part = await begin(storeIn(folder))
      await put(part, 0, 1, 4, 11)
      await part.close()
      await truncate(await partFile(), 2 * PIECE_SIZE + 7)

      for (let i = 0; i < 2; i++) {
        const again = await begin(storeIn(folder))
        expect(pieces(again.marked)).to.deep.equal([0, 1])
        expect(pieces(again.doubtful)).to.deep.equal([])
        await again.close()
      }
    })

    it('finishes under the name it had taken already', async () => {
      const store = storeIn(folder)
      await finish(store, 'other', 'film.mkv')
      const part = await begin(store)
      await put(part, 0)
      await part.close()
      await link(await partFile(), at('downloads', 'film (2).mkv'))
      const again = await begin(storeIn(folder))

      expect(await again.finish()).to.have.property('name', 'film (2).mkv')
      expect((await readdir(at('downloads'))).sort()).to.deep.equal(['film (2).mkv', 'film.mkv'])
      expect(await readdir(at('parts'))).to.deep.equal([])
    })

    it('clears away states without a part, and parts without anything', async () => {
      const store = storeIn(folder)
      const open = await begin(store)
      await writeFile(at('parts', `x.${'k'.repeat(9)}.part.state`), 'x')
      await writeFile(at('parts', 'y.z.part'), '')
      await writeFile(at('parts', 'readme.txt'), '')

      expect((await list(store)).map(({ key }) => key)).to.deep.equal([KEY])
      expect((await readdir(at('parts'))).sort()).to.deep.equal([`film.mkv.${KEY}.part`, `film.mkv.${KEY}.part.state`, 'readme.txt'])
      await open.close()
    })

    it('has what was kept before, or all of what was being kept', async () => {
      const part = await begin(storeIn(folder))
      await part.keep(Buffer.from('before'))
      await writeFile(at('parts', `${KEY}.kept.new`), 'aft')
      const store = storeIn(await crashed())
      expect(Buffer.from(await store.kept(KEY) ?? []).toString()).to.equal('before')

      const again = await begin(store)
      await again.keep(Buffer.from('after'))
      expect(Buffer.from(await store.kept(KEY) ?? []).toString()).to.equal('after')
      await again.close()
      await part.close()
    })

    it('clears away what was kept with parts that are gone, and no other', async () => {
      const store = storeIn(folder)
      const open = await begin(store)
      await open.keep(Buffer.from('a'))

      for (const name of ['a.kept', 'b.kept.new', '~c.kept', `${KEY}.kept.new`]) {
        await writeFile(at('parts', name), 'x')
      }

      await list(store)
      expect((await readdir(at('parts'))).filter(name => name.includes('kept')).sort()).to.deep.equal([`${KEY}.kept`, `${KEY}.kept.new`])
      await open.finish()
      expect(await readdir(at('parts'))).to.deep.equal([])
    })

    it('reads nothing but a file of bearable size as what was kept', async () => {
      const store = storeIn(folder)
      await (await begin(store)).close()
      await mkdir(at('parts', `${KEY}.kept`))
      expect(await store.kept(KEY)).to.equal(undefined)
      await rm(at('parts', `${KEY}.kept`), { recursive: true })
      await symlink('/etc/hostname', at('parts', `${KEY}.kept`))
      expect(await store.kept(KEY)).to.equal(undefined)
      await rm(at('parts', `${KEY}.kept`))
      await writeFile(at('parts', `${KEY}.kept`), '')
      await truncate(at('parts', `${KEY}.kept`), 65 * 1024 * 1024)
      expect(await store.kept(KEY)).to.equal(undefined)
    })

    const torn: Array<{ what: string, tear: (bytes: Buffer) => Buffer }> = [
      { what: 'empty', tear: () => Buffer.alloc(0) },
      { what: 'all zero', tear: bytes => Buffer.alloc(bytes.length) },
      { what: 'cut in its head', tear: bytes => bytes.subarray(0, 20) },
      { what: 'cut by a byte', tear: bytes => bytes.subarray(0, -1) },
      { what: 'a byte too long', tear: bytes => Buffer.concat([bytes, Buffer.alloc(1)]) },
      { what: 'of a later version', tear: bytes => Buffer.concat([bytes.subarray(0, 15), Buffer.of(2), bytes.subarray(16)]) },
      { what: 'of another piece size', tear: bytes => Buffer.concat([bytes.subarray(0, 16), Buffer.of(1), bytes.subarray(17)]) },
      { what: 'of a size beyond all', tear: bytes => Buffer.concat([bytes.subarray(0, 20), Buffer.alloc(8, 255), bytes.subarray(28)]) },
      { what: 'with an endless name', tear: bytes => Buffer.concat([bytes.subarray(0, 28), Buffer.alloc(2, 255), bytes.subarray(30)]) },
      { what: 'of another key', tear: bytes => Buffer.from(bytes.toString('latin1').replace(KEY, KEY.replace('f', 'g')), 'latin1') }
    ]

    for (const { what, tear } of torn) {
      it(`doubts everything if the state is ${what}, and loses nothing`, async () => {
        const part = await begin(storeIn(folder))
        await put(part, 3)
        await part.close()
        const state = `${await partFile()}.state`
        await writeFile(state, tear(await readFile(state)))

        // twice, as a crash may come again before all is hashed
        for (let i = 0; i < 2; i++) {
          const again = await begin(storeIn(folder))
          expect(pieces(again.marked)).to.deep.equal([])
          expect(pieces(again.doubtful)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
          expect(await again.read(3 * PIECE_SIZE, 1)).to.deep.equal(Uint8Array.of(4))
          await again.close()
          expect(await list(storeIn(folder))).to.deep.equal([{ key: KEY, name: 'film.mkv', size: SIZE }])
        }
      })
    }

    it('lists a part by its file if the state is torn or lost', async () => {
      await (await begin(storeIn(folder))).close()
      const state = `${await partFile()}.state`

      for (const lose of [async () => { await writeFile(state, 'x') }, async () => { await rm(state) }]) {
        await lose()
        expect(await list(storeIn(folder))).to.deep.equal([{ key: KEY, name: 'film.mkv', size: SIZE }])
      }
    })
  })

  describe('files', () => {
    it('keep one piece without a state', async () => {
      const part = await begin(storeIn(folder), { size: 5, name: 'a.txt' })
      await put(part, 0)

      expect(await readdir(at('parts'))).to.deep.equal([`a.txt.${KEY}.part`])
      expect(await list(storeIn(folder))).to.deep.equal([{ key: KEY, name: 'a.txt', size: 5 }])
      const after = await begin(storeIn(await crashed()), { size: 5 })
      expect(pieces(after.doubtful)).to.deep.equal([0])
      await part.close()
      await after.close()
    })

    for (const [what, key] of [['a CID', KEY], ['any key', 'Ü/..'], ['the longest key', 'k'.repeat(1024)]]) {
      it(`have names of at most 255 bytes for ${what}`, async () => {
        const part = await begin(storeIn(folder), { key, name: `${'日'.repeat(500)}.mkv` })
        const names = await readdir(at('parts'))

        expect(names).to.have.lengthOf(2)
        names.forEach(name => { expect(Buffer.byteLength(name)).to.be.at.most(255) })
        expect(await part.finish()).to.have.property('name', `${'日'.repeat(65)}.mkv`)
      })
    }

    it('refuse a key that is longer', async () => {
      expect(await failure(begin(storeIn(folder), { key: 'k'.repeat(1025) }))).to.have.property('name', 'InvalidParametersError')
    })

    it('take no room before they are written', async () => {
      const part = await begin(storeIn(folder), { size: 1024 * PIECE_SIZE })

      expect((await lstat(await partFile())).blocks * 512).to.be.below(PIECE_SIZE)
      await part.close()
    })

    it('leave nothing but the download when finished', async () => {
      const part = await begin(storeIn(folder))
      await put(part, 0, 1)
      await part.finish()

      expect(await readdir(at('parts'))).to.deep.equal([])
      expect(await readdir(at('downloads'))).to.deep.equal(['film.mkv'])
    })

    it('never take the name of anything', async () => {
      await mkdir(at('downloads', 'a (2).txt'), { recursive: true })
      await writeFile(at('downloads', 'a.txt'), 'mine')
      await symlink('nowhere', at('downloads', 'a (3).txt'))

      expect(await finish(storeIn(folder), KEY, 'a.txt')).to.equal('a (4).txt')
      expect(await readFile(at('downloads', 'a.txt'), 'utf8')).to.equal('mine')
      expect(await readFile(at('downloads', 'a (4).txt'), 'utf8')).to.equal('abc')
    })

    if (OTHER_DISK != null) {
      it('move to another disk', async () => {
        const downloads = await mkdtemp(join(OTHER_DISK, 'formicary-'))

        try {
          await writeFile(join(downloads, 'a.txt'), 'mine')

          expect(await finish(diskStore({ downloads, parts: at('parts') }), KEY, 'a.txt')).to.equal('a (2).txt')
          expect(await readFile(join(downloads, 'a (2).txt'), 'utf8')).to.equal('abc')
          expect(await readdir(downloads)).to.have.lengthOf(2)
          expect(await readdir(at('parts'))).to.deep.equal([])
        } finally {
          await rm(downloads, { recursive: true })
        }
      })
    }

    it('are never written outside the folders', async () => {
      for (const name of ['../../x', '/etc/x', 'C:\\x', '..', '']) {
        await finish(storeIn(folder), KEY, name)
      }

      expect((await readdir(folder)).sort()).to.deep.equal(['downloads', 'parts'])
      expect((await readdir(at('downloads'))).sort()).to.deep.equal(['unnamed', 'unnamed (2)', 'x', 'x (2)', 'x (3)'])
    })
  })

  describe('readers', () => {
    it('notice that a file changed, shrank, or went', async () => {
      const store = storeIn(folder)
      await finish(store, KEY, 'a.txt')
      const reader = await store.open('a.txt')
      const version = await reader.version()
      await writeFile(at('downloads', 'a.txt'), 'abd')
      expect(await reader.version()).to.not.equal(version)

      await truncate(at('downloads', 'a.txt'), 1)
      expect(await failure(reader.read(0, 3))).to.have.property('name', 'ContentChangedError')

      await rm(at('downloads', 'a.txt'))
      await mkdir(at('downloads', 'a.txt'))
      expect(await failure(reader.version())).to.have.property('name', 'NotFoundError')
      expect(await failure(store.open('a.txt'))).to.have.property('name', 'NotFoundError')
      await reader.close()
    })
  })

  describe('trouble', () => {
    it('of no room is told before anything is begun', async () => {
      const store = storeIn(folder)

      expect(await failure(begin(store, { size: 2 ** 52 }))).to.have.property('name', 'StoreFullError')
      expect(await readdir(at('parts'))).to.deep.equal([])
      await (await begin(store)).close()
      expect(await failure(begin(store, { size: 2 ** 52 }))).to.have.property('name', 'StoreWriteError')
      expect(await list(store)).to.have.lengthOf(1)
    })

    for (const name of ['parts', 'downloads']) {
      it(`with the folder of ${name} is told with its path`, async () => {
        await writeFile(at(name), 'a file')
        const err = await failure(begin(storeIn(folder)))

        expect(err).to.have.property('name', 'StoreWriteError')
        expect(err.message).to.include(at(name))
        expect(err.cause).to.be.an('error')
      })
    }

    it('with finishing keeps the part, and it can be finished later', async () => {
      const part = await begin(storeIn(folder), { size: 3 })
      await part.write(0, Buffer.from('abc'))
      await rm(at('downloads'), { recursive: true })
      const err = await failure(part.finish())
      expect(err).to.have.property('name', 'StoreWriteError')
      expect(await part.read(0, 3)).to.deep.equal(new Uint8Array(Buffer.from('abc')))

      await mkdir(at('downloads'))
      expect(await part.finish()).to.have.property('name', 'film.mkv')
    })
  })
})
