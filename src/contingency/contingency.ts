import { TypedEventEmitter } from 'main-event'
import { peerIdFromString } from '@libp2p/peer-id'
import { CustomProgressEvent } from 'progress-events'
import { optionalComponent } from '../components.ts'
import { delay, waitFor } from '../delay.ts'
import { Driver } from '../driver.ts'
import { NotStartedError } from '../errors.ts'
import { Blocks } from './blocks.ts'
import { Challenges } from './challenges.ts'
import { checkInit } from './check-init.ts'
import { contingencyProtocol, MAX_STREAMS } from './constants.ts'
import { ContingencyCore } from './core/contingency.ts'
import { keepersOf } from './core/messages.ts'
import { Fetching } from './fetching.ts'
import { selectItems } from './items.ts'
import { Lines } from './lines.ts'
import { OwnState } from './own-state.ts'
import { ContingencyRecords } from './records.ts'
import { Seals } from './sealed.ts'
import { EncryptedVault } from './vault.ts'
import { VaultKeys } from './vault-crypto.ts'
import { Wards } from './wards.ts'
import { weightOf } from './weight.ts'
import { describe } from './describe.ts'
import { recover } from './recover.ts'
import type { AnyMessage } from './codec.ts'
import type { ContingencyEvent, ContingencyInput, ContingencyOutput } from './core/outbox.ts'
import type { Contingency, ContingencyCatalog, ContingencyComponents, ContingencyEvents, ContingencyInit, ContingencyMember, ContingencyStatus, KeptEntry, Recovery, RecoverOptions } from './index.ts'
import type { Vault } from './vault.ts'
import type { PeerKey } from '../core.ts'
import type { AbortOptions, Logger, PeerId, Startable } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** Events of membership that say what became of somebody. */
const MEMBER_EVENTS = ['member:joined', 'member:suspected', 'member:recovered', 'member:down', 'member:left', 'member:updated'] as const

/** How often it is looked at whether leaving still makes sense, in ms. */
const LEAVE_TICK = 100

/** What there is between `start()` and `stop()`. */
interface Running {
  core: ContingencyCore
  driver: Driver<ContingencyInput, ContingencyOutput>
  lines: Lines
  own: OwnState
  wards: Wards
  blocks: Blocks
  fetching: Fetching
  challenges: Challenges
  records: ContingencyRecords
  vault: Vault
  ended: AbortController

  /** What is carried out: one thing after another. */
  work: Promise<void>
  left: PromiseWithResolvers<void>
  merged: number
  challengeTimer?: ReturnType<typeof setTimeout>
  topology?: string
}

export class ContingencyService extends TypedEventEmitter<ContingencyEvents> implements Contingency, Startable {
  readonly [Symbol.toStringTag] = '@formicary/contingency'

  readonly #components: ContingencyComponents
  readonly #init: Required<ContingencyInit>
  readonly #key: PeerKey
  readonly #protocol: string
  readonly #seals: Seals
  readonly #log: Logger
  #running?: Running
  #leaving?: Promise<void>

  constructor (components: ContingencyComponents, init: ContingencyInit) {
    super()
    this.#components = components
    this.#init = checkInit(init)
    this.#key = components.peerId.toString()
    this.#protocol = contingencyProtocol(this.#init.network)
    this.#seals = new Seals(components.privateKey, this.#init.network)
    this.#log = components.logger.forComponent('formicary:contingency')
  }

