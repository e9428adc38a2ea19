/** What the acceptance suite needs of an assertion library, so that it needs none. */

import type { PartInfo, Reader, Store } from './index.ts'

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
