import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { firstBits } from '../../src/store/bits.ts'
import { Marks } from '../../src/store/disk-marks.ts'
import { DiskPart } from '../../src/store/disk-part.ts'
import { stateOffsets } from '../../src/store/disk-state.ts'
import { failure } from '../fixtures/failure.ts'
import type { DiskPartInit } from '../../src/store/disk-part.ts'
import type { PartState } from '../../src/store/disk-state.ts'
import type { FileHandle } from 'node:fs/promises'

const SIZE = 20 * 1024 * 1024
const STATE: PartState = { key: 'k', name: 'n', size: SIZE, written: firstBits(0, 20), durable: firstBits(0, 20) }

function systemError (code: string): Error {
  return Object.assign(new Error(`${code}: it says no`), { code })
}

/** A file in memory that fails, or takes a few bytes at a time, as told. */
class FakeFile {
  readonly bytes = new Uint8Array(200)
  failure?: Error
  most = Infinity
  closed = 0
  syncs = 0

  async write (bytes: Uint8Array, start: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    await this.#check()
    const bytesWritten = Math.min(length, this.most)
    this.bytes.set(bytes.subarray(start, start + bytesWritten), position)

    return { bytesWritten }
  }

  async read (bytes: Uint8Array, start: number, length: number, position: number): Promise<{ bytesRead: number }> {
    await this.#check()
    const source = this.bytes.subarray(position, position + Math.min(length, this.most))
    bytes.set(source, start)

    return { bytesRead: source.byteLength }
  }

  async datasync (): Promise<void> {
    await this.#check()
    this.syncs++
  }

  async close (): Promise<void> {
    this.closed++
  }

  async #check (): Promise<void> {
    if (this.failure != null) {
      throw this.failure
    }
  }
}

function partOn (file: FakeFile | FileHandle, marks?: Marks, init: Partial<DiskPartInit> = {}): DiskPart {
  return new DiskPart({
    downloads: '/nowhere',
    file: file as unknown as FileHandle,
    path: '/nowhere/n.k.part',
    statePath: '/nowhere/n.k.part.state',
    keptPath: '/nowhere/k.kept',
    kept: false,
    size: SIZE,
    name: 'n',
    marked: STATE.durable,
    doubtful: STATE.durable,
    marks,
    onClose: () => {},
    ...init
  })
}

function marksOn (file: FakeFile, flushData: () => Promise<void>): Marks {
  return new Marks(file as unknown as FileHandle, STATE, flushData)
}

/** Lets everything happen that waits for nothing. */
async function turn (): Promise<void> {
  await new Promise(resolve => { setImmediate(resolve) })
}

describe('store: part on a disk', () => {
  for (const { code, name } of [
    { code: 'ENOSPC', name: 'StoreFullError' },
    { code: 'EDQUOT', name: 'StoreFullError' },
    { code: 'EIO', name: 'StoreWriteError' },
    { code: 'EFBIG', name: 'StoreWriteError' }
  ]) {
    it(`says ${name} when the system says ${code}, and goes on when there is room again`, async () => {
      const file = new FakeFile()
      const part = partOn(file)
      await part.write(0, Uint8Array.of(1, 2))
      file.failure = systemError(code)
      const err = await failure(part.write(0, Uint8Array.of(3, 4)))

      expect(err).to.have.property('name', name)
      expect(err.message).to.include('/nowhere/n.k.part')
      expect(err.cause).to.equal(file.failure)
      file.failure = undefined
      expect(await part.read(0, 2)).to.deep.equal(Uint8Array.of(1, 2))
      await part.write(0, Uint8Array.of(3, 4))
      expect(await part.read(0, 2)).to.deep.equal(Uint8Array.of(3, 4))
    })
  }

  it('writes and reads all, however little the system takes at a time', async () => {
    const file = new FakeFile()
    file.most = 3
    const part = partOn(file)
    const bytes = Uint8Array.from({ length: 50 }, (_, i) => i)
    await part.write(7, bytes)

    expect(await part.read(7, 50)).to.deep.equal(bytes)
  })

  it('notices that its file was cut', async () => {
    expect(await failure(partOn(new FakeFile()).read(199, 2))).to.have.property('name', 'ContentChangedError')
  })

  it('closes its files once', async () => {
    const file = new FakeFile()
    const state = new FakeFile()
    const part = partOn(file, marksOn(state, async () => {}))
    await Promise.all([part.close(), part.close()])
    await part.close()

    expect([file.closed, state.closed]).to.deep.equal([1, 1])
  })

  it('says that nothing of it is left when it is finished, and not when it is closed', async () => {
    const downloads = await mkdtemp(join(tmpdir(), 'formicary-part-'))
    const path = join(downloads, 'n.k.part')
    const gone: boolean[] = []
    const onClose = (none: boolean): void => { gone.push(none) }

    try {
      await writeFile(path, new Uint8Array(5))
      await partOn(await open(path), undefined, { downloads, path, onClose }).close()
      const { synced } = await partOn(await open(path), undefined, { downloads, path, onClose }).finish()
      await synced

      expect(gone).to.deep.equal([false, true])
      expect(await readdir(downloads)).to.deep.equal(['n'])
    } finally {
      await rm(downloads, { recursive: true })
    }
  })
})

describe('store: marks', () => {
  const { written, durable } = stateOffsets(STATE)

  it('are written at once, and durable after the data is', async () => {
    const file = new FakeFile()
    let flushed = (): void => {}
    const marks = marksOn(file, async () => { await new Promise<void>(resolve => { flushed = resolve }) })
    await Promise.all([marks.mark(0), marks.mark(9)])
    expect([...file.bytes.subarray(written, written + 3)]).to.deep.equal([0x80, 0x40, 0])

    const flushing = marks.flush()
    await turn()
    await marks.mark(1)
    expect([...file.bytes.subarray(durable, durable + 3)]).to.deep.equal([0, 0, 0])
    flushed()
    // the piece that was marked meanwhile has to wait for the next
    await turn()
    expect([...file.bytes.subarray(durable, durable + 3)]).to.deep.equal([0x80, 0x40, 0])
    await flushing
    const closing = marks.close()
    await turn()
    flushed()
    await closing
    expect([...file.bytes.subarray(durable, durable + 3)]).to.deep.equal([0xc0, 0x40, 0])
  })

  it('that could not be written are written with the next', async () => {
    const file = new FakeFile()
    const marks = marksOn(file, async () => {})
    file.failure = systemError('ENOSPC')
    expect(await failure(marks.mark(17))).to.equal(file.failure)
    file.failure = undefined
    await marks.mark(0)

    expect([...file.bytes.subarray(written, written + 3)]).to.deep.equal([0x80, 0, 0x40])
    await marks.close()
  })

  it('are never durable once the data could not be flushed', async () => {
    const file = new FakeFile()
    let fails = true
    const marks = marksOn(file, async () => {
      if (fails) {
        throw systemError('EIO')
      }
    })
    await marks.mark(3)
    expect(await failure(marks.flush())).to.have.property('code', 'EIO')
    fails = false
    await marks.mark(4)
    expect(await failure(marks.flush())).to.have.property('code', 'EIO')
    await marks.close()

    expect([...file.bytes.subarray(durable, durable + 3)]).to.deep.equal([0, 0, 0])
    expect([...file.bytes.subarray(written, written + 3)]).to.deep.equal([0x18, 0, 0])
    expect(file.closed).to.equal(1)
  })
})
