import { multiaddr } from '@multiformats/multiaddr'
import { delay } from '../delay.ts'
import { InvalidParametersError } from '../errors.ts'
import type { AbortOptions, Connection, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long to wait for one known node, in ms. */
const JOIN_TIMEOUT = 10_000

/** Tries to come in begin so far apart, in ms, and twice as far each time, up to the largest; half of it is random. */
const RETRY_DELAY = 1_000
const MAX_RETRY_DELAY = 60_000

/** The way into the colony: known nodes, dialled until one of them answers, and again when nobody is left. */
export class Entrance {
  readonly #libp2p: Libp2p
  readonly #bootstrap: Multiaddr[]
  readonly #stopped = new AbortController()

  /** @throws {InvalidParametersError} an address is not a multiaddr */
  constructor (libp2p: Libp2p, bootstrap: Array<string | Multiaddr>) {
    this.#libp2p = libp2p
    this.#bootstrap = bootstrap.map(parseAddress)
  }

  /** Goes on until `stop`; resolves when the first known node is in, or all have been tried. */
  async start (): Promise<void> {
    if (this.#bootstrap.length > 0) {
      await this.#tryAll()
      void this.#keepIn().catch(() => {})
    }
  }

  stop (): void {
    this.#stopped.abort()
  }

  /**
   * Connects to a known node, and waits until it is known what it speaks.
   *
   * @throws what dialling says, or the reason of `signal`
   */
  async join (address: string | Multiaddr, options?: AbortOptions): Promise<PeerId> {
    const signals = [this.#stopped.signal, AbortSignal.timeout(JOIN_TIMEOUT), ...(options?.signal == null ? [] : [options.signal])]
    const signal = AbortSignal.any(signals)
    const connection = await this.#libp2p.dial(parseAddress(address), { signal })
    await this.#identified(connection, signal)

    return connection.remotePeer
  }

  /** Resolves as soon as one is in. */
  async #tryAll (): Promise<void> {
    const self = this.#libp2p.peerId.toString()
    const others = this.#bootstrap.filter(address => !address.toString().includes(`/p2p/${self}`))
    await Promise.any(others.map(async address => this.join(address))).catch(() => {})
  }

  async #keepIn (): Promise<void> {
    for (let wait = RETRY_DELAY; ; wait = Math.min(2 * wait, MAX_RETRY_DELAY)) {
      await delay(wait * (0.5 + Math.random() / 2), { signal: this.#stopped.signal })

      if (this.#libp2p.getConnections().length === 0) {
        await this.#tryAll()
      } else {
        wait = RETRY_DELAY / 2
      }
    }
  }

  /** Only who has been identified is known to speak our protocols. */
  async #identified (connection: Connection, signal: AbortSignal): Promise<void> {
    const peer = await this.#libp2p.peerStore.get(connection.remotePeer).catch(() => undefined)

    if (peer != null && peer.protocols.length > 0) {
      return
    }

    await new Promise<void>((resolve, reject) => {
      const end = (then: () => void): void => {
        this.#libp2p.removeEventListener('peer:identify', onIdentify)
        signal.removeEventListener('abort', onAbort)
        then()
      }
      const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
        if (detail.peerId.equals(connection.remotePeer)) {
          end(resolve)
        }
      }
      const onAbort = (): void => { end(() => { reject(signal.reason as Error) }) }

      this.#libp2p.addEventListener('peer:identify', onIdentify)
      signal.addEventListener('abort', onAbort)
    })
  }
}

function parseAddress (address: string | Multiaddr): Multiaddr {
  try {
    return multiaddr(address)
  } catch (err) {
    throw new InvalidParametersError(`${String(address)} is not a multiaddr`, { cause: err })
  }
}
