import { weightOf } from './weight.ts'
import type { ContingencyMember, ContingencyMembership } from './components.ts'
import type { PeerState } from './core/peers.ts'
import type { PeerKey } from '../core.ts'

/** Events of membership that say what became of somebody. */
const EVENTS = ['member:joined', 'member:suspected', 'member:recovered', 'member:down', 'member:left', 'member:updated'] as const

export interface MembersInit {
  membership: ContingencyMembership

  /** What is known of somebody else; `weight` is 0 for who keeps nothing for others. */
  onMember (peer: PeerKey, state: PeerState, weight: number): void
}

/** Tells who is here, who is gone, and who was gone though nobody noticed. */
export class Members {
  readonly #init: MembersInit

  /** When each member that is here has started, in s since 1970. */
  readonly #epochs = new Map<PeerKey, number>()

  constructor (init: MembersInit) {
    this.#init = init
  }

  /** Tells of all there are, and from now on of all that happens. */
  start (): void {
    const { membership } = this.#init
    EVENTS.forEach(type => { membership.addEventListener(type, this.#onEvent) })

    for (const member of membership.members()) {
      this.#see(member)
    }
  }

  stop (): void {
    EVENTS.forEach(type => { this.#init.membership.removeEventListener(type, this.#onEvent) })
  }

  readonly #onEvent = ({ detail: { member } }: CustomEvent<{ member: ContingencyMember }>): void => { this.#see(member) }

  #see (member: ContingencyMember): void {
    const { state, epoch, self } = member
    const peer = member.peerId.toString()

    if (self) {
      return
    }

    const weight = weightOf(member, Date.now())

    if (epoch > (this.#epochs.get(peer) ?? epoch)) {
      // what it had may be gone too
      this.#init.onMember(peer, 'down', weight)
    }

    if (state === 'down' || state === 'left') {
      this.#epochs.delete(peer)
    } else {
      this.#epochs.set(peer, epoch)
    }

    this.#init.onMember(peer, state, weight)
  }
}
