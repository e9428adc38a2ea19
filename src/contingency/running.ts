/**
 * What there is of contingency while it runs: the core, and everything that
 * does for it what it cannot do itself.
 *
 * @module
 */

import { peerIdFromString } from '@libp2p/peer-id'
import { optionalComponent } from '../components.ts'
import { waitFor } from '../delay.ts'
import { Driver } from '../driver.ts'
import { NotStartedError } from '../errors.ts'
import { messageMetrics } from '../metrics.ts'
import { Blocks } from './blocks.ts'
import { Challenger } from './challenger.ts'
import { contingencyProtocol, MAX_STREAMS } from './constants.ts'
import { ContingencyCore } from './core/contingency.ts'
import { Fetching } from './fetching.ts'
import { Lines } from './lines.ts'
import { Members } from './members.ts'
import { Merging } from './merging.ts'
import { OwnState } from './own-state.ts'
import { ContingencyRecords } from './records.ts'
import { Seals } from './sealed.ts'
import { Wards } from './wards.ts'
import type { AnyMessage } from './codec.ts'
import type { ContingencyCatalog, ContingencyComponents } from './components.ts'
import type { Message } from './core/messages.ts'
import type { ContingencyEvent, ContingencyInput, ContingencyOutput } from './core/outbox.ts'
import type { ContingencyInit, KeptEntry } from './index.ts'
import type { PeerKey } from '../core.ts'
import type { Logger, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'

export interface RunningInit {
  components: ContingencyComponents
  options: Required<ContingencyInit>
  log: Logger
  onEvent (event: ContingencyEvent): void

  /** An entry of a ward that is gone can be found here from now on, or cannot any more. */
  onEntry (type: 'entry:added' | 'entry:removed', entry: KeptEntry): void
}

export class Running {
  core!: ContingencyCore
  readonly blocks: Blocks
  readonly wards: Wards
  readonly own: OwnState
  readonly ended = new AbortController()

  readonly #init: RunningInit
  readonly #protocol: string
  readonly #seals: Seals
  readonly #records: ContingencyRecords
  readonly #fetching: Fetching
  readonly #lines: Lines
  readonly #challenger: Challenger
  readonly #merging: Merging
  readonly #members: Members
  #driver?: Driver<ContingencyInput, ContingencyOutput>
  #mayLeave = Promise.withResolvers<void>()
  #cleaned?: Promise<void>

  /** What is carried out: one thing after another. */
  #work: Promise<void> = Promise.resolve()

  constructor (init: RunningInit) {
    const { components: { privateKey, datastore, transfer, kept }, options, log } = init
    this.#init = init
    this.#protocol = contingencyProtocol(options.network)
    this.#seals = new Seals(privateKey, options.network)
    this.#records = new ContingencyRecords(datastore, this.#seals, log)
    this.blocks = new Blocks(kept, cid => this.own.needs(cid) || this.wards.needs(cid))
    this.#fetching = new Fetching({ blocks: this.blocks, transfer, source: peer => this.#sourceOf(peer) })
    this.wards = new Wards({
      blocks: this.blocks,
      fetching: this.#fetching,
      log,
      onFetched: (ward, root, ok, full) => { this.tell({ type: 'fetched', ward, root, ok, full }) },
      onEntry: (type, entry) => { init.onEntry(type, entry) }
    })
    this.own = this.#makeOwnState()
    this.#lines = this.#makeLines()
    this.#challenger = this.#makeChallenger()
    this.#merging = new Merging({ own: this.own, blocks: this.blocks, fetching: this.#fetching, log, signal: this.ended.signal })
    this.#members = new Members({
      membership: init.components.membership,
      onMember: (peer, state, weight) => {
        if (state === 'down' || state === 'left') {
          this.#lines.drop(peer)
        }

        this.tell({ type: 'member', peer, state, weight })
      }
    })
  }

  /** Reads what there was. */
  async start (): Promise<void> {
    const { components: { peerId, metrics }, options: { copies, grace } } = this.#init
    const ward = await this.#records.loadWard()
    const kept = await this.wards.open(await this.#records.load())
    this.core = new ContingencyCore({
      self: peerId.toString(),
      random: Math.random,
      copies,
      grace,
      wallClock: Date.now,
      ward,
      kept
    })
    await this.own.open()
    this.#driver = new Driver<ContingencyInput, ContingencyOutput>({
      core: this.core,
      carryOut: outputs => { this.#carryOut(outputs) },
      metrics: messageMetrics(metrics, 'contingency')
    })
  }

  /** The other services can be used now: who is here, and how to fetch. */
  async begin (): Promise<void> {
    const { components: { registrar }, options: { room, maxWards } } = this.#init
    this.#members.start()
    this.tell({ type: 'room', bytes: room, wards: room > 0 ? maxWards : 0 })
    // not before there is room, or it would be said that there is none
    await registrar.handle(this.#protocol, (stream, connection) => { this.#lines.accept(stream, connection) }, { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS })
    this.#offer()
    this.#challenger.start()
    // with a hundred thousand entries this takes seconds, for which nobody has to wait
    this.#cleaned = this.#clean().catch((err: unknown) => { this.#init.log.error('could not delete what a crash left behind - %e', err) })
  }

  /** Gives others what there is, and deletes what a crash left behind, unless somebody is still about to complete it. */
  async #clean (): Promise<void> {
    await this.own.publish()

    if (!this.ended.signal.aborted && [...this.core.keeper.kept.values()].every(({ isComplete }) => isComplete)) {
      await this.blocks.sweep(this.ended.signal)
    }
  }

  async stop (): Promise<void> {
    const { registrar } = this.#init.components
    this.ended.abort(new NotStartedError('Contingency has stopped'))
    this.#members.stop()
    this.#driver?.stop()
    this.#challenger.close()
    await this.wards.close()
    await registrar.unhandle(this.#protocol)
    await this.#work
    await this.#lines.close()
    await this.own.close()
    await this.#cleaned
  }

  /** Tells the core something, while it runs. */
  tell (input: ContingencyInput): void {
    if (!this.ended.signal.aborted) {
      this.#driver?.handle(input)
    }
  }

  /** Resolves once nothing is gained when this node stays, or rejects with the reason of the signal. */
  async mayLeave (signal: AbortSignal): Promise<void> {
    await waitFor(this.own.publish(), signal)

    while (!this.core.mayLeave) {
      await waitFor(this.#mayLeave.promise, signal)
    }
  }

  /** Resolves when all that was asked for up to now is carried out. */
  async idle (): Promise<void> {
    await this.#work
  }

  /** Where somebody is now: it may have come back at another address than it was known at. */
  #sourceOf (peer: PeerKey): { holder: PeerId, addresses?: Multiaddr[] } {
    const holder = peerIdFromString(peer)

    return { holder, addresses: this.#init.components.membership.get(holder)?.addresses }
  }

  /** `true` if something was merged that others had of this node. */
  get hasMerged (): boolean {
    return this.#merging.hasMerged
  }

  /** Members that are here and may have what this node had. */
  sources (): PeerKey[] {
    const { named, former } = this.core.ward.contingents

    return [...named.keys(), ...former.keys()].filter(peer => this.core.peers.isHere(peer))
  }

  get catalog (): ContingencyCatalog | undefined {
    return optionalComponent(() => this.#init.components.catalog)
  }

  #makeOwnState (): OwnState {
    const { components: { datastore }, options: { filter }, log } = this.#init

    return new OwnState({
      datastore,
      catalog: this.catalog,
      blocks: this.blocks,
      log,
      filter,
      nextVersion: () => this.core.ward.nextEpoch,
      onSnapshot: snapshot => { this.tell({ type: 'snapshot', snapshot }) },
      download: async (cid, size, options) => this.#fetching.download(cid, size, { ...options, sources: this.sources() })
    })
  }

  #makeLines (): Lines {
    const { components: { connectionManager, membership }, log } = this.#init

    return new Lines({
      protocol: this.#protocol,
      connectionManager,
      seals: this.#seals,
      log,
      addresses: peer => membership.get(peerIdFromString(peer))?.addresses ?? [],
      onMessage: (from, message) => { this.#take(from, message) },
      onUnsupported: peer => { this.tell({ type: 'failed', peer }) }
    })
  }

  #makeChallenger (): Challenger {
    const { options: { challengeInterval }, log } = this.#init

    return new Challenger({
      interval: challengeInterval,
      own: this.own,
      contingents: () => [...this.core.ward.contingents.named].flatMap(([peer, { receipt }]) => receipt != null && this.core.peers.isHere(peer) ? { peer, receipt } : []),
      read: async (cid, offset, length) => this.#read(cid, offset, length),
      send: (to, message) => { this.#lines.send(to, message) },
      onLiar: peer => { this.tell({ type: 'distrust', peer }) },
      log
    })
  }

  #take (from: PeerKey, message: AnyMessage): void {
    if (this.ended.signal.aborted) {
      return
    }

    switch (message.type) {
      case 'challenge': this.#challenger.answer(from, message); break
      case 'proof': this.#challenger.take(from, message); break
      default:
        this.tell({ type: 'message', from, message })
        this.#note(message)
    }
  }

  /** Even if it is only one of those who should, somebody has what this node has. */
  #note (message: Message): void {
    if (message.type === 'receipt' && message.receipt.ward === this.#init.components.peerId.toString()) {
      this.own.promise(message.receipt.root).catch((err: unknown) => { this.#init.log.error('could not note what others have - %e', err) })
    }
  }

  /** What one input asks for, in order: nothing is said before what it rests on is saved. */
  #carryOut (outputs: Array<Exclude<ContingencyOutput, { type: 'timer' }>>): void {
    this.#work = this.#work.then(async () => {
      let saved = true

      for (const output of outputs) {
        if (isRecord(output) || (!this.ended.signal.aborted && (saved || !restsOnRecord(output)))) {
          await this.#do(output).catch((err: unknown) => {
            this.#init.log.error('could not %s - %e', output.type, err)
            saved &&= !isRecord(output)
          })
        }
      }
    })
  }

  async #do (output: Exclude<ContingencyOutput, { type: 'timer' }>): Promise<void> {
    switch (output.type) {
      case 'send': this.#lines.send(output.to, output.message); break
      case 'event':
        // what is promised is on record before anybody is told
        await (output.event.type === 'protected' ? this.own.promise(output.event.root) : undefined)
        this.#init.onEvent(output.event)
        break
      case 'assign': this.tell({ type: 'assigned', assignment: await this.#seals.assignment(output.assignment) }); break
      case 'take-over': this.tell({ type: 'taken-over', takeover: await this.#seals.takeover(output.takeover), assignment: output.assignment }); break
      case 'save-ward': await this.#records.saveWard(output.record); break
      case 'save': await this.#records.save(output.ward, output.record); break
      case 'forget': await this.#records.forget(output.ward); break
      case 'fetch': this.wards.fetch(output); break
      case 'merge': void this.#merging.merge(output).then(ok => { this.tell({ type: 'merged', root: output.assignment.root, ok }) }); break
      case 'tidy': await this.wards.tidy(output.ward, output.before != null); break
      case 'drop':
        await this.wards.drop(output.ward)
        this.#offer()
        break
      case 'serve': this.wards.serve(output.ward, output.on); break
      case 'may-leave':
        this.#mayLeave.resolve()
        this.#mayLeave = Promise.withResolvers()
    }
  }

  /** Tells others how much room there is, to the nearest power of two below, so that it does not change all the time. */
  #offer (): void {
    const { components: { membership }, options: { room }, log } = this.#init
    const free = Math.max(0, room - this.core.keeper.used)
    const storage = free === 0 ? 0 : 2 ** Math.floor(Math.log2(free))
    membership.update({ storage }).catch((err: unknown) => { log('could not say how much room there is - %e', err) })
  }

  async #read (cid: CID, offset: number, length: number): Promise<Uint8Array | undefined> {
    const content = await this.#init.components.kept.open(cid) ?? await this.catalog?.open(cid)

    try {
      return await content?.read(offset, length)
    } finally {
      await content?.close()
    }
  }
}

/** `true` for what has to be on record whatever happens next. */
function isRecord ({ type }: ContingencyOutput): boolean {
  return type === 'save' || type === 'save-ward' || type === 'forget'
}

/** `true` for what would be wrong if a record is not what it should be. The core waits for all else. */
function restsOnRecord ({ type }: ContingencyOutput): boolean {
  return type === 'send' || type === 'tidy' || type === 'drop'
}
