/**
 * A name that one page of a site holds at a time.
 *
 * @module
 */

import { DataDirInUseError } from '../errors.ts'

/** How long a page that was closed, or loaded anew, may take to let go, in ms. */
const WAIT = 3_000

/**
 * Takes a name, and returns what gives it back. Where the browser has no
 * locks, nobody is kept out.
 *
 * @throws {DataDirInUseError} another page, or another node in this one, has it
 */
export async function holdName (name: string): Promise<() => Promise<void>> {
  // there are none in pages that came over plain HTTP
  const locks = (navigator as Partial<Navigator>).locks

  if (locks == null) {
    return async () => {}
  }

  const taken = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const request = locks.request(name, { signal: AbortSignal.timeout(WAIT) }, async () => {
    taken.resolve()
    await held.promise
  })
  request.catch(taken.reject)

  try {
    await taken.promise
  } catch (err) {
    throw (err as Error).name === 'TimeoutError' ? new DataDirInUseError(`Another page uses ${name}`, { cause: err }) : err
  }

  return async () => {
    held.resolve()
    await request
  }
}
