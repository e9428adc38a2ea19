import { expect } from 'chai'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { opfsStore } from '../../src/store/opfs.ts'
import { same, sample } from '../../src/store/test-tools.ts'
import { storeTests } from '../../src/store/tests.ts'
import { failure } from '../fixtures/failure.ts'
import type { Part, Store } from '../../src/store/index.ts'

const SIZE = 2 * PIECE_SIZE + 5

async function namesBelow (folder: FileSystemDirectoryHandle, path = ''): Promise<string[]> {
  const names: string[] = []

  for await (const [name, handle] of folder.entries()) {
    names.push(`${path}${name}`)
    names.push(...handle.kind === 'directory' ? await namesBelow(handle, `${path}${name}/`) : [])
  }

  return names
}

describe('store: OPFS', () => {
  let root: FileSystemDirectoryHandle
  let count = 0

  before(async () => {
    root = await (await navigator.storage.getDirectory()).getDirectoryHandle('store-opfs-spec', { create: true })
  })

  after(async () => {
    await (await navigator.storage.getDirectory()).removeEntry('store-opfs-spec', { recursive: true })
  })

  async function emptyFolder (): Promise<FileSystemDirectoryHandle> {
    return root.getDirectoryHandle(`${count++}`, { create: true })
  }

  storeTests({ setup: async () => opfsStore({ name: 'x', folder: await emptyFolder() }) }, { describe, it })

  async function finish (store: Store, key: string, name: string, bytes: Uint8Array): Promise<string> {
    const part = await store.part(key, { size: bytes.byteLength, name })
    await part.write(0, bytes)

    return (await part.finish()).location
  }

  async function blobAt (store: Store, location: string): Promise<Blob> {
    const reader = await store.open(location)

    try {
      return await reader.blob!()
    } finally {
      await reader.close()
    }
  }

  it('is found again by its name, and by no other', async () => {
    const folder = await emptyFolder()
    const location = await finish(opfsStore({ name: '../a b/ä', folder }), 'k', 'x', sample(3))
    await (await opfsStore({ name: '../a b/ä', folder }).open(location)).close()

    expect(await failure(opfsStore({ name: 'b', folder }).open(location))).to.have.property('name', 'NotFoundError')
  })

  describe('after a crash', () => {
    /** Writes three pieces, marks two, and then nothing more happens. */
    async function crashed (folder: FileSystemDirectoryHandle): Promise<Part> {
      const part = await opfsStore({ name: 'x', folder }).part('k', { size: SIZE, name: 'a.txt' })
      await part.write(0, sample(SIZE))
      await part.mark(0)
      await part.mark(2)

      return part
    }

    it('has each piece that was written, marked or in doubt', async () => {
      const folder = await emptyFolder()
      await crashed(folder)
      const part = await opfsStore({ name: 'x', folder }).part('k', { size: SIZE, name: 'other' })

      expect(part.marked[0] | part.doubtful[0]).to.equal(0b11100000)
      expect(part.doubtful[0] & 0b01000000, 'the piece without a mark is in doubt').to.equal(0b01000000)
      same(await part.read(0, SIZE), sample(SIZE))
      expect((await part.finish()).name).to.equal('a.txt')
    })

    it('has the marks that were written before', async () => {
      const folder = await emptyFolder()
      await crashed(folder)

      for (let marked = 0; marked !== 0b10100000;) {
        const part = await opfsStore({ name: 'x', folder }).part('k', { size: SIZE, name: 'a.txt' })
        expect([0, 0b10100000]).to.include(part.marked[0])
        marked = part.marked[0]
        await part.close()
      }
    })

    it('has no piece of which only the file was made', async () => {
      const folder = await emptyFolder()
      await crashed(folder)
      const [pieces] = (await namesBelow(folder)).filter(name => /pieces\/[^/]+$/.test(name))
      const inner = await pieces.split('/').reduce(async (at, name) => (await at).getDirectoryHandle(name), Promise.resolve(folder))
      await inner.removeEntry('1')
      await inner.getFileHandle('1', { create: true })
      await inner.removeEntry('2')
      const again = await opfsStore({ name: 'x', folder }).part('k', { size: SIZE, name: 'a.txt' })

      expect(again.marked[0] | again.doubtful[0]).to.equal(0b11000000)
      expect(again.doubtful[0] & 0b01000000).to.equal(0b01000000)
      same(await again.read(PIECE_SIZE, 3), new Uint8Array(3))
    })

    it('goes on under the name that it had been given, and keeps what is finished when the part goes', async () => {
      const folder = await emptyFolder()
      const part = await crashed(folder)
      await finish(opfsStore({ name: 'x', folder }), 'other', 'a.txt', sample(2))
      const { promise: named, resolve } = Promise.withResolvers<string>()
      void part.finish(async ({ location, name }) => {
        resolve(`${location} ${name}`)
        await new Promise(() => {})
      })
      const [location, ...name] = (await named).split(' ')
      const again = await opfsStore({ name: 'x', folder }).part('k', { size: SIZE, name: 'a.txt' })
      expect(await again.finish()).to.include({ location, name: name.join(' ') })

      const crashedAgain = await crashed(folder)
      const given = Promise.withResolvers<string>()
      void crashedAgain.finish(async ({ location }) => {
        given.resolve(location)
        await new Promise(() => {})
      })
      const third = await given.promise
      const store = opfsStore({ name: 'x', folder })
      await (await store.part('k', { size: SIZE, name: 'a.txt' })).discard()
      same(await (await blobAt(store, third)).bytes(), sample(SIZE))
      expect(await Array.fromAsync(store.parts())).to.deep.equal([])
    })

    it('keeps neither pieces without a record nor records that cannot be read', async () => {
      const folder = await emptyFolder()
      const store = opfsStore({ name: 'x', folder })
      const location = await finish(store, 'k', 'a', sample(3))
      const before = await namesBelow(folder)
      const own = await (await folder.getDirectoryHandle('formicary')).getDirectoryHandle('x')
      const pieces = await own.getDirectoryHandle('pieces')
      const orphan = await pieces.getDirectoryHandle(crypto.randomUUID(), { create: true })
      await orphan.getFileHandle('0', { create: true })
      await pieces.getDirectoryHandle(crypto.randomUUID(), { create: true })
      await (await own.getDirectoryHandle('parts')).getFileHandle('torn', { create: true })
      await (await opfsStore({ name: 'x', folder }).open(location)).close()

      expect((await namesBelow(folder)).sort()).to.deep.equal(before.sort())
    })
  })

  it('takes nothing that others chose for the name of a file', async () => {
    const folder = await emptyFolder()
    const store = opfsStore({ name: '../x', folder })

    for (const hostile of ['../../x', '..', '.', '', 'a/b\\c', 'con', '\u0000', 'x'.repeat(100_000), '__proto__']) {
      await finish(store, hostile, hostile, sample(3))
      const part = await store.part(hostile, { size: 3, name: hostile })
      await part.write(0, sample(3))
      await part.mark(0)
      await part.close()
    }

    const names = await namesBelow(folder)
    expect(names.length).to.be.above(40)
    expect(names.filter(name => !/^formicary(\/~?[0-9a-z]+(\/(parts|finished|pieces)(\/[~0-9a-z-]+(\/(\d+|marks))?)?)?)?$/.test(name))).to.deep.equal([])
  })

  describe('blobs', () => {
    for (const size of [0, 1, PIECE_SIZE, SIZE]) {
      it(`have all of ${size} bytes`, async () => {
        const store = opfsStore({ name: 'x', folder: await emptyFolder() })
        const blob = await blobAt(store, await finish(store, 'k', 'a', sample(size)))

        expect(blob.size).to.equal(size)
        same(await blob.bytes(), sample(size))
        same(await blob.slice(size - 3).bytes(), sample(size).slice(-3))
      })
    }

    it('can be read no more when the content is deleted', async () => {
      const store = opfsStore({ name: 'x', folder: await emptyFolder() })
      const location = await finish(store, 'k', 'a', sample(SIZE))
      const reader = await store.open(location)
      const blob = await reader.blob!()
      await store.delete(location)

      expect((await failure(blob.arrayBuffer())).name).to.be.oneOf(['NotFoundError', 'NotReadableError'])
      expect(await failure(reader.read(0, SIZE))).to.have.property('name', 'ContentChangedError')
    })
  })

  describe('when there is no room', () => {
    const { estimate } = StorageManager.prototype
    const { createWritable } = FileSystemFileHandle.prototype

    afterEach(() => {
      StorageManager.prototype.estimate = estimate
      FileSystemFileHandle.prototype.createWritable = createWritable
    })

    it('begins nothing that cannot fit, and says how much is free', async () => {
      StorageManager.prototype.estimate = async () => ({ quota: 5000, usage: 4000 })
      const folder = await emptyFolder()
      const store = opfsStore({ name: 'x', folder })
      const error = await failure(store.part('k', { size: 1001, name: 'a' }))

      expect(error).to.have.property('name', 'StoreFullError')
      expect(error.message).to.include('1000 of 5000')
      expect(await Array.fromAsync(store.parts())).to.deep.equal([])
      expect((await namesBelow(folder)).filter(name => /pieces\//.test(name))).to.deep.equal([])
      await (await store.part('k', { size: 1000, name: 'a' })).close()
    })

    it('goes on with a part that has its pieces already', async () => {
      const store = opfsStore({ name: 'x', folder: await emptyFolder() })
      const part = await store.part('k', { size: SIZE, name: 'a' })
      await part.write(0, sample(2 * PIECE_SIZE))
      await part.close()
      StorageManager.prototype.estimate = async () => ({ quota: 10, usage: 5 })

      await (await store.part('k', { size: SIZE, name: 'a' })).close()
    })

    for (const [name, expected] of [['QuotaExceededError', 'StoreFullError'], ['InvalidStateError', 'StoreWriteError']]) {
      it(`makes a ${expected} of a ${name}, and harms no other bytes`, async () => {
        const store = opfsStore({ name: 'x', folder: await emptyFolder() })
        const part = await store.part('k', { size: SIZE, name: 'a' })
        await part.write(0, sample(PIECE_SIZE))
        FileSystemFileHandle.prototype.createWritable = async function (this: FileSystemFileHandle) {
          const stream = await createWritable.call(this)
          stream.close = async () => { throw new DOMException('no', name) }

          return stream
        }
        expect(await failure(part.write(0, new Uint8Array(PIECE_SIZE)))).to.have.property('name', expected)
        expect(await failure(part.write(PIECE_SIZE, new Uint8Array(PIECE_SIZE)))).to.have.property('name', expected)
        expect(await failure(part.finish())).to.have.property('name', expected)
        FileSystemFileHandle.prototype.createWritable = createWritable

        same(await part.read(0, PIECE_SIZE), sample(PIECE_SIZE))
        await part.write(PIECE_SIZE, sample(SIZE).subarray(PIECE_SIZE))
        const { location } = await part.finish()
        same(await (await blobAt(store, location)).bytes(), sample(SIZE))
      })
    }
  })
})
