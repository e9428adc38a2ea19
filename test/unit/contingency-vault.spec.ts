import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { expect } from 'chai'
import { VaultKeys } from '../../src/contingency/vault-crypto.ts'
import { EncryptedVault, MAX_VALUE_SIZE } from '../../src/contingency/vault.ts'
import { sameBytes } from '../fixtures/bytes.ts'
import { entryOf } from '../fixtures/items.ts'
import { failure } from '../fixtures/failure.ts'
import { MemoryVaultBackend } from '../fixtures/vault-backend.ts'
import type { VaultItem } from '../../src/contingency/items.ts'

const text = (string: string): Uint8Array => new TextEncoder().encode(string)
const read = (bytes?: Uint8Array): string | undefined => bytes && new TextDecoder().decode(bytes)

let keys: VaultKeys
let backend: MemoryVaultBackend
let vault: EncryptedVault

beforeEach(async () => {
  keys = await VaultKeys.derive(await generateKeyPairFromSeed('Ed25519', new Uint8Array(32)), 'films')
  backend = new MemoryVaultBackend()
  vault = new EncryptedVault({ keys, backend })
})

async function all (of = vault): Promise<Record<string, string | undefined>> {
  const values: Record<string, string | undefined> = {}

  for await (const [name, value] of of) {
    values[name] = read(value)
  }

  return values
}

async function namesOf (of = vault): Promise<Array<{ name: string, size: number }>> {
  const names = []

  for await (const entry of of.list()) {
    names.push(entry)
  }

  return names.sort((a, b) => a.name < b.name ? -1 : 1)
}

