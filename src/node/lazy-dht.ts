/**
 * The DHT for browsers: a client, loaded when the node has started. It is a
 * third of what a page has to load, and nothing waits for it: members and
 * neighbours are asked first.
 *
 * @module
 */

import { contentRoutingSymbol, peerRoutingSymbol, start, stop } from '@libp2p/interface'
import { NotStartedError } from '../errors.ts'
import type { ContentRouting, Logger, PeerRouting, Startable } from '@libp2p/interface'
import type { KadDHT, KadDHTComponents } from '#kad-dht'

/** The DHT as a service that begins to load when the node starts. */
export function lazyDht (network: string): (components: KadDHTComponents) => LazyDht {
  return components => new LazyDht(components, network)
}

/** Asks the DHT once it is there. */
export class LazyDht implements Startable {
  readonly [Symbol.toStringTag] = '@formicary/dht'
  readonly #components: KadDHTComponents
  readonly #network: string
  readonly #log: Logger
  #dht?: Promise<KadDHT>

  constructor (components: KadDHTComponents, network: string) {
    this.#components = components
    this.#network = network
    this.#log = components.logger.forComponent('formicary:dht')
  }

  /** What libp2p asks for contents. */
  get [contentRoutingSymbol] (): ContentRouting {
    const routing = async (): Promise<ContentRouting> => contentRoutingOf(await this.#started())

    return {
      provide: async (cid, options) => { await (await routing()).provide(cid, options) },
      cancelReprovide: async (cid, options) => { await (await routing()).cancelReprovide(cid, options) },
      async * findProviders (cid, options) { yield * (await routing()).findProviders(cid, options) },
      put: async (key, value, options) => { await (await routing()).put(key, value, options) },
      get: async (key, options) => (await routing()).get(key, options)
    }
  }

  /** What libp2p asks for peers. */
  get [peerRoutingSymbol] (): PeerRouting {
    const routing = async (): Promise<PeerRouting> => peerRoutingOf(await this.#started())

    return {
      findPeer: async (peer, options) => (await routing()).findPeer(peer, options),
      async * getClosestPeers (key, options) { yield * (await routing()).getClosestPeers(key, options) }
    }
  }

  start (): void {
    this.#dht = this.#load()
    this.#dht.catch((err: unknown) => { this.#log.error('the DHT could not be loaded - %e', err) })
  }

  async stop (): Promise<void> {
    const dht = await this.#dht?.catch(() => undefined)
    this.#dht = undefined
    await stop(dht)
  }

  async #started (): Promise<KadDHT> {
    if (this.#dht == null) {
      throw new NotStartedError('The DHT is not running')
    }

    return this.#dht
  }

  async #load (): Promise<KadDHT> {
    const { colonyDht } = await import('./dht.ts')
    const dht = colonyDht(this.#network, { clientMode: true })(this.#components)
    await start(dht)

    return dht
  }
}

function contentRoutingOf (dht: KadDHT): ContentRouting {
  return (dht as unknown as Record<symbol, ContentRouting>)[contentRoutingSymbol]
}

function peerRoutingOf (dht: KadDHT): PeerRouting {
  return (dht as unknown as Record<symbol, PeerRouting>)[peerRoutingSymbol]
}
