import { kadDHT, passthroughMapper } from '#kad-dht'
import type { KadDHT, KadDHTComponents } from '#kad-dht'

/**
 * The DHT of a colony: who has which content, and where peers are. Servers
 * are nodes that can be dialled; clients only ask.
 */
export function colonyDht (network: string, { clientMode }: { clientMode: boolean }): (components: KadDHTComponents) => KadDHT {
  return kadDHT({
    protocol: `/formicary/${network}/kad/1.0.0`,
    // a colony may live in a private network, or on one machine
    peerInfoMapper: passthroughMapper,
    clientMode
  })
}
