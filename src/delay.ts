import type { AbortOptions } from '@libp2p/interface'

/** Resolves after so many ms, or rejects with the reason of the signal. */
export async function delay (ms: number, options?: AbortOptions): Promise<void> {
  const signal = options?.signal
  signal?.throwIfAborted()

  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }

    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** What `promise` gives, unless the signal is aborted before; then rejects with its reason. */
export async function waitFor<T> (promise: Promise<T>, signal?: AbortSignal | null): Promise<T> {
  if (signal == null) {
    return promise
  }

  if (signal.aborted) {
    // nobody else may look whether it fails
    promise.catch(() => {})
    throw signal.reason
  }

  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => { reject(signal.reason as Error) }
  signal.addEventListener('abort', onAbort)

  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Rejects if `promise` does, and never resolves. */
export async function failureOf (promise: Promise<unknown>): Promise<never> {
  await promise

  return new Promise<never>(() => {})
}
