/**
 * What the preset is: the libp2p node, and the services in it.
 *
 * @module
 */

import { createLibp2p } from 'libp2p'
import { catalog } from '../catalog/index.ts'
import { membershipProtocol } from '../membership/constants.ts'
import { membership } from '../membership/index.ts'
import { searchProtocol } from '../search/constants.ts'
import { search } from '../search/index.ts'
import { transferProtocol } from '../transfer/constants.ts'
import { transfer } from '../transfer/index.ts'
import { colonyBasics } from './basics.ts'
import { reachable } from './reach.ts'
import type { NodeInit, NodeServices } from './index.ts'
import type { Defaults } from './platform.ts'
import type { Libp2p } from '@libp2p/interface'
import type { ServiceFactoryMap } from 'libp2p'

/**
 * Connections a second that are taken from one IP address. libp2p's default of
 * 5 is met by a family, a class, or a dozen nodes that are tried out on one
 * machine, whose members would be turned away without a word.
 */
const INBOUND_THRESHOLD = 100

/** The libp2p node of a preset, not started yet. */
export async function libp2pOf ({ network, name, identity, listen, uploadSlots, uploadLimit, contingency: safety, ...init }: NodeInit & { network: string }, platform: Defaults): Promise<Libp2p<NodeServices>> {
  const { datastore } = platform.kept
  const store = init.store ?? platform.kept.store
  const keptStore = init.store ?? platform.kept.keptStore
  // a page that is shown first, and one that does without, need not wait for it
  const { contingency } = safety === false ? {} : await import('../contingency/index.ts')

  return createLibp2p<NodeServices>({
    ...platform.libp2p,
    datastore,
    privateKey: identity,
    addresses: { listen: listen ?? platform.listen, announceFilter: reachable },
    connectionManager: { inboundConnectionThreshold: INBOUND_THRESHOLD, maxIncomingPendingConnections: INBOUND_THRESHOLD, ...platform.libp2p.connectionManager },
    ...init.libp2p,
    services: {
      ...colonyBasics(platform),
      membership: membership({ network, name, light: platform.light }),
      catalog: catalog({ store, files: platform.files }),
      search: search({ network }),
      transfer: transfer({ store, keptStore, network, uploadSlots, uploadLimit }),
      ...safety !== false && contingency != null && {
        kept: catalog({ store: keptStore, records: '/formicary/kept' }),
        contingency: contingency({ network, room: platform.kept.room, ...safety })
      },
      ...init.services
    } as unknown as ServiceFactoryMap<NodeServices>,
    start: false
  })
}

/** What members of a colony speak with each other. */
export function protocolsOf (network: string): string[] {
  return [membershipProtocol(network), searchProtocol(network), transferProtocol(network)]
}
