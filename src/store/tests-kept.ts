/** What every store has to do with bytes that are kept with a part. */

import { begin, equal, fails, finished, KEY, list, same, sample, SIZE, using } from './test-tools.ts'
import { PIECE_SIZE } from '../content/constants.ts'
import type { Test } from './test-tools.ts'

/** Defines the tests. */
export function keptTests (test: Test): void {
  test('is nothing at first, and with no part', async store => {
    equal(await store.kept(KEY), undefined)
    equal(await store.kept('../../Ä/x'), undefined)
    const part = await begin(store)
    equal(await store.kept(KEY), undefined)
    await part.close()
    equal(await store.kept(KEY), undefined)
  })

  for (const [size, key] of [[SIZE, KEY], [5, KEY], [SIZE, '../../Ä/x'], [SIZE, 'k'.repeat(1000)]] as const) {
    test(`outlives the part being open: ${size} bytes by ${key.slice(0, 10)}`, async store => {
      const part = await begin(store, key, size)
      await part.keep(sample(100))
      same(await store.kept(key) ?? fail(), sample(100))
      await part.close()
      same(await store.kept(key) ?? fail(), sample(100))
      equal(await store.kept('other'), undefined)

      const again = await begin(store, key, size)
      same(await store.kept(key) ?? fail(), sample(100))
      await again.close()
    })
  }

  test('is what was kept last, whatever runs at once', async store => {
    const part = await begin(store)
    await part.keep(sample(2000))
    await Promise.all([part.keep(sample(10)), part.keep(sample(300)), part.keep(sample(20))])
    same(await store.kept(KEY) ?? fail(), sample(20))
    await part.close()
    same(await store.kept(KEY) ?? fail(), sample(20))
  })

  test('is no view of what was given, and nothing that is got is one of it', async store => {
    const part = await begin(store)
    const bytes = sample(20)
    await part.keep(bytes)
    bytes.fill(9)
    const got = await store.kept(KEY) ?? fail()
    same(got, sample(20))
    got.fill(8)

    same(await store.kept(KEY) ?? fail(), sample(20))
    await part.close()
  })

  test('harms neither bytes nor marks', async store => {
    const part = await begin(store)
    await part.write(0, sample(SIZE))
    await part.mark(1)
    await part.keep(Uint8Array.from({ length: 4000 }, () => 0xff))
    await part.mark(0)
    await part.close()
    const again = await begin(store)

    same(again.marked, Uint8Array.of(0xc0))
    same(await again.read(0, SIZE), sample(SIZE))
    equal((await list(store)).length, 1)
    await again.close()
  })

  test('is gone when the part is discarded', async store => {
    const part = await begin(store)
    await part.keep(sample(20))
    await part.discard()
    equal(await store.kept(KEY), undefined)
    await (await begin(store)).close()
    equal(await store.kept(KEY), undefined)
  })

  for (const size of [5, SIZE]) {
    test(`is gone when a part of ${size} bytes is finished, and no part of the content`, async store => {
      const first = await begin(store, KEY, size)
      await first.keep(sample(20))
      await first.close()
      const { location } = await finished(store, KEY, size, 'a.txt')

      equal(await store.kept(KEY), undefined)
      await using(store, location, async reader => { same(await reader.read(0, size), sample(size)) })
    })
  }

  test('is bounded', async store => {
    const part = await begin(store, KEY, 10 * PIECE_SIZE)
    const most = 4096 + 10 * 64
    await part.keep(sample(most))
    await fails('InvalidParametersError', async () => { await part.keep(new Uint8Array(most + 1)) })
    same(await store.kept(KEY) ?? fail(), sample(most))
    await part.close()
  })

  test('does not change when the part is closed', async store => {
    const part = await begin(store)
    await part.keep(sample(20))
    await part.close()
    await fails('StoreWriteError', async () => { await part.keep(sample(30)) })

    same(await store.kept(KEY) ?? fail(), sample(20))
  })
}

function fail (): never {
  throw new Error('Nothing was kept')
}
