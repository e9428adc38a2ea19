/** What the acceptance suite needs of an assertion library, so that it needs none. */

import { PIECE_SIZE } from '../content/constants.ts'
import type { Part, PartInfo, Reader, Store } from './index.ts'

/** Defines a test of a store of its own. */
export type Test = (name: string, run: (store: Store) => Promise<void>) => void

export const KEY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
export const SIZE = 2 * PIECE_SIZE + 5

/** Bytes that differ from their neighbours, and from those a piece away. */
export function sample (size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + (i >> 12))
}

/** Throws if they are not the same value. */
export function equal (actual: unknown, expected: unknown): void {
  if (actual !== expected) {
    throw new Error(`Got ${String(actual)} instead of ${String(expected)}`)
  }
}

/** Throws if they are not the same bytes. */
export function same (actual: Uint8Array, expected: Uint8Array): void {
  equal(actual.byteLength, expected.byteLength)
  equal(actual.findIndex((byte, i) => byte !== expected[i]), -1)
}

/** Throws unless `action` rejects with an error of this name. */
export async function fails (name: string, action: () => Promise<unknown>): Promise<void> {
  let failure: unknown

  try {
    await action()
  } catch (err) {
    failure = err
  }

  equal((failure as Error | undefined)?.name, name)
}

/** Opens what is finished, and closes it again. */
export async function using<T> (store: Store, location: string, use: (reader: Reader) => Promise<T>): Promise<T> {
  const reader = await store.open(location)

  try {
    return await use(reader)
  } finally {
    await reader.close()
  }
}

/** The parts there are. */
export async function list (store: Store): Promise<PartInfo[]> {
  return Array.fromAsync(store.parts())
}

export async function begin (store: Store, key = KEY, size = SIZE, name = 'a.txt'): Promise<Part> {
  return await store.part(key, { size, name })
}

/** Writes and finishes a part. */
export async function finished (store: Store, key: string, size: number, name: string): Promise<{ location: string, name: string, version: string }> {
  const part = await begin(store, key, size, name)
  await part.write(0, sample(size))

  return await part.finish()
}
