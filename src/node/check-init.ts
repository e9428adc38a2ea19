import { isPrivateKey } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { InvalidParametersError } from '../errors.ts'
import type { NodeInit } from './index.ts'
import type { IceServer } from './platform.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Looks at the options of a node before anything is done with them.
 *
 * @throws {InvalidParametersError} one of them cannot be used
 */
export function checkInit ({ network = 'formicary', name = '', dataDir, identity, bootstrap = [], listen = [], iceServers = [] }: NodeInit): void {
  if (typeof network !== 'string' || !/^[\w.-]{1,64}$/.test(network)) {
    throw new InvalidParametersError(`network should be 1 to 64 letters, digits, ".", "_" or "-", not ${JSON.stringify(network)}`)
  }

  if (typeof name !== 'string' || name.length > 64 || !name.isWellFormed()) {
    throw new InvalidParametersError(`name should be a string of at most 64 characters, not ${JSON.stringify(name)}`)
  }

  if (dataDir != null && (typeof dataDir !== 'string' || dataDir === '' || dataDir.includes('\0'))) {
    throw new InvalidParametersError(`dataDir should be a path, not ${JSON.stringify(dataDir)}`)
  }

  if (identity != null && !isPrivateKey(identity)) {
    throw new InvalidParametersError('identity should be a PrivateKey of libp2p, as importIdentity gives')
  }

  for (const [option, addresses] of Object.entries({ bootstrap, listen })) {
    if (!Array.isArray(addresses)) {
      throw new InvalidParametersError(`${option} should be a list of multiaddrs`)
    }

    addresses.forEach(parseAddress)
  }

  if (!Array.isArray(iceServers) || !iceServers.every(isIceServer)) {
    throw new InvalidParametersError('iceServers should be a list of objects with urls that begin with stun: or turn:')
  }
}

function isIceServer (server?: Partial<IceServer> | null): boolean {
  const urls = [server?.urls].flat()

  return urls.length > 0 && urls.every(url => typeof url === 'string' && /^(?:stun|turn)s?:./.test(url))
}

/** @throws {InvalidParametersError} it is not a multiaddr */
export function parseAddress (address: string | Multiaddr): Multiaddr {
  try {
    return multiaddr(address)
  } catch (err) {
    throw new InvalidParametersError(`${String(address)} is not a multiaddr`, { cause: err })
  }
}
