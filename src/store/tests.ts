/**
 * What every store has to do, as tests for any runner that has `describe` and
 * `it`.
 *
 * @example
 *
 * ```ts
 * import { storeTests } from 'formicary/store/tests'
 *
 * describe('my store', () => {
 *   storeTests({ setup: async () => new MyStore() }, { describe, it })
 * })
 * ```
 *
 * @module
 */

import { PIECE_SIZE } from '../content/constants.ts'
import { keptTests } from './tests-kept.ts'
import { begin, equal, fails, finished, KEY, list, same, sample, SIZE, using } from './test-tools.ts'
import type { Test } from './test-tools.ts'
import type { Part, Store } from './index.ts'

/** How to come by the stores that are tested. */
export interface StoreTestsInit {
  /** Makes an empty store, with room for at least 16 MiB. */
  setup: () => Promise<Store>

  /** Called after each test with its store. */
  teardown?: (store: Store) => Promise<void>
}

/** The parts of a test runner that are used. */
export interface Runner {
  /** Groups the tests that `define` defines. */
  describe: (name: string, define: () => void) => unknown

  /** Defines a test. */
  it: (name: string, test: () => Promise<void>) => unknown
}

/** Defines the tests. */
export function storeTests ({ setup, teardown }: StoreTestsInit, { describe, it }: Runner): void {
  const test = (name: string, run: (store: Store) => Promise<void>): void => {
    it(name, async () => {
      const store = await setup()

      try {
        await run(store)
      } finally {
        await teardown?.(store)
      }
    })
  }

  describe('parts', () => { partTests(test) })
  describe('marks', () => { markTests(test) })
  describe('what is kept with a part', () => { keptTests(test) })
  describe('finishing', () => { finishTests(test) })
  describe('readers', () => { readerTests(test) })
}

