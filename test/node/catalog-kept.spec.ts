import { start, stop } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalog } from '../../src/catalog/index.ts'
import { hashPiece, ManifestBuilder } from '../../src/content/index.ts'
import { diskStore } from '../../src/store/disk.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import type { Catalog, Entry } from '../../src/catalog/index.ts'
import type { Store } from '../../src/store/index.ts'

async function share (shared: Catalog, name: string, content: Uint8Array): Promise<Entry> {
  for await (const entry of shared.share({ name, content })) {
    return entry
  }

  throw new Error('Nothing was shared')
}

async function read (shared: Catalog, { cid, size }: Entry): Promise<Uint8Array> {
  const content = await shared.open(cid)

  try {
    return await content?.read(0, size) ?? new Uint8Array()
  } finally {
    await content?.close()
  }
}

describe('two catalogs over one disk store', () => {
  const bytes = new Uint8Array(2_000).fill(5)
  const other = new Uint8Array(3_000).fill(6)
  let folder: string
  let datastore: MemoryDatastore
  let store: Store
  let own: Catalog
  let kept: Catalog

  async function begin (): Promise<void> {
    const components = { datastore, logger: defaultLogger() }
    store = diskStore({ downloads: join(folder, 'downloads'), parts: join(folder, 'parts') })
    own = catalog({ store })(components)
    kept = catalog({ store, records: '/formicary/kept' })(components)
    await start(own, kept)
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-kept-'))
    datastore = new MemoryDatastore()
    await begin()
  })

  afterEach(async () => {
    await stop(own, kept)
    await rm(folder, { recursive: true })
  })

  it('have a file each', async () => {
    const entries = await Promise.all([own, kept].map(async shared => share(shared, 'name.bin', bytes)))
    expect(await readdir(join(folder, 'downloads'))).to.have.members(['name.bin', 'name (2).bin'])
    await own.unshare(entries[0].cid)

    expect(sameBytes(await read(kept, entries[1]), bytes)).to.equal(true)
    expect(await readdir(join(folder, 'downloads'))).to.have.lengthOf(1)
  })

  it('do not share what a crash left of one of them', async () => {
    const builder = new ManifestBuilder()
    builder.add(await hashPiece(bytes), bytes.byteLength)
    const manifest = builder.finish()
    const cid = manifest.root
    const part = await store.part(String(cid), { size: bytes.byteLength, name: 'name.bin' })
    await part.write(0, bytes)
    await part.mark(0)
    // the bytes have their name and their entry, and are still a part
    await part.finish(async ({ location, version }) => {
      await own.add({ manifest, name: 'name.bin', location, version })
      throw new Error('killed')
    }).catch(() => {})
    await part.close()
    await stop(own, kept)
    await begin()
    const entry = await share(kept, 'name.bin', bytes)
    expect(await readdir(join(folder, 'downloads'))).to.have.lengthOf(2)
    expect(await own.unshare(cid)).to.equal(1)

    expect(sameBytes(await read(kept, entry), bytes)).to.equal(true)
  })

  for (const when of ['unshared', 'read', 'found at start']) {
    it(`leave alone what came in the place of a file that somebody deleted, when the old entry is ${when}`, async () => {
      const { cid } = await share(own, 'name.bin', bytes)
      await rm(join(folder, 'downloads', 'name.bin'))
      const entry = await share(kept, 'name.bin', other)
      expect(await readdir(join(folder, 'downloads'))).to.deep.equal(['name.bin'])

      if (when === 'unshared') {
        await own.unshare(cid)
      } else if (when === 'read') {
        expect(await own.open(cid)).to.equal(undefined)
        await own.settled(cid)
      } else {
        const gone = new Promise<unknown>(resolve => { own.addEventListener('entry:removed', resolve, { once: true }) })
        await stop(own, kept)
        await start(own, kept)
        await gone
        await own.settled(cid)
      }

      expect([...own.entries()]).to.deep.equal([])
      expect(sameBytes(await read(kept, entry), other)).to.equal(true)
    })
  }
})
