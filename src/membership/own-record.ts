import { writeAddresses } from '../addresses.ts'
import { NotStartedError } from '../errors.ts'
import { MAX_ADDRESS_SIZE, MAX_ADDRESSES } from './constants.ts'
import { compareIncarnations } from './core/messages.ts'
import { sealRecord } from './record.ts'
import type { Incarnation, SignedRecord } from './core/messages.ts'
import type { MemberDetails, MembershipComponents } from './index.ts'
import type { Card } from './record.ts'

/** What an {@link OwnRecord} works with. */
export interface OwnRecordInit {
  components: Pick<MembershipComponents, 'addressManager' | 'privateKey'>
  network: string

  /** What is said besides the addresses. */
  details (): MemberDetails

  /** What was said last. */
  last (): Card | undefined

  /** The next one is signed, and to be told. */
  onSigned (signed: SignedRecord<Card>): void
}

/** What this node says of itself, signed: each record is newer than the one before. */
export class OwnRecord {
  readonly #init: OwnRecordInit

  /** The goodbye that would be next, signed in time for who cannot wait for a signature. */
  #farewell?: SignedRecord<Card>

  /** Signing takes its turn, so that counters only grow. */
  #signing: Promise<void> = Promise.resolve()
  #closed = false

  constructor (init: OwnRecordInit) {
    this.#init = init
  }

  /** A goodbye that can be said at once; `undefined` while a newer one is being signed. */
  get farewell (): SignedRecord<Card> | undefined {
    const last = this.#init.last()

    return last != null && this.#farewell != null && compareIncarnations(this.#farewell.record, last) > 0 ? this.#farewell : undefined
  }

  /** `true` if it does not tell where this node is reached now. */
  get stale (): boolean {
    const last = this.#init.last()

    return last != null && !sameAddresses(last.addresses, this.#addresses())
  }

  /** Signs what has changed, as the next record of this epoch. */
  async renew (goodbye: Partial<Card> = {}): Promise<void> {
    const last = this.#init.last()

    if (last != null) {
      await this.sign({ epoch: last.epoch, counter: last.counter + 1 }, goodbye)
    }
  }

  /**
   * Signs a record, one after another: each is newer than the one before, whatever it was to be.
   *
   * @throws {NotStartedError} the node has stopped meanwhile
   */
  async sign (incarnation: Incarnation, goodbye: Partial<Card> = {}): Promise<void> {
    const signing = this.#signing.then(async () => { await this.#sign(incarnation, goodbye) })
    this.#signing = signing.catch(() => {})
    await signing
  }

  /** Signs nothing any more. */
  close (): void {
    this.#closed = true
  }

  async #sign ({ epoch, counter }: Incarnation, goodbye: Partial<Card>): Promise<void> {
    if (this.#closed) {
      throw new NotStartedError()
    }

    const { components: { privateKey }, network, details, onSigned } = this.#init
    const last = this.#init.last()
    const behind = last != null && compareIncarnations(last, { epoch, counter }) >= 0
    const card = {
      epoch: behind ? last.epoch : epoch,
      counter: behind ? last.counter + 1 : counter,
      ...details(),
      addresses: this.#addresses(),
      left: last?.left,
      reason: last?.reason,
      successor: last?.successor,
      ...goodbye
    }
    onSigned(await sealRecord(card, privateKey, network))
    this.#farewell = card.left === true ? undefined : await sealRecord({ ...card, counter: card.counter + 1, left: true }, privateKey, network)
  }

  #addresses (): Uint8Array[] {
    return writeAddresses(this.#init.components.addressManager.getAddresses(), { count: MAX_ADDRESSES, size: MAX_ADDRESS_SIZE })
  }
}

function sameAddresses (a: Uint8Array[], b: Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, i) => String(bytes) === String(b[i]))
}
