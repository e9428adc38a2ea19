import type { HubServices } from './hub.ts'
import type { Libp2p } from '@libp2p/interface'

/**
 * Frees the reservation of a node that disconnects. The relay of
 * @libp2p/circuit-relay-v2 4.2.13 keeps it until it ends, so that browsers
 * which reload, each time as somebody else, would use up all there are.
 */
export function freeOnDisconnect (libp2p: Libp2p<HubServices>): void {
  libp2p.addEventListener('peer:disconnect', ({ detail: peer }) => {
    const { reservations } = libp2p.services.relay ?? {}
    const reservation = reservations?.get(peer)
    reservations?.delete(peer)
    // what waits for its end would otherwise end the next one of this node
    reservation?.signal.reset(0)
  })
}