function partTests (test: Test): void {
  test('keep bytes at any offset, in any order', async store => {
    const part = await begin(store)
    const bytes = sample(SIZE)
    await part.write(SIZE - 3, bytes.subarray(SIZE - 3))
    await part.write(PIECE_SIZE - 2, bytes.subarray(PIECE_SIZE - 2, SIZE - 3))
    await part.write(0, bytes.subarray(0, PIECE_SIZE - 2))

    same(await part.read(0, SIZE), bytes)
    same(await part.read(PIECE_SIZE - 1, 2), bytes.subarray(PIECE_SIZE - 1, PIECE_SIZE + 1))
    same(await part.read(SIZE, 0), new Uint8Array())
    await part.close()
  })

  test('take writes that run at once', async store => {
    const part = await begin(store)
    const bytes = sample(SIZE)
    const step = 64 * 1024
    const offsets = Array.from({ length: Math.ceil(SIZE / step) }, (_, i) => i * step)
    await Promise.all(offsets.map(async offset => { await part.write(offset, bytes.subarray(offset, offset + step)) }))

    same(await part.read(0, SIZE), bytes)
    await part.close()
  })

  test('can be overwritten', async store => {
    const part = await begin(store)
    await part.write(7, Uint8Array.of(1, 2, 3))
    await part.write(8, Uint8Array.of(9))

    same(await part.read(7, 3), Uint8Array.of(1, 9, 3))
    await part.close()
  })

  test('keep no view of what is written, and give none of what is read', async store => {
    const part = await begin(store)
    const bytes = Uint8Array.of(1, 2, 3)
    await part.write(0, bytes)
    bytes.fill(9)
    const read = await part.read(0, 3)
    same(read, Uint8Array.of(1, 2, 3))
    read.fill(8)

    same(await part.read(0, 3), Uint8Array.of(1, 2, 3))
    await part.close()
  })

  test('refuse what lies outside', async store => {
    const part = await begin(store)
    await fails('InvalidParametersError', async () => { await part.write(SIZE - 1, Uint8Array.of(1, 2)) })
    await fails('InvalidParametersError', async () => { await part.write(-1, Uint8Array.of(1, 2)) })
    await fails('InvalidParametersError', async () => { await part.write(0.5, Uint8Array.of(1)) })
    await fails('InvalidParametersError', async () => await part.read(SIZE - 1, 2))
    await fails('InvalidParametersError', async () => await part.read(-1, 1))
    await fails('InvalidParametersError', async () => await part.read(0, NaN))
    await part.close()
  })

  test('refuse sizes that cannot be', async store => {
    for (const size of [-1, 0.5, NaN, Infinity]) {
      await fails('InvalidParametersError', async () => await store.part(KEY, { size, name: 'a' }))
    }
  })

  test('go on where they were', async store => {
    const part = await begin(store)
    await part.write(5, Uint8Array.of(1, 2, 3))
    await part.close()
    await part.close()
    const again = await begin(store)

    equal(again.size, SIZE)
    same(await again.read(5, 3), Uint8Array.of(1, 2, 3))
    await again.close()
  })

  test('are opened once at a time', async store => {
    const [first, second] = await Promise.allSettled([begin(store), begin(store)])
    equal([first.status, second.status].sort().join(), 'fulfilled,rejected')
    equal(((first.status === 'rejected' ? first : second as PromiseRejectedResult).reason as Error).name, 'StoreWriteError')
    await (first.status === 'fulfilled' ? first.value : (second as PromiseFulfilledResult<Part>).value).close()

    await (await begin(store)).close()
  })

  test('do nothing more when closed', async store => {
    const part = await begin(store)
    await part.close()
    await fails('StoreWriteError', async () => { await part.write(0, Uint8Array.of(1)) })
    await fails('StoreWriteError', async () => await part.read(0, 1))
    await fails('StoreWriteError', async () => { await part.mark(0) })
    await fails('StoreWriteError', async () => await part.finish())
    await fails('StoreWriteError', async () => { await part.discard() })

    equal((await list(store)).length, 1)
  })

  for (const [size, other] of [[SIZE, SIZE + 1], [12, 13]]) {
    test(`of ${size} bytes are not continued with ${other}`, async store => {
      const part = await begin(store, KEY, size)
      await part.write(0, sample(12))
      await part.close()
      await fails('StoreWriteError', async () => await begin(store, KEY, other))

      const again = await begin(store, KEY, size)
      same(await again.read(0, 12), sample(12))
      await again.close()
    })
  }

  for (const [what, key] of [['a CID', KEY], ['a path', '../../Ä/x'], ['a long key', 'k'.repeat(1000)], ['no key', '']]) {
    test(`are found by ${what}`, async store => {
      await (await begin(store, 'other', SIZE, 'b.txt')).close()
      const part = await begin(store, key, SIZE, 'a.txt')
      await part.write(0, Uint8Array.of(5))
      await part.close()
      const found = (await list(store)).find(info => info.key === key)
      equal(`${found?.name} ${found?.size}`, `a.txt ${SIZE}`)

      const again = await begin(store, key, SIZE, 'another name')
      same(await again.read(0, 1), Uint8Array.of(5))
      equal((await again.finish()).name, 'a.txt')
    })
  }

  test('are gone when discarded', async store => {
    const part = await begin(store)
    await part.write(0, Uint8Array.of(1))
    await part.mark(0)
    await part.discard()
    equal((await list(store)).length, 0)

    const again = await begin(store)
    same(again.marked, new Uint8Array(1))
    same(again.doubtful, new Uint8Array(1))
    same(await again.read(0, 1), Uint8Array.of(0))
    await again.close()
  })

  test('are not begun when the signal is aborted', async store => {
    const signal = AbortSignal.abort(new Error('enough'))
    await fails('Error', async () => await store.part(KEY, { size: SIZE, name: 'a' }, { signal }))
    equal((await list(store)).length, 0)
  })
}

function markTests (test: Test): void {
  test('are none at first', async store => {
    const part = await begin(store, KEY, 9 * PIECE_SIZE)

    same(part.marked, new Uint8Array(2))
    same(part.doubtful, new Uint8Array(2))
    await part.close()
  })

  test('are kept, one by one and at once', async store => {
    const part = await begin(store, KEY, 11 * PIECE_SIZE + 1)
    await part.write(0, sample(11 * PIECE_SIZE + 1))
    await part.mark(3)
    await Promise.all([0, 1, 8, 11].map(async piece => { await part.mark(piece) }))
    await part.mark(3)
    await part.close()
    const again = await begin(store, KEY, 11 * PIECE_SIZE + 1)

    same(again.marked, Uint8Array.of(0b11010000, 0b10010000))
    same(again.doubtful, new Uint8Array(2))
    await again.close()
  })

  test('say what was there when the part was opened, and no more', async store => {
    const first = await begin(store)
    await first.mark(0)
    await first.close()
    const part = await begin(store)
    await part.mark(1)

    same(part.marked, Uint8Array.of(0x80))
    await part.close()
  })

  test('of a content of one piece are kept, or in doubt', async store => {
    const part = await begin(store, KEY, 5)
    await part.write(0, sample(5))
    await part.mark(0)
    await part.close()
    const again = await begin(store, KEY, 5)

    equal(again.marked[0] | again.doubtful[0], 0x80)
    same(await again.read(0, 5), sample(5))
    await again.close()
  })

  test('refuse pieces that are not there', async store => {
    const part = await begin(store)

    for (const piece of [-1, 3, 0.5, NaN]) {
      await fails('InvalidParametersError', async () => { await part.mark(piece) })
    }

    await part.close()
  })
}

