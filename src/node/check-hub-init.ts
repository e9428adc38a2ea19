import { InvalidParametersError } from '../errors.ts'
import { checkInit, parseAddress } from './check-init.ts'
import type { HubInit } from './hub.ts'

/** The options of a hub with all defaults filled in. */
export type HubSettings = Required<Pick<HubInit, 'network' | 'name' | 'bootstrap' | 'listen' | 'announce' | 'maxConnections' | 'maxReservations'>> &
  Pick<HubInit, 'dataDir'> & { http: HttpAddress | false }

/** Where an HTTP server listens. */
export interface HttpAddress {
  host: string

  /** 0 for one that is free. */
  port: number
}

/** What a hub does where it is told nothing else; {@link HubInit} says what each means, and why. */
export const HUB_DEFAULTS = {
  network: 'formicary',
  name: 'hub',
  listen: ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/tcp/4002/ws', '/ip4/0.0.0.0/udp/4001/webrtc-direct'],
  http: '127.0.0.1:4003',
  maxConnections: 2_000,
  maxReservations: 1_024
}

/**
 * Looks at the options of a hub before anything is done with them.
 *
 * @throws {InvalidParametersError} one of them cannot be used
 */
export function checkHubInit (init: HubInit): HubSettings {
  const given = Object.fromEntries(Object.entries(init).filter(([, value]) => value !== undefined)) as HubInit
  const { network, name, dataDir, bootstrap, listen, announce, http, maxConnections, maxReservations } =
    { bootstrap: [], announce: [], ...HUB_DEFAULTS, ...given }
  checkInit({ network, name, dataDir, bootstrap, listen })

  if (!Array.isArray(announce)) {
    throw new InvalidParametersError('announce should be a list of multiaddrs')
  }

  announce.forEach(parseAddress)

  checkCount('maxConnections', maxConnections, 1)
  checkCount('maxReservations', maxReservations, 0)

  return { network, name, dataDir, bootstrap, listen, announce, maxConnections, maxReservations, http: http === false ? false : parseHttp(http) }
}

function checkCount (option: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new InvalidParametersError(`${option} should be a whole number, ${least} or more, not ${String(value)}`)
  }
}

/** Reads `host:port`, where an IPv6 address stands in brackets. */
function parseHttp (text: string): HttpAddress {
  const [, ip6, host = ip6, port] = /^(?:\[([\da-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i.exec(text) ?? []

  if (host == null || Number(port) > 65_535) {
    throw new InvalidParametersError(`http should be host:port, not ${JSON.stringify(text)}`)
  }

  return { host, port: Number(port) }
}
