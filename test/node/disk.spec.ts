import { execFile } from 'node:child_process'
import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { createNode } from '../../src/index.ts'
import { bytesOf, failure } from '../fixtures/colony.ts'
import type { Entry, Node, NodeInit } from '../../src/index.ts'

const run = promisify(execFile)
const MIB = 1024 * 1024

describe('disks in trouble', function () {
  this.timeout(60_000)

  let folder: string
  let nodes: Node[]

  async function make (init: NodeInit = {}): Promise<Node> {
    const node = await createNode({ listen: ['/ip4/127.0.0.1/tcp/0'], contingency: false, ...init })
    nodes.push(node)

    return node
  }

  async function sharePath (node: Node, path: string): Promise<Entry> {
    const [entry] = await Array.fromAsync(node.share(path))

    return entry
  }

  beforeEach(async () => {
    nodes = []
    folder = await mkdtemp(join(tmpdir(), 'formicary-disk-'))
  })

  afterEach(async () => {
    await Promise.all(nodes.map(async node => node.stop()))
    await rm(folder, { recursive: true, force: true })
  })

  const changes: Array<[string, (path: string) => void]> = [
    ['rewritten', path => { writeFileSync(path, bytesOf(16 * MIB, 99)) }],
    ['truncated', path => { truncateSync(path, 5 * MIB) }],
    ['removed', path => { rmSync(path) }]
  ]

  for (const [what, change] of changes) {
    it(`never serve wrong bytes of a file that is ${what} meanwhile`, async () => {
      const path = join(folder, 'film.mkv')
      const bytes = bytesOf(16 * MIB)
      await writeFile(path, bytes)
      const ada = await make({ uploadLimit: 16_000_000 })
      const ben = await make({ dataDir: join(folder, 'ben') })
      const { cid } = await sharePath(ada, path)
      const sources = [{ holder: ada.peerId, addresses: ada.addresses }]
      let banned = 0
      let stored = 0
      ben.addEventListener('transfer:banned', () => { banned++ })
      // the most patient counts, so that a slow start is not the end
      const patient = new AbortController()
      ben.download(cid, { sources, signal: patient.signal }).catch(() => {})
      const err = await failure(ben.download(cid, {
        sources,
        patience: 1_000,
        onProgress: ({ type }) => {
          if (type === 'transfer:piece') {
            stored += MIB

            // at once, or the download might be over before
            if (stored === 5 * MIB) {
              change(path)
              patient.abort()
            }
          }
        }
      }).then(entry => { throw Object.assign(new Error('It was all sent before'), { entry }) }))

      // a file that is removed stays open, and may be served to the end
      expect(err.name === 'NotFoundError' || (what === 'removed' && 'entry' in err), String(err)).to.equal(true)
      expect(banned).to.equal(0)

      if (err.name === 'NotFoundError') {
        const cleo = await make()
        await writeFile(join(folder, 'copy.mkv'), bytes)
        await sharePath(cleo, join(folder, 'copy.mkv'))
        const { name } = await ben.download(cid, { sources: [{ holder: cleo.peerId, addresses: cleo.addresses }] })
        expect(ben.libp2p.services.transfer.downloaded).to.be.below(bytes.byteLength + 8 * MIB)
        expect(stored).to.be.above(4 * MIB)
        expect(Buffer.compare(await readFile(join(folder, 'ben/downloads', name)), bytes)).to.equal(0)
      }
    })
  }

  it('say so when a folder is in the way', async () => {
    const ada = await make()
    const [{ cid }] = await Array.fromAsync(ada.share({ name: 'a', content: bytesOf(2 * MIB) }))
    const ben = await make({ dataDir: join(folder, 'ben') })
    await writeFile(join(folder, 'ben/parts'), 'a file')

    expect(await failure(ben.download(cid, { sources: [{ holder: ada.peerId, addresses: ada.addresses }] }))).to.have.property('name', 'StoreWriteError')
  })

  // mounting is for root
  if (process.getuid?.() === 0) {
    it('say so when they are full, and go on when there is room', async () => {
      const disk = join(folder, 'small')
      await mkdir(disk)
      // the file, and the room that records want before they are opened again
      await run('mount', ['-t', 'tmpfs', '-o', 'size=28m', 'tmpfs', disk])

      try {
        const bytes = bytesOf(16 * MIB)
        const ada = await make({ uploadLimit: 30_000_000 })
        const [{ cid }] = await Array.fromAsync(ada.share({ name: 'film.mkv', content: bytes }))
        const ben = await make({ dataDir: disk })
        const sources = [{ holder: ada.peerId, addresses: ada.addresses }]
        let pieces = 0
        const err = await failure(ben.download(cid, {
          sources,
          onProgress: ({ type }) => {
            if (type === 'transfer:piece' && ++pieces === 4) {
              // at once, or the download might be over before
              expect(() => { writeFileSync(join(disk, 'filler'), new Uint8Array(28 * MIB)) }).to.throw().with.property('code', 'ENOSPC')
            }
          }
        }))
        expect(err).to.have.property('name', 'StoreFullError')
        expect(await failure(ben.download(cid, { sources }))).to.have.property('name', 'StoreFullError')

        await rm(join(disk, 'filler'))
        const before = ben.libp2p.services.transfer.downloaded
        await ben.download(cid, { sources })
        expect(ben.libp2p.services.transfer.downloaded - before).to.be.at.most(13 * MIB)
        expect(await readdir(join(disk, 'parts'))).to.deep.equal([])
      } finally {
        // what is open on it would keep it, and hide why the test failed
        await Promise.all(nodes.map(async node => node.stop()))
        await run('umount', [disk])
      }
    })
  }
})
