import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { freePort } from '../fixtures/free-port.ts'
import { NodeProcess } from '../fixtures/node-process.ts'

const MIB = 1024 * 1024
const SIZE = 256 * MIB + 12_345
const LIMIT = 25_000_000
const KILLS = 20

/** The longest that a process may live after its first piece, in ms. */
const LIFETIME = 120

const LISTEN = ['/ip4/127.0.0.1/tcp/0']

interface Started { addresses: string[] }

describe('processes that are killed', function () {
  this.timeout(180_000)

  let folder: string
  let source: string
  let hash: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-kill-'))
    source = join(folder, 'film.bin')
    const bytes = randomBytes(SIZE)
    hash = createHash('sha256').update(bytes).digest('hex')
    await writeFile(source, bytes)
  })

  after(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  async function holder (dataDir: string, listen = LISTEN): Promise<{ process: NodeProcess, addresses: string[], cid: string }> {
    const process = new NodeProcess()
    const { addresses } = await process.tell<Started>({ type: 'start', init: { dataDir: join(folder, dataDir), listen, uploadLimit: LIMIT } })
    const [cid] = await process.tell<string[]>({ type: 'share', path: source })

    return { process, addresses, cid }
  }

  async function downloader (dataDir: string, bootstrap: string[], counter?: string): Promise<NodeProcess> {
    const process = new NodeProcess()
    await process.tell({ type: 'start', init: { dataDir: join(folder, dataDir), listen: LISTEN, bootstrap }, counter })

    return process
  }

  async function assertWhole (dataDir: string, name: string): Promise<void> {
    const bytes = await readFile(join(folder, dataDir, 'downloads', name))
    expect(createHash('sha256').update(bytes).digest('hex')).to.equal(hash)
    expect(await readdir(join(folder, dataDir, 'parts'))).to.deep.equal([])
    expect(await readdir(join(folder, dataDir, 'downloads'))).to.deep.equal([name])
  }

  it('twenty times in a row while downloading go on where they were', async () => {
    await mkdir(join(folder, 'a'), { recursive: true })
    const holders = await Promise.all([holder('a'), holder('b')])
    await using _first = holders[0].process
    await using _second = holders[1].process
    const bootstrap = holders.flatMap(({ addresses }) => addresses)
    const counter = join(folder, 'arrived')
    let stored = 0
    let lives = 0
    let lost = 0
    let arrived = 0

    for (let done = false; !done;) {
      await using process = await downloader('victim', bootstrap, counter)
      await process.tell({ type: 'join', addresses: bootstrap })
      const resumed = stored
      const moment = new Promise<void>(resolve => {
        process.onProgress = ({ bytes }) => {
          // what is there is being hashed again, which a busy machine takes its time for
          if (bytes === 0) {
            return
          }

          // nothing that was stored in an earlier life is lost
          lost = Math.max(lost, resumed - bytes)
          stored = bytes

          if (lives < KILLS) {
            setTimeout(resolve, Math.random() * LIFETIME)
          }
        }
      })
      const download = process.tell({ type: 'download', cid: holders[0].cid, name: 'film.bin' })
      download.catch(() => {})
      done = await Promise.race([moment.then(() => false), download.then(() => true)])
      lives += Number(!done)
      await process.kill()
      arrived += Number(await readFile(counter, 'utf8'))
    }

    expect(lost).to.equal(0)
    const sent = await Promise.all(holders.map(async ({ process: holder }) => holder.tell<number>({ type: 'uploaded' })))
    const perKill = (bytes: number): number => (bytes - SIZE) / lives / holders.length
    console.log(`      ${lives} kills; for each, by each of two holders: fetched again ${(perKill(arrived) / MIB).toFixed(2)} MiB, sent again ${(perKill(sent[0] + sent[1]) / MIB).toFixed(2)} MiB`)
    expect(lives).to.equal(KILLS)
    expect(arrived).to.be.at.least(SIZE)
    expect(perKill(arrived)).to.be.below(MIB)
    // what was under way when it was killed is on top: a window
    expect(perKill(sent[0] + sent[1])).to.be.below(4 * MIB)
    await assertWhole('victim', 'film.bin')
  })

  it('while serving are replaced by another holder', async () => {
    const holders = await Promise.all([holder('a'), holder('b')])
    await using _first = holders[0].process
    await using _second = holders[1].process
    await using process = await downloader('served', holders.flatMap(({ addresses }) => addresses))
    await process.tell({ type: 'join', addresses: holders.flatMap(({ addresses }) => addresses) })
    let killed = false
    process.onProgress = ({ bytes }) => {
      if (bytes > SIZE / 3 && !killed) {
        killed = true
        void holders[1].process.kill()
      }
    }
    await process.tell({ type: 'download', cid: holders[0].cid, name: 'film.bin', patience: 10_000 })
    expect(killed).to.equal(true)
    await assertWhole('served', 'film.bin')
  })

  it('as the only holder are waited for as long as asked, and used again when they are back', async () => {
    const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
    const first = await holder('c', listen)
    await using _first = first.process
    await using process = await downloader('waiting', first.addresses)
    const third = new Promise<void>(resolve => {
      process.onProgress = ({ bytes }) => {
        if (bytes > SIZE / 3) {
          resolve()
        }
      }
    })

    // long enough to come to an understanding on a busy machine
    const failing = process.tell({ type: 'download', cid: first.cid, name: 'film.bin', patience: 5_000 }).catch((err: Error) => err)
    await Promise.race([third, failing])
    await first.process.kill()
    expect(await failing).to.have.property('name', 'NotFoundError')

    const waiting = process.tell({ type: 'download', cid: first.cid, name: 'film.bin' })
    const back = await holder('c', listen)
    await using _back = back.process
    expect(await waiting).to.equal('film.bin')
    await assertWhole('waiting', 'film.bin')
  })
})