function finishTests (test: Test): void {
  for (const size of [0, 1, PIECE_SIZE, SIZE]) {
    test(`gives ${size} bytes a name and a location`, async store => {
      const { location, name, version } = await finished(store, KEY, size, 'films.txt')
      const reader = await store.open(location)

      equal(name, 'films.txt')
      equal(reader.size, size)
      equal(await reader.version(), version)
      same(await reader.read(0, size), sample(size))
      await reader.close()
      equal((await list(store)).length, 0)
    })
  }

  test('takes no name twice', async store => {
    const names = []
    const locations = new Set<string>()

    for (const key of ['a', 'b', 'c']) {
      const { name, location } = await finished(store, key, 3, 'x.txt')
      names.push(name)
      locations.add(location)
    }

    equal(names.join(), 'x.txt,x (2).txt,x (3).txt')
    equal(locations.size, 3)
  })

  test('forgets the part only when what depends on it has been done', async store => {
    const part = await begin(store, KEY, 3)
    await part.write(0, sample(3))
    await fails('RangeError', async () => await part.finish(async () => { throw new RangeError('not now') }))
    same(await part.read(0, 3), sample(3))

    const { location } = await part.finish(async finished => {
      equal((await list(store)).length, 1)
      await using(store, finished.location, async reader => { same(await reader.read(0, 3), sample(3)) })
    })

    equal((await list(store)).length, 0)
    await using(store, location, async reader => { same(await reader.read(0, 3), sample(3)) })
  })

  test('takes no name twice when all finish at once', async store => {
    const parts = await Promise.all(['a', 'b', 'c', 'd'].map(async key => {
      const part = await begin(store, key, 1, 'x.txt')
      await part.write(0, new TextEncoder().encode(key))

      return part
    }))
    const all = await Promise.all(parts.map(async part => await part.finish()))
    equal(all.map(({ name }) => name).sort().join(), 'x (2).txt,x (3).txt,x (4).txt,x.txt')

    const bytes = await Promise.all(all.map(async ({ location }) => await using(store, location, async reader => await reader.read(0, 1))))
    equal(bytes.map(byte => new TextDecoder().decode(byte)).join(''), 'abcd')
  })

  test('makes names safe', async store => {
    const { name, location } = await finished(store, KEY, 3, '../../etc/con')

    equal(name, '_con')
    same(await using(store, location, async reader => await reader.read(0, 3)), sample(3))
  })

  test('lets a new part have the key', async store => {
    await finished(store, KEY, SIZE, 'a.txt')
    const part = await begin(store)

    same(part.marked, new Uint8Array(1))
    await part.close()
  })
}

function readerTests (test: Test): void {
  test('read anything within', async store => {
    const { location } = await finished(store, KEY, SIZE, 'a.txt')
    const bytes = sample(SIZE)

    await using(store, location, async reader => {
      for (const [offset, length] of [[0, 1], [PIECE_SIZE - 1, 2], [SIZE - 1, 1], [SIZE, 0], [3, SIZE - 3]]) {
        same(await reader.read(offset, length), bytes.subarray(offset, offset + length))
      }
    })
  })

  test('fail past the end', async store => {
    const { location } = await finished(store, KEY, SIZE, 'a.txt')

    await using(store, location, async reader => {
      await fails('ContentChangedError', async () => await reader.read(SIZE - 1, 2))
      await fails('InvalidParametersError', async () => await reader.read(-1, 2))
    })
  })

  test('close twice', async store => {
    const { location } = await finished(store, KEY, 3, 'a.txt')
    const reader = await store.open(location)
    await reader.close()
    await reader.close()
  })

  test('know when the bytes are gone', async store => {
    const { location } = await finished(store, KEY, 3, 'a.txt')

    await using(store, location, async reader => {
      await store.delete(location)
      await fails('NotFoundError', async () => await reader.version())
    })
    await fails('NotFoundError', async () => await store.open(location))
    await store.delete(location)
    equal((await finished(store, KEY, 3, 'a.txt')).name, 'a.txt')
  })

  for (const location of ['nothing', '', '.', '..', '../x', '/']) {
    test(`are not opened on ${JSON.stringify(location)}`, async store => {
      await finished(store, KEY, 3, 'a.txt')
      await fails('NotFoundError', async () => await store.open(location))
      await store.delete(location)
    })
  }
}
