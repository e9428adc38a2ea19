import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'

/** The services of libp2p itself that nodes and hubs of a colony have. */
export function colonyBasics (network: string): { identify: ReturnType<typeof identify>, ping: ReturnType<typeof ping>, dht: ReturnType<typeof kadDHT> } {
  return {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({
      protocol: `/formicary/${network}/kad/1.0.0`,
      // a colony may live in a private network, or on one machine
      peerInfoMapper: passthroughMapper,
      clientMode: false
    })
  }
}