  async start (): Promise<void> {
    if (this.#running != null) {
      return
    }

    const { registrar, datastore } = this.#components
    const records = new ContingencyRecords(datastore, this.#seals, this.#log)
    const [ward, kept] = [await records.loadWard(), await records.load()]
    const running = await this.#make(records)
    await running.wards.open(kept)
    await running.own.open()
    running.core = new ContingencyCore({
      self: this.#key,
      random: Math.random,
      copies: this.#init.copies,
      grace: this.#init.grace,
      wallClock: Date.now,
      ward,
      kept: kept.map(record => running.wards.isWhole(record) ? record : { ...record, held: undefined })
    })
    running.driver = new Driver<ContingencyInput, ContingencyOutput>({ core: running.core, carryOut: outputs => { this.#carryOut(outputs, running) } })
    this.#running = running
    this.#leaving = undefined
    await registrar.handle(this.#protocol, (stream, connection) => { running.lines.accept(stream, connection) }, { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS })
  }

  /** The others can be used now: who is here, and how to fetch. */
  async afterStart (): Promise<void> {
    const running = this.#running

    if (running == null) {
      return
    }

    const { membership } = this.#components
    MEMBER_EVENTS.forEach(type => { membership.addEventListener(type, this.#onMember) })

    for (const member of membership.members()) {
      this.#see(member, running)
    }

    running.driver.handle({ type: 'room', bytes: this.#init.room, wards: this.#init.room > 0 ? this.#init.maxWards : 0 })
    this.#offer(running)
    this.#challengeLater(running)
    await running.own.publish()
    await this.#sweep(running)
  }

  async beforeStop (): Promise<void> {
    await this.leave()
  }

  async stop (): Promise<void> {
    const running = this.#running

    if (running == null) {
      return
    }

    this.#running = undefined
    running.ended.abort(new NotStartedError('Contingency has stopped'))
    MEMBER_EVENTS.forEach(type => { this.#components.membership.removeEventListener(type, this.#onMember) })
    clearTimeout(running.challengeTimer)
    running.driver.stop()
    running.challenges.close()
    running.wards.close()
    await this.#components.registrar.unhandle(this.#protocol)
    await running.work
    await running.lines.close()
    await running.own.close()
  }

  get vault (): Vault {
    return this.#assertRunning().vault
  }

  status (): ContingencyStatus {
    const { core, own, wards } = this.#assertRunning()

    return describe({ core, items: own.items, wards, copies: this.#init.copies, room: this.#init.room })
  }

  copiesOf (cid: CID): number {
    const { core, own } = this.#assertRunning()
    const receipts = [...core.ward.contingents.named].flatMap(([peer, { receipt }]) => receipt != null && core.peers.isHere(peer) ? receipt : [])

    return receipts.filter(({ quota }) => selectItems(own.items.values(), quota).items.some(item => item.cid.equals(cid))).length
  }

  entries (): IterableIterator<KeptEntry> {
    return this.#running?.wards.entries() ?? [].values()
  }

  async settled (options: AbortOptions = {}): Promise<void> {
    const running = this.#assertRunning()
    const signal = AbortSignal.any([running.ended.signal, ...options.signal == null ? [] : [options.signal]])
    await waitFor(running.own.publish(), signal)

    while (running.own.items.live > 0 && !running.core.ward.isProtected) {
      const protected_ = Promise.withResolvers<void>()
      this.addEventListener('contingency:protected', () => { protected_.resolve() }, { once: true, signal })
      await waitFor(protected_.promise, signal)
    }
  }

  async recover (options: RecoverOptions = {}): Promise<Recovery> {
    const running = this.#assertRunning()
    const { onProgress } = options
    const signal = AbortSignal.any([running.ended.signal, ...options.signal == null ? [] : [options.signal]])

    return recover({
      transfer: this.#components.transfer,
      catalog: this.#catalog,
      items: running.own.items,
      blocks: running.blocks,
      isKnown: () => running.merged > 0 || running.core.ward.assignment != null,
      isMerging: () => running.core.ward.isMerging,
      sources: () => this.#sources(running),
      report: (type, detail) => { onProgress?.(new CustomProgressEvent(type, detail) as Parameters<NonNullable<RecoverOptions['onProgress']>>[0]) }
    }, { ...options, signal })
  }

  async forget (cid: CID): Promise<number> {
    return this.#assertRunning().own.forget(cid)
  }

  async leave (options: AbortOptions = {}): Promise<void> {
    const running = this.#running

    if (running != null) {
      this.#leaving ??= this.#leave(running, options.signal ?? AbortSignal.timeout(this.#init.handoverTimeout))
      await this.#leaving
    }
  }

  async #leave (running: Running, signal: AbortSignal): Promise<void> {
    const { core, driver } = running
    driver.handle({ type: 'leave' })
    const isHopeless = (ward: PeerKey): boolean => {
      const known = core.keeper.kept.get(ward)

      return known == null || core.peers.candidates(ward).every(peer => keepersOf(known.appointment).includes(peer) && known.isNamed)
    }

    // there is nobody to take over: that is no reason to stay
    while (!signal.aborted && !core.keeper.unfinished.every(isHopeless)) {
      await Promise.race([running.left.promise, delay(LEAVE_TICK, { signal }).catch(() => {})])
    }

    const wards = core.keeper.unfinished.map(peer => peerIdFromString(peer))

    if (wards.length > 0) {
      this.safeDispatchEvent('contingency:at-risk', { detail: { wards } })
    }

    await running.work
  }

  async #make (records: ContingencyRecords): Promise<Running> {
    const { datastore, transfer, kept } = this.#components
    const running = { records, ended: new AbortController(), work: Promise.resolve(), left: Promise.withResolvers<void>(), merged: 0 } as unknown as Running
    running.blocks = new Blocks(kept, cid => running.own.needs(cid) || running.wards.needs(cid))
    running.fetching = new Fetching({ blocks: running.blocks, transfer, source: peerIdFromString })
    running.wards = new Wards({
      blocks: running.blocks,
      fetching: running.fetching,
      log: this.#log,
      onFetched: (ward, root, ok, full) => { running.driver.handle({ type: 'fetched', ward, root, ok, full }) },
      onEntry: (type, detail) => { this.safeDispatchEvent(type, { detail }) }
    })
    running.own = new OwnState({
      datastore,
      catalog: this.#catalog,
      blocks: running.blocks,
      log: this.#log,
      filter: this.#init.filter,
      nextVersion: () => running.core?.ward.nextEpoch ?? 1,
      onSnapshot: snapshot => { running.driver.handle({ type: 'snapshot', snapshot }) },
      download: async (cid, size, options) => running.fetching.download(cid, size, { ...options, sources: this.#sources(running) })
    })
    running.vault = new EncryptedVault({ keys: await VaultKeys.derive(this.#components.privateKey, this.#init.network), backend: running.own, limit: this.#init.vaultLimit })
    running.lines = this.#makeLines(running)
    running.challenges = new Challenges({
      random: Math.random,
      read: async (cid, offset, length) => this.#read(cid, offset, length),
      send: (to, message) => { running.lines.send(to, message) },
      onResult: (peer, right) => {
        if (!right) {
          this.#log.error('%s does not have what it has signed for', peer)
          running.driver.handle({ type: 'distrust', peer })
        }
      }
    })

    return running
  }

  #makeLines (running: Running): Lines {
    return new Lines({
      protocol: this.#protocol,
      connectionManager: this.#components.connectionManager,
      seals: this.#seals,
      log: this.#log,
      addresses: peer => this.#components.membership.get(peerIdFromString(peer))?.addresses ?? [],
      onMessage: (from, message) => { this.#take(from, message, running) },
      onUnsupported: peer => { running.driver.handle({ type: 'failed', peer }) }
    })
  }

  #take (from: PeerKey, message: AnyMessage, running: Running): void {
    if (this.#running !== running) {
      return
    }

    if (message.type === 'challenge') {
      void running.challenges.answer(from, message)
    } else if (message.type === 'proof') {
      running.challenges.take(from, message)
    } else {
      running.driver.handle({ type: 'message', from, message })
    }
  }

  /** What one input asks for, in order: nothing is said before what it rests on is saved. */
  #carryOut (outputs: Array<Exclude<ContingencyOutput, { type: 'timer' }>>, running: Running): void {
    running.work = running.work.then(async () => {
      for (const output of outputs) {
        if (!running.ended.signal.aborted || isRecord(output)) {
          await this.#do(output, running)
        }
      }
    }).catch((err: unknown) => { this.#log.error('could not go on - %e', err) })
  }

  async #do (output: Exclude<ContingencyOutput, { type: 'timer' }>, running: Running): Promise<void> {
    const { driver, lines, records, wards } = running

    switch (output.type) {
      case 'send': lines.send(output.to, output.message); break
      case 'event': this.#tell(output.event); break
      case 'assign': driver.handle({ type: 'assigned', assignment: await this.#seals.assignment(output.assignment) }); break
      case 'take-over': driver.handle({ type: 'taken-over', takeover: await this.#seals.takeover(output.takeover), assignment: output.assignment }); break
      case 'save-ward': await records.saveWard(output.record); break
      case 'save': await records.save(output.ward, output.record); break
      case 'forget': await records.forget(output.ward); break
      case 'fetch': wards.fetch(output); break
      case 'merge': void this.#merge(output, running); break
      case 'tidy': await wards.tidy(output.ward); break
      case 'drop':
        await wards.drop(output.ward)
        this.#offer(running)
        break
      case 'serve': wards.serve(output.ward, output.on); break
      case 'left': running.left.resolve(); break
    }
  }

  async #merge ({ assignment, sources }: Extract<ContingencyOutput, { type: 'merge' }>, running: Running): Promise<void> {
    const { root, rootSize, size } = assignment
    let ok = false

    try {
      const { items } = await running.fetching.readAll({ root, rootSize, quota: size, sources }, { signal: running.ended.signal })
      await running.own.merge(items)
      running.merged++
      ok = true
    } catch (err) {
      this.#log('could not merge what others have - %e', err)
    }

    running.driver.handle({ type: 'merged', root, ok })
  }

  #tell (event: ContingencyEvent): void {
    const id = (peer: PeerKey): PeerId => peerIdFromString(peer)

    switch (event.type) {
      case 'protected': this.safeDispatchEvent('contingency:protected', { detail: { epoch: event.epoch, contingents: event.contingents.map(id) } }); break
      case 'at-risk': this.safeDispatchEvent('contingency:at-risk', { detail: { peer: event.peer == null ? undefined : id(event.peer), wards: [] } }); break
      case 'handed-over': this.safeDispatchEvent('contingency:handed-over', { detail: { ward: id(event.ward), contingents: event.contingents.map(id) } }); break
      case 'serving': this.safeDispatchEvent('contingency:serving', { detail: { ward: id(event.ward) } }); break
      case 'returned': this.safeDispatchEvent('contingency:returned', { detail: { ward: id(event.ward) } }); break
    }
  }

  readonly #onMember = ({ detail: { member } }: CustomEvent<{ member: ContingencyMember }>): void => {
    if (this.#running != null) {
      this.#see(member, this.#running)
    }
  }

  #see (member: ContingencyMember, { driver }: Running): void {
    if (!member.self) {
      driver.handle({ type: 'member', peer: member.peerId.toString(), state: member.state, weight: weightOf(member, Date.now()) })
    }
  }

  /** Tells others how much room there is, to the nearest power of two below, so that it does not change all the time. */
  #offer ({ core }: Running): void {
    const free = Math.max(0, this.#init.room - core.keeper.used)
    const storage = free === 0 ? 0 : 2 ** Math.floor(Math.log2(free))
    this.#components.membership.update({ storage }).catch((err: unknown) => { this.#log('could not say how much room there is - %e', err) })
  }

  #challengeLater (running: Running): void {
    running.challengeTimer = setTimeout(() => {
      this.#challenge(running).catch((err: unknown) => { this.#log('could not ask for a proof - %e', err) })
      this.#challengeLater(running)
    }, this.#init.challengeInterval * (0.75 + Math.random() / 2))
  }

  /** Asks each contingent for something that is here too. */
  async #challenge ({ core, own, challenges }: Running): Promise<void> {
    for (const [peer, { receipt }] of core.ward.contingents.named) {
      const { items } = selectItems(own.items.values(), receipt?.quota ?? 0)
      const item = items[Math.floor(Math.random() * items.length)]

      if (receipt != null && item != null) {
        await challenges.ask(peer, item.cid, item.size)
      }
    }
  }

  async #read (cid: CID, offset: number, length: number): Promise<Uint8Array | undefined> {
    const content = await this.#components.kept.open(cid) ?? await this.#catalog?.open(cid)

    try {
      return await content?.read(offset, length)
    } finally {
      await content?.close()
    }
  }

  /** Deletes what a crash left behind, unless somebody is still about to complete it. */
  async #sweep ({ core, blocks }: Running): Promise<void> {
    if ([...core.keeper.kept.values()].every(({ isComplete }) => isComplete)) {
      await blocks.sweep()
    }
  }

  /** Who may have what this node had. */
  #sources ({ core }: Running): PeerKey[] {
    const { named, former } = core.ward.contingents

    return [...named.keys(), ...former.keys()].filter(peer => core.peers.isHere(peer))
  }

  get #catalog (): ContingencyCatalog | undefined {
    return optionalComponent(() => this.#components.catalog)
  }

  #assertRunning (): Running {
    if (this.#running == null) {
      throw new NotStartedError('Contingency is not running')
    }

    return this.#running
  }
}

/** `true` for what has to be on record whatever happens next. */
function isRecord ({ type }: ContingencyOutput): boolean {
  return type === 'save' || type === 'save-ward' || type === 'forget'
}
