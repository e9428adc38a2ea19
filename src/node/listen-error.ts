import { ListenError } from '../errors.ts'

/** What the system says most often, in our words. */
const REASONS: Record<string, string> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'that port is for administrators'
}

/** Says in our words why nobody can listen on an address. */
export function listenError (err: unknown, where: string): ListenError {
  return new ListenError(`Could not listen on ${where}: ${reasonOf((err as Error).message)}`, { cause: err })
}

/**
 * What libp2p says when it could not listen on some addresses, in one line; any
 * other error as it is. It lists them on lines of their own: `  address: error`.
 */
export function startError (err: unknown): unknown {
  const { name, message } = err as Error

  if (name !== 'UnsupportedListenAddressesError') {
    return err
  }

  const faults = [...message.matchAll(/^ {2}(\/\S+): (.*)$/gm)].map(([, address, reason]) => `${address}: ${reasonOf(reason)}`)

  return new ListenError(`Could not listen on ${faults.length === 0 ? message : faults.join(', ')}`, { cause: err })
}

function reasonOf (message: string): string {
  const code = Object.keys(REASONS).find(each => message.includes(each))

  return code == null ? message : REASONS[code]
}
