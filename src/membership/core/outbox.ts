import type { Member } from './members.ts'
import type { Claim, Incarnation, Message, News, SignedRecord } from './messages.ts'
import type { CoreInput, CoreOutput, PeerKey } from '../../core.ts'

/** What can become of a member. */
export type MemberChange = 'joined' | 'suspected' | 'recovered' | 'down' | 'left' | 'updated'

/** What the colony's state is made known by. */
export type SwimEvent =
  | { type: MemberChange, member: Member }
  /** No other member is alive. */
  | { type: 'alone' }
  /** One is, after nobody was. */
  | { type: 'together' }
  /** The two sides of a new link have what the other knew. */
  | { type: 'introduced', peer: PeerKey }

/** What the core is told. */
export type SwimInput =
  | CoreInput<Message>
  /** Our record, signed anew. The first starts everything. */
  | { type: 'self', signed: SignedRecord }
  /** What we said of somebody, signed. */
  | { type: 'claim', claim: Claim }
  /** A stream to a member is open, both ways. */
  | { type: 'linked', peer: PeerKey, dialled: boolean }
  /** The other side closed it in good order. */
  | { type: 'unlinked', peer: PeerKey }
  /** A stream could not be opened. */
  | { type: 'unreachable', peer: PeerKey }
  /** A member says where it can be dialled, or says it anew. */
  | { type: 'located', peer: PeerKey }

/** What the core asks for. `gone` in the input tells of a link that broke. */
export type SwimOutput =
  | CoreOutput<Message, SwimEvent>
  /** Sign our record with this incarnation. */
  | ({ type: 'sign' } & Incarnation)
  /** Sign that a member cannot be reached. */
  | ({ type: 'accuse', target: PeerKey, broken?: boolean } & Incarnation)
  /** Open a stream to a member, or close it. */
  | { type: 'link', peer: PeerKey }
  | { type: 'unlink', peer: PeerKey }

/** What the parts of the core answer, collected while one input is handled. */
export class Outbox {
  /** The time of the input, in ms. */
  now = 0

  #outputs: SwimOutput[] = []

  /** When each timer is due, in ms; one that fired or was run is gone. */
  readonly #due = new Map<string, number>()

  begin (now: number): void {
    this.now = now
    this.#outputs = []
  }

  take (): SwimOutput[] {
    return this.#outputs
  }

  put (output: SwimOutput): void {
    this.#outputs.push(output)
  }

  send (to: PeerKey, message: Message): void {
    this.put({ type: 'send', to, message })
  }

  tell (to: PeerKey, news: News[]): void {
    this.send(to, { type: 'gossip', news })
  }

  timer (id: string, after: number): void {
    this.#due.set(id, this.now + after)
    this.put({ type: 'timer', id, after })
  }

  /** A timer fires, now or by and by: when it was due, which is known once. */
  fired (id: string): number | undefined {
    const due = this.#due.get(id)
    this.#due.delete(id)

    return due
  }

  /** Timers that should have fired by `time` and when, the earliest first. */
  overdue (time: number): Array<[string, number]> {
    const late: Array<[string, number]> = []

    for (const entry of this.#due) {
      if (entry[1] < time) {
        late.push(entry)
      }
    }

    return late.sort((a, b) => a[1] - b[1])
  }

  event (event: SwimEvent): void {
    this.put({ type: 'event', event })
  }
}
