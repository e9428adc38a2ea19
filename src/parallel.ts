/**
 * Does something with all items of a source, several at once.
 *
 * @module
 */

import type { AbortOptions } from '@libp2p/interface'

/** Ended by an error, or by a value that may be `undefined`. */
type Settled<T> = { value: T } | { error: unknown }

/**
 * Runs `task` for each item, `concurrency` at once, and yields what they
 * return, in the order they are done. Takes no more from the source than can
 * be worked on.
 *
 * The first error, of the source or a task, ends it. However it ends, the
 * signal that tasks get is aborted, and all that were begun have settled.
 */
export async function * parallel<T, R> (source: AsyncIterable<T> | Iterable<T>, concurrency: number, task: (item: T, signal: AbortSignal) => Promise<R>, options: AbortOptions = {}): AsyncGenerator<R> {
  const ended = new AbortController()
  const signal = AbortSignal.any([ended.signal, ...(options.signal == null ? [] : [options.signal])])
  const running = new Set<Promise<void>>()
  const done: Array<Settled<R>> = []
  let wake = (): void => {}

  function begin (item: T): void {
    const promise = task(item, signal)
      .then(value => { done.push({ value }) }, (error: unknown) => { done.push({ error }) })
      .finally(() => {
        running.delete(promise)
        wake()
      })
    running.add(promise)
  }

  // not Promise.race, which would pile up on the slowest of them
  const next = async (): Promise<void> => {
    if (done.length === 0) {
      await new Promise<void>(resolve => { wake = resolve })
    }
  }

  try {
    for await (const item of source) {
      begin(item)

      while (running.size >= concurrency) {
        await next()
        yield * take(done)
      }
    }

    while (running.size > 0 || done.length > 0) {
      await next()
      yield * take(done)
    }
  } finally {
    ended.abort()
    await Promise.all(running)
  }
}

/** Does the same with tasks that return nothing; resolves when all are done. */
export async function inParallel<T> (source: AsyncIterable<T> | Iterable<T>, concurrency: number, task: (item: T, signal: AbortSignal) => Promise<void>, options?: AbortOptions): Promise<void> {
  await Array.fromAsync(parallel(source, concurrency, task, options))
}

function * take<R> (done: Array<Settled<R>>): Generator<R> {
  for (let settled = done.shift(); settled != null; settled = done.shift()) {
    if ('error' in settled) {
      throw settled.error
    }

    yield settled.value
  }
}
