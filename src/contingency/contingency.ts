import { TypedEventEmitter } from 'main-event'
import { peerIdFromString } from '@libp2p/peer-id'
import { CustomProgressEvent } from 'progress-events'
import { waitFor } from '../delay.ts'
import { NotStartedError } from '../errors.ts'
import { checkInit } from './check-init.ts'
import { describe, receiptsOf } from './describe.ts'
import { registerGauges } from './gauges.ts'
import { recover } from './recover.ts'
import { Running } from './running.ts'
import { VaultKeys } from './vault-crypto.ts'
import { EncryptedVault } from './vault.ts'
import type { ContingencyComponents } from './components.ts'
import type { ContingencyEvent } from './core/outbox.ts'
import type { Contingency, ContingencyEvents, ContingencyInit, ContingencyStatus, KeptEntry, Recovery, RecoverOptions } from './index.ts'
import type { Vault } from './vault.ts'
import type { PeerKey } from '../core.ts'
import type { AbortOptions, Logger, PeerId, Startable } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

export class ContingencyService extends TypedEventEmitter<ContingencyEvents> implements Contingency, Startable {
  readonly [Symbol.toStringTag] = '@formicary/contingency'

  readonly #components: ContingencyComponents
  readonly #options: Required<ContingencyInit>
  readonly #log: Logger
  #running?: Running
  #vault?: Vault
  #leaving?: Promise<void>

  constructor (components: ContingencyComponents, init: ContingencyInit) {
    super()
    this.#components = components
    this.#options = checkInit(init)
    this.#log = components.logger.forComponent('formicary:contingency')

    if (components.metrics != null) {
      registerGauges(components.metrics, () => this.#running)
    }
  }

  async start (): Promise<void> {
    if (this.#running != null) {
      return
    }

    const { privateKey } = this.#components
    const { network, vaultLimit } = this.#options
    const running = new Running({
      components: this.#components,
      options: this.#options,
      log: this.#log,
      onEvent: event => { this.#tell(event) },
      onEntry: (type, detail) => { this.safeDispatchEvent(type, { detail }) }
    })

    try {
      await running.start()
    } catch (err) {
      await running.stop()
      throw err
    }

    this.#vault = new EncryptedVault({ keys: await VaultKeys.derive(privateKey, network), backend: running.own, limit: vaultLimit })
    this.#leaving = undefined
    this.#running = running
  }

  async afterStart (): Promise<void> {
    await this.#running?.begin()
  }

  async beforeStop (): Promise<void> {
    await this.leave()
  }

  async stop (): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.stop()
  }

  get vault (): Vault {
    this.#assertRunning()

    return this.#vault as Vault
  }

  status (): ContingencyStatus {
    return this.#describe(this.#assertRunning())
  }

  copiesOf (cid: CID): number {
    const { core, own } = this.#assertRunning()

    return receiptsOf(core).filter(receipt => own.keptBy(receipt).some(item => item.cid.equals(cid))).length
  }

  entries (): IterableIterator<KeptEntry> {
    return this.#running?.wards.entries() ?? [].values()
  }

  async settled (options: AbortOptions = {}): Promise<void> {
    const { core, own, ended } = this.#assertRunning()
    const signal = joined(ended.signal, options)
    await waitFor(own.publish(), signal)

    while (own.items.live > 0 && !core.ward.isProtected) {
      const again = Promise.withResolvers<void>()
      this.addEventListener('contingency:protected', () => { again.resolve() }, { once: true, signal })
      await waitFor(again.promise, signal)
    }

    // it is on record before anybody relies on it
    const { assignment } = core.ward
    await waitFor(assignment == null ? Promise.resolve() : own.promise(assignment.root), signal)
  }

  async recover (options: RecoverOptions = {}): Promise<Recovery> {
    const running = this.#assertRunning()
    const { core, own, blocks, ended } = running
    const { onProgress } = options

    return recover({
      transfer: this.#components.transfer,
      catalog: running.catalog,
      items: own.items,
      blocks,
      isKnown: () => running.hasMerged || core.ward.assignment != null,
      isMerging: () => core.ward.isMerging,
      sources: () => running.sources(),
      report: (type, detail) => { onProgress?.(new CustomProgressEvent(type, detail) as Parameters<NonNullable<RecoverOptions['onProgress']>>[0]) }
    }, { ...options, signal: joined(ended.signal, options) })
  }

  async forget (cid: CID): Promise<number> {
    return this.#assertRunning().own.forget(cid)
  }

  async leave ({ signal }: AbortOptions = {}): Promise<void> {
    if (this.#running != null) {
      this.#leaving ??= this.#leave(this.#running, signal ?? AbortSignal.timeout(this.#options.handoverTimeout))
      await waitFor(this.#leaving, signal).catch(() => {})
    }
  }

  async #leave (running: Running, signal: AbortSignal): Promise<void> {
    const { core } = running
    running.tell({ type: 'leave' })
    const inTime = await running.mayLeave(joined(running.ended.signal, { signal })).then(() => true, () => false)
    const wards = core.keeper.unfinished.map(peer => peerIdFromString(peer))

    if (wards.length > 0 || !inTime || this.#describe(running).atRisk.items > 0) {
      this.safeDispatchEvent('contingency:at-risk', { detail: { wards } })
    }

    await running.idle()
  }

  #describe ({ core, own, wards }: Running): ContingencyStatus {
    const { copies, room } = this.#options

    return describe({ core, own, wards, copies, room })
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

  #assertRunning (): Running {
    if (this.#running == null) {
      throw new NotStartedError('Contingency is not running')
    }

    return this.#running
  }
}

function joined (ended: AbortSignal, { signal }: AbortOptions): AbortSignal {
  return signal == null ? ended : AbortSignal.any([ended, signal])
}
