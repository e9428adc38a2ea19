import { Challenges } from './challenges.ts'
import { selectItems } from './selection.ts'
import type { Challenge, Proof } from './codec.ts'
import type { Receipt } from './core/messages.ts'
import type { OwnState } from './own-state.ts'
import type { PeerKey } from '../core.ts'
import type { Logger } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

export interface ChallengerInit {
  /** How often each contingent is challenged, in ms. */
  interval: number
  own: OwnState

  /** Those that are here and have signed that they have something. */
  contingents: () => Array<{ peer: PeerKey, receipt: Receipt }>

  /** Bytes of a content that are here; `undefined` if they are not. */
  read: (cid: CID, offset: number, length: number) => Promise<Uint8Array | undefined>
  send: (to: PeerKey, message: Challenge | Proof) => void

  /** It does not have what it has signed for. */
  onLiar: (peer: PeerKey) => void
  log: Logger
}

/** Has each contingent prove now and then that it has what it has signed for, and does so for others. */
export class Challenger {
  readonly #init: ChallengerInit
  readonly #challenges: Challenges
  #timer?: ReturnType<typeof setTimeout>

  constructor (init: ChallengerInit) {
    const { read, send, onLiar, log } = init
    this.#init = init
    this.#challenges = new Challenges({
      random: Math.random,
      read,
      send,
      onResult: (peer, right) => {
        if (!right) {
          log.error('%s does not have what it has signed for', peer)
          onLiar(peer)
        }
      }
    })
  }

  start (): void {
    this.#timer = setTimeout(() => {
      this.#ask().catch((err: unknown) => { this.#init.log('could not ask for a proof - %e', err) })
      this.start()
    }, this.#init.interval * (0.75 + Math.random() / 2))
  }

  close (): void {
    clearTimeout(this.#timer)
    this.#challenges.close()
  }

  /** Somebody wants a proof. */
  answer (from: PeerKey, challenge: Challenge): void {
    void this.#challenges.answer(from, challenge)
  }

  /** Somebody gives one. */
  take (from: PeerKey, proof: Proof): void {
    this.#challenges.take(from, proof)
  }

  /** Asks each contingent for something that is here too. */
  async #ask (): Promise<void> {
    const { own, contingents } = this.#init

    for (const { peer, receipt } of contingents()) {
      // what has changed since is not what it has signed for
      const isDue = (): boolean => own.isAsIn(receipt.root)

      if (isDue()) {
        const { items } = selectItems(own.items.values(), receipt.quota)
        const item = items.at(Math.floor(Math.random() * items.length))

        if (item != null) {
          await this.#challenges.ask(peer, item, isDue)
        }
      }
    }
  }
}
