import { CustomProgressEvent } from 'progress-events'
import { optionalComponent } from '../components.ts'
import { directConnection } from '../direct.ts'
import { Driver } from '../driver.ts'
import { InvalidParametersError, NotStartedError, ProtocolError } from '../errors.ts'
import { inputMetrics } from '../metrics.ts'
import { DEFAULT_HOPS, DEFAULT_LIMIT, DEFAULT_TIMEOUT, MAX_HOPS, MAX_LIMIT, MAX_STREAMS, MAX_TIMEOUT, QUERY_ID_SIZE, searchProtocol } from './constants.ts'
import { Flood } from './core/flood.ts'
import { parseFilter } from './core/messages.ts'
import { queryFault } from './core/query.ts'
import { Finding } from './finding.ts'
import { decodeHit, encodeHit, makeHolder } from './hits.ts'
import { LocalIndex } from './local-index.ts'
import { Streams } from './streams.ts'
import type { FloodInput, FloodOutput } from './core/flood.ts'
import type { Answer, Cost, Query } from './core/messages.ts'
import type { FindOptions, Hit, Search as SearchInterface, SearchComponents, SearchInit, SearchMembership } from './index.ts'
import type { PeerKey } from '../core.ts'
import type { Connection, Logger, PeerId, Startable } from '@libp2p/interface'

/** A search of a user. */
interface Own {
  finding: Finding

  /** When it began, in ms. */
  begun: number

  /** Ms to the first hit of somebody else. */
  firstHitMs?: number
  onProgress?: FindOptions['onProgress']
}

/** What there is between `start()` and `stop()`. */
interface Running {
  index: LocalIndex
  streams: Streams
  driver: Driver<FloodInput, FloodOutput>
  topology?: string
}

export class Search implements SearchInterface, Startable {
  readonly [Symbol.toStringTag] = '@formicary/search'

  readonly #components: SearchComponents
  readonly #protocol: string
  readonly #log: Logger

  /** Connected peers that speak the protocol. */
  readonly #connected = new Map<PeerKey, PeerId>()

  /** Those of them that are asked. */
  readonly #neighbours = new Map<PeerKey, PeerId>()
  #membership?: SearchMembership
  readonly #own = new Map<number, Own>()
  #lastAsker = 0
  #running?: Running

  constructor (components: SearchComponents, init: SearchInit = {}) {
    this.#components = components
    this.#protocol = searchProtocol(init.network ?? 'formicary')
    this.#log = components.logger.forComponent('formicary:search')
  }

