import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import type { Defaults } from './platform.ts'

/** The services of libp2p itself that nodes and hubs of a colony have. */
export function colonyBasics ({ dht }: Pick<Defaults, 'dht'>): { identify: ReturnType<typeof identify>, ping: ReturnType<typeof ping>, dht: Defaults['dht'] } {
  return { identify: identify(), ping: ping(), dht }
}
