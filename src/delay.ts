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