  async start (): Promise<void> {
    if (this.#running != null) {
      return
    }

    const { registrar } = this.#components
    const running: Running = this.#running = {
      index: new LocalIndex([
        optionalComponent(() => this.#components.catalog),
        optionalComponent(() => this.#components.contingency)
      ].filter(source => source != null)),
      streams: this.#makeStreams(),
      driver: new Driver<FloodInput, FloodOutput>({
        core: new Flood(this.#components.peerId.toMultihash().bytes),
        carryOut: outputs => { outputs.forEach(output => { this.#carryOut(output, running) }) },
        metrics: inputMetrics(this.#components.metrics, 'search')
      })
    }

    this.#membership = optionalComponent(() => this.#components.membership)
    this.#membership?.addEventListener('membership:links', this.#onLinks)
    running.topology = await registrar.register(this.#protocol, {
      onConnect: peer => {
        this.#connected.set(peer.toString(), peer)
        this.#onLinks()
      },
      onDisconnect: peer => {
        this.#connected.delete(peer.toString())
        this.#onLinks()
      }
    })
    await registrar.handle(this.#protocol, (stream, connection) => {
      running.streams.accept(stream, connection)
    }, { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS })
  }

  async stop (): Promise<void> {
    const running = this.#running

    if (running == null) {
      return
    }

    this.#running = undefined
    running.driver.stop()
    running.index.close()
    running.streams.close()
    this.#membership?.removeEventListener('membership:links', this.#onLinks)
    this.#connected.clear()
    this.#neighbours.clear()

    for (const { finding } of this.#own.values()) {
      finding.end(new NotStartedError('Search has stopped'))
    }

    this.#own.clear()

    if (running.topology != null) {
      this.#components.registrar.unregister(running.topology)
    }

    await this.#components.registrar.unhandle(this.#protocol)
  }

  async * find (text: string, options: FindOptions = {}): AsyncGenerator<Hit> {
    const running = this.#assertRunning()
    const query = makeQuery(text, options)
    const { signal, onProgress } = options
    signal?.throwIfAborted()
    const asker = this.#newAsker()
    const finding = new Finding()
    const onAbort = (): void => { finding.end(signal?.reason as Error) }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#own.set(asker, { finding, begun: performance.now(), onProgress })

    try {
      running.driver.handle({ type: 'query', asker, query })
      yield * finding.hits()
    } finally {
      signal?.removeEventListener('abort', onAbort)
      finding.end()

      if (this.#own.delete(asker)) {
        running.driver.handle({ type: 'withdraw', asker })
      }
    }
  }

  #carryOut (output: Exclude<FloodOutput, { type: 'timer' }>, running: Running): void {
    const { streams } = running

    switch (output.type) {
      case 'ask':
        streams.ask(output.ask, this.#connectionTo(output.to), output.query)
        break
      case 'drop':
        streams.drop(output.ask, output.fault == null ? undefined : new ProtocolError(output.fault))
        break
      case 'lookup':
        this.#lookUp(output.asker, output.query, running)
        break
      case 'cost':
        this.#report(output.asker, output.cost)
        break
      case 'answer':
        if (this.#own.has(output.asker)) {
          this.#take(output.asker, output.answer)
        } else {
          streams.answer(output.asker, output.answer)
        }
    }
  }

  #lookUp (asker: number, query: Query, { index, streams, driver }: Running): void {
    const { peerId, addressManager } = this.#components

    index.lookUp({
      query,
      isOver: () => !this.#own.has(asker) && !streams.isAsking(asker),
      found: matches => {
        const holder = matches.length === 0 ? undefined : makeHolder(peerId, addressManager.getAddresses())
        driver.handle({ type: 'found', asker, hits: holder == null ? [] : matches.map(match => encodeHit(match, holder)) })
      }
    }, this.#own.has(asker))
  }

  /** Takes a part of the answer to a search of this node. */
  #take (asker: number, answer: Answer): void {
    const own = this.#own.get(asker) as Own

    if (answer.type === 'done') {
      this.#report(asker, answer)
      this.#own.delete(asker)
      own.finding.end()

      return
    }

    const hits = answer.hits.map(hit => decodeHit(hit, this.#components.peerId)).filter(hit => hit != null)

    if (own.firstHitMs == null && hits.some(({ local }) => !local)) {
      own.firstHitMs = performance.now() - own.begun
    }

    own.finding.add(hits)
  }

  #report (asker: number, { messages, members, hops, unanswered }: Cost): void {
    const own = this.#own.get(asker)

    try {
      own?.onProgress?.(new CustomProgressEvent('search:cost', { messages, members, hops, unanswered, firstHitMs: own.firstHitMs }))
    } catch (err) {
      // it is the caller's, and nobody else should suffer from it
      own?.finding.end(err as Error)
    }
  }

  #makeStreams (): Streams {
    const tell = (input: FloodInput): void => { this.#running?.driver.handle(input) }

    return new Streams({
      protocol: this.#protocol,
      newAsker: () => this.#newAsker(),
      onQuery: (asker, { remotePeer }, query) => { tell({ type: 'query', asker, from: remotePeer.toString(), query }) },
      onWithdraw: asker => { tell({ type: 'withdraw', asker }) },
      onAnswer: (ask, answer) => { tell({ type: 'answer', ask, answer }) },
      onFailed: (ask, error) => {
        this.#log('a neighbour did not answer - %e', error)
        tell({ type: 'failed', ask })
      }
    })
  }

  /** Brings the neighbours in line with who is connected, and worth asking. */
  readonly #onLinks = (): void => {
    for (const [key, peer] of this.#connected) {
      if (!this.#neighbours.has(key) && this.#membership?.isNeighbour(peer) !== false) {
        this.#onNeighbour(peer)
      }
    }

    for (const [key, peer] of this.#neighbours) {
      if (!this.#connected.has(key) || this.#membership?.isNeighbour(peer) === false) {
        this.#onGone(peer)
      }
    }
  }

  #onNeighbour (peer: PeerId): void {
    this.#neighbours.set(peer.toString(), peer)
    this.#running?.driver.handle({ type: 'neighbour', peer: peer.toString() })
  }

  #onGone (peer: PeerId): void {
    this.#neighbours.delete(peer.toString())
    this.#running?.driver.handle({ type: 'gone', peer: peer.toString() })
  }

  #connectionTo (peer: PeerKey): Connection | undefined {
    return this.#neighbours.has(peer) ? directConnection(this.#components.connectionManager, peer) : undefined
  }

  #newAsker (): number {
    return ++this.#lastAsker
  }

  #assertRunning (): Running {
    if (this.#running == null) {
      throw new NotStartedError('Search is not running')
    }

    return this.#running
  }
}

/** Checks what a user asks. */
function makeQuery (text: string, options: FindOptions): Query {
  const { limit = DEFAULT_LIMIT, timeout = DEFAULT_TIMEOUT, hops = DEFAULT_HOPS } = options
  const fault = typeof text === 'string' ? queryFault(text) : 'the query should be a string'

  if (fault != null) {
    throw new InvalidParametersError(`Cannot search: ${fault}`)
  }

  assertWhole('limit', limit, 1, MAX_LIMIT)
  assertWhole('timeout', timeout, 1, MAX_TIMEOUT)
  assertWhole('hops', hops, 0, MAX_HOPS)

  return {
    type: 'query',
    id: crypto.getRandomValues(new Uint8Array(QUERY_ID_SIZE)),
    text,
    hops,
    limit,
    timeout,
    filter: readFilter(options),
    asked: new Uint8Array()
  }
}

function readFilter (options: FindOptions): Query['filter'] {
  try {
    return parseFilter(options)
  } catch (err) {
    throw new InvalidParametersError(`Cannot search: ${(err as Error).message}`, { cause: err })
  }
}

function assertWhole (what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidParametersError(`${what} should be a whole number from ${min} to ${max}`)
  }
}