/** A hold on the first step of this name, and how to let go. */
function hold (what: string): { reached: Promise<void>, go: () => void } {
  const [reached, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  backend.step = async step => {
    if (step === what) {
      backend.step = () => {}
      reached.resolve()
      await gone.promise
    }
  }

  return { reached: reached.promise, go: gone.resolve }
}

describe('vault', () => {
  it('puts, gets, lists and deletes', async () => {
    await vault.put('a', text('one'))
    await vault.put('b', text('two!'))
    await vault.put('a', text('three'))

    expect(read(await vault.get('a'))).to.equal('three')
    expect(await vault.has('b')).to.equal(true)
    expect(await namesOf()).to.deep.equal([{ name: 'a', size: 5 }, { name: 'b', size: 4 }])
    expect(await all()).to.deep.equal({ a: 'three', b: 'two!' })
    expect(await vault.delete('a')).to.equal(true)
    expect(await vault.delete('a')).to.equal(false)
    expect(await vault.get('a')).to.equal(undefined)
    expect(await vault.has('a')).to.equal(false)
    expect(await all()).to.deep.equal({ b: 'two!' })
  })

  it('keeps the bytes of what is there, and of nothing else', async () => {
    await vault.put('a', text('one'))
    await vault.put('a', text('two'))
    await vault.put('b', text('three'))
    await vault.delete('b')

    expect(backend.disk.blobs.size).to.equal(1)
    expect(backend.items.live).to.equal(1)
  })

  it('keeps neither names nor values in plain text', async () => {
    await vault.put('the name of it', text('the value of it'))
    const [item] = backend.items.vault()
    const kept = [item.name, ...backend.disk.blobs.values()].map(bytes => new TextDecoder('latin1').decode(bytes)).join()

    expect(kept).not.to.match(/name of|value of/)
  })

  it('takes values of any size up to the largest', async () => {
    for (const size of [0, 1, 1024 * 1024 - 49, 1024 * 1024, MAX_VALUE_SIZE]) {
      const value = new Uint8Array(size).fill(7)
      await vault.put('a', value)

      expect(sameBytes(await vault.get('a') ?? text('none'), value), `${size} bytes`).to.equal(true)
    }
  })

  it('keeps a value as it was when it was put', async () => {
    const value = text('before')
    const put = vault.put('a', value)
    value.fill(0)
    await put

    expect(read(await vault.get('a'))).to.equal('before')
  })

  it('leaves items that are not of the vault alone', async () => {
    backend.items.put(entryOf('film.mp4'))
    await vault.put('a', text('one'))

    expect(await namesOf()).to.have.length(1)
    expect(backend.items.live).to.equal(2)
  })

  it('makes changes that count, whatever the version of what is there', async () => {
    backend.version = 7
    await vault.put('a', text('one'))
    await vault.put('a', text('two'))
    backend.version = 3
    await vault.put('a', text('three'))
    expect(read(await vault.get('a'))).to.equal('three')
    await vault.delete('a')
    expect(await vault.has('a')).to.equal(false)
    await vault.put('a', text('four'))
    expect(read(await vault.get('a'))).to.equal('four')
  })

  const BAD: Array<[string, any, any]> = [
    ['an empty name', '', text('x')],
    ['a name that is too long', 'x'.repeat(256), text('x')],
    ['a name that is no text', undefined, text('x')],
    ['a value that is too large', 'a', new Uint8Array(MAX_VALUE_SIZE + 1)],
    ['a value that is text', 'a', 'x']
  ]

  for (const [what, name, value] of BAD) {
    it(`refuses ${what}, and changes nothing`, async () => {
      expect(await failure(vault.put(name, value))).to.have.property('name', 'InvalidParametersError')
      expect(backend.items.size + backend.disk.blobs.size).to.equal(0)
    })
  }
})

describe('vault: the limit', () => {
  it('is for all values together, and nothing changes beyond it', async () => {
    vault = new EncryptedVault({ keys, backend, limit: 400 })
    await vault.put('a', new Uint8Array(100))
    await vault.put('b', new Uint8Array(100))

    expect(await failure(vault.put('c', new Uint8Array(100)))).to.have.property('name', 'StoreFullError')
    expect(await failure(vault.put('a', new Uint8Array(300)))).to.have.property('name', 'StoreFullError')
    expect(await namesOf()).to.deep.equal([{ name: 'a', size: 100 }, { name: 'b', size: 100 }])
    await vault.put('a', new Uint8Array(150))
    await vault.delete('b')
    await vault.put('c', new Uint8Array(100))
    expect(backend.disk.blobs.size).to.equal(2)
  })

  it('holds for values that are put at once', async () => {
    vault = new EncryptedVault({ keys, backend, limit: 400 })
    const puts = await Promise.allSettled(['a', 'b', 'c', 'd', 'a'].map(async name => vault.put(name, new Uint8Array(100))))

    expect(puts.filter(({ status }) => status === 'fulfilled').length).to.be.within(2, 3)
    expect(backend.items.vaultBytes).to.be.at.most(400)
    expect(await namesOf()).to.have.length(2)
    expect(backend.disk.blobs.size).to.equal(2)
  })
})

describe('vault: several things at once', () => {
  it('are done with one name in the order in which they were asked for', async () => {
    const results = await Promise.all([
      vault.put('a', text('1')), vault.get('a'), vault.put('a', text('2')), vault.get('a'), vault.delete('a'), vault.has('a'), vault.put('a', text('3')), vault.get('a')
    ])

    expect([read(results[1]), read(results[3]), results[4], results[5], read(results[7])]).to.deep.equal(['1', '2', true, false, '3'])
    expect(backend.disk.blobs.size).to.equal(1)
  })

  it('do not wait for other names', async () => {
    const { reached, go } = hold('before keep')
    const slow = vault.put('slow', text('1'))
    await reached
    await vault.put('quick', text('2'))
    expect(await vault.has('quick')).to.equal(true)
    go()
    await slow
    expect(await all()).to.deep.equal({ slow: '1', quick: '2' })
  })

  it('go on after one of them failed', async () => {
    backend.step = step => {
      if (step === 'before keep') {
        backend.step = () => {}
        throw new Error('no disk')
      }
    }
    const [first, second] = await Promise.allSettled([vault.put('a', text('1')), vault.put('a', text('2'))])

    expect([first.status, second.status]).to.deep.equal(['rejected', 'fulfilled'])
    expect(read(await vault.get('a'))).to.equal('2')
  })

  it('do not wait in line once they are not wanted', async () => {
    const { reached, go } = hold('before keep')
    const slow = vault.put('a', text('1'))
    await reached
    const controller = new AbortController()
    const unwanted = vault.put('a', text('2'), { signal: controller.signal })
    const next = vault.get('a')
    controller.abort(new Error('not wanted'))
    expect(await failure(unwanted)).to.have.property('message', 'not wanted')
    go()
    await slow
    expect(read(await next)).to.equal('1')
  })

  it('stop before anything changed when their signal says so', async () => {
    await vault.put('a', text('1'))

    for (const step of ['before keep', 'after keep']) {
      const controller = new AbortController()
      backend.step = now => { if (now === step) controller.abort(new Error('not wanted')) }
      expect(await failure(vault.put('a', text('2'), { signal: controller.signal }))).to.have.property('message', 'not wanted')
      expect(read(await vault.get('a'))).to.equal('1')
      expect(backend.disk.blobs.size, step).to.equal(1)
    }

    const signal = AbortSignal.abort(new Error('not wanted'))
    expect(await failure(vault.get('a', { signal }))).to.have.property('message', 'not wanted')
    expect(await failure(vault.delete('a', { signal }))).to.have.property('message', 'not wanted')
    expect(await failure(vault.list({ signal })[Symbol.asyncIterator]().next())).to.have.property('message', 'not wanted')
  })
})

describe('vault: a crash', () => {
  const STEPS = ['before keep', 'after keep', 'before change', 'after change', 'before release', 'after release']

  /** Does something with a value `old`, and never comes back from a step of it. */
  async function crash (what: (vault: EncryptedVault) => Promise<unknown>, at: string): Promise<EncryptedVault> {
    await vault.put('a', text('old'))
    await vault.put('b', text('other'))
    const crashed = Promise.withResolvers<void>()
    backend.step = async step => {
      if (step === at) {
        crashed.resolve()
        await new Promise(() => {})
      }
    }
    await Promise.race([crashed.promise, what(vault)])
    backend = new MemoryVaultBackend({ items: new Map(backend.disk.items), blobs: new Map(backend.disk.blobs) })

    return new EncryptedVault({ keys, backend })
  }

  for (const step of STEPS) {
    it(`${step} leaves the old value or the new one`, async () => {
      const done = STEPS.indexOf(step) >= STEPS.indexOf('after change')
      const after = await crash(async vault => vault.put('a', text('new')), step)

      expect(await all(after)).to.deep.equal({ a: done ? 'new' : 'old', b: 'other' })
      await after.put('a', text('newest'))
      expect(await all(after)).to.deep.equal({ a: 'newest', b: 'other' })
    })
  }

  for (const step of STEPS.slice(2)) {
    it(`${step} leaves a value that is deleted, or is not`, async () => {
      const done = STEPS.indexOf(step) >= STEPS.indexOf('after change')
      const after = await crash(async vault => vault.delete('a'), step)

      expect(await all(after)).to.deep.equal(done ? { b: 'other' } : { a: 'old', b: 'other' })
    })
  }
})

describe('vault: a failure', () => {
  for (const step of ['before keep', 'before change']) {
    it(`${step} changes nothing, and leaves no bytes`, async () => {
      await vault.put('a', text('old'))
      backend.step = now => { if (now === step) throw new Error('no room') }
      expect(await failure(vault.put('a', text('new')))).to.have.property('message', 'no room')

      if (step === 'before change') {
        expect(await failure(vault.delete('a'))).to.have.property('message', 'no room')
      }

      backend.step = () => {}
      expect(await all()).to.deep.equal({ a: 'old' })
      expect(backend.disk.blobs.size).to.equal(1)
    })
  }

  it('to release old bytes is none of the caller\'s', async () => {
    await vault.put('a', text('old'))
    backend.step = now => { if (now === 'before release') throw new Error('no disk') }
    await vault.put('a', text('new'))
    expect(read(await vault.get('a'))).to.equal('new')
    expect(await vault.delete('a')).to.equal(true)
  })
})

describe('vault: bytes that are not what was put', () => {
  async function itemOf (name: string): Promise<VaultItem> {
    return backend.items.get(await keys.keyOf(name)) as VaultItem
  }

  it('are refused when they are damaged, cut off, longer, or of another value', async () => {
    await vault.put('a', text('old'))
    const old = backend.disk.blobs.get(String((await itemOf('a')).cid)) as Uint8Array
    await vault.put('a', text('new'))
    await vault.put('b', text('abc'))
    const cid = String((await itemOf('a')).cid)
    const good = backend.disk.blobs.get(cid) as Uint8Array
    const other = backend.disk.blobs.get(String((await itemOf('b')).cid)) as Uint8Array

    for (const bytes of [good.with(40, good[40] ^ 1), good.subarray(1), Uint8Array.from([...good, 0]), other, old, new Uint8Array(), new Uint8Array(good.length)]) {
      backend.disk.blobs.set(cid, bytes)
      expect(await failure(vault.get('a'))).to.have.property('name', 'DecryptionError')
    }

    backend.disk.blobs.set(cid, good)
    expect(read(await vault.get('a'))).to.equal('new')
  })

  it('are refused when an item names the bytes of another', async () => {
    await vault.put('a', text('one'))
    await vault.put('b', text('two'))
    const [a, b] = [await itemOf('a'), await itemOf('b')]
    backend.items.put({ ...a, version: 9, cid: b.cid, size: b.size })

    expect(await failure(vault.get('a'))).to.have.property('name', 'DecryptionError')
  })

  it('hide no other names', async () => {
    await vault.put('a', text('one'))
    await vault.put('b', text('two'))
    const a = await itemOf('a')
    backend.items.put({ ...a, version: 9, name: (await itemOf('b')).name })
    const names: string[] = []
    const listing = (async () => {
      for await (const { name } of vault.list()) {
        names.push(name)
      }
    })()

    expect(await failure(listing)).to.have.property('name', 'DecryptionError')
    expect(names).to.deep.equal(['b'])
  })

  it('are missed when they are gone', async () => {
    await vault.put('a', text('one'))
    backend.disk.blobs.clear()

    expect(await failure(vault.get('a'))).to.have.property('message', 'These bytes are not kept')
    expect(await vault.has('a')).to.equal(true)
  })
})
