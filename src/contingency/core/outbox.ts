import type { Appointment, Assignment, Message, Takeover } from './messages.ts'
import type { PeerState } from './peers.ts'
import type { CoreInput, CoreOutput, PeerKey } from '../../core.ts'

/** Everything of a node that is to be kept by others. */
export interface Snapshot {
  root: string
  rootSize: number
  size: number

  /** How many things there are in it. */
  items: number
}

/** What a ward remembers of its contingents, to go on after a restart. */
export interface WardRecord {
  assignment?: Assignment

  /** Highest epoch it has seen of itself, and of which it has everything. */
  epoch: number

  /** Those that kept something before and do not know yet that they need not. */
  former: PeerKey[]
}

/** What is kept for a ward. */
export interface KeptRecord {
  appointment: Appointment

  /** Bytes of the ward that are kept at most. */
  quota: number

  /** What is here, complete and checked: the last of the ward's assignments of which that was so. */
  held?: Assignment

  /** Bytes of the ward that it was fetched with; what is to be fetched may be more. */
  heldQuota?: number

  /** What was held before, and is not to be deleted yet. */
  before?: Assignment

  /** Since when the ward is gone, in ms since 1970, if it is. */
  goneSince?: number
}

/** What becomes known. */
export type ContingencyEvent =
  /** All contingents have everything of this node. */
  | { type: 'protected', epoch: number, root: string, contingents: PeerKey[] }
  /** They had, and somebody is missing. */
  | { type: 'at-risk', peer?: PeerKey }
  /** What this node kept for a ward is kept by others, and here no more. */
  | { type: 'handed-over', ward: PeerKey, contingents: PeerKey[] }
  /** A ward is gone: this node answers for it. */
  | { type: 'serving', ward: PeerKey }
  /** It is back, and answers for itself. */
  | { type: 'returned', ward: PeerKey }

/** What the core is told. Assignments, takeovers and receipts in it are signed by who they say. */
export type ContingencyInput =
  | CoreInput<Message>
  /** What is known of a member; `weight` is 0 for who keeps nothing for others. */
  | { type: 'member', peer: PeerKey, state: PeerState, weight: number }
  /** Nothing could be sent to it: it does not speak the protocol, or cannot be reached. */
  | { type: 'failed', peer: PeerKey }
  /** What this node has to be kept, anew. The first starts it as a ward. */
  | { type: 'snapshot', snapshot: Snapshot }
  /** What was asked to be signed. */
  | { type: 'assigned', assignment: Assignment }
  | { type: 'taken-over', takeover: Takeover, assignment: Assignment }
  /** All of a snapshot of this node that others have is part of the last that was told here, or cannot be. */
  | { type: 'merged', root: string, ok: boolean }
  /** A contingent of this node was caught lying. */
  | { type: 'distrust', peer: PeerKey }
  /** Everything that is to be kept of a ward is here and was checked, or is not. */
  | { type: 'fetched', ward: PeerKey, root: string, ok: boolean, full?: boolean }
  /** How much may be kept for others. */
  | { type: 'room', bytes: number, wards: number }
  /** This node is about to go. */
  | { type: 'leave' }

/** What the core asks for. They are to be carried out in order: what is saved has to be safe before what follows is sent. */
export type ContingencyOutput =
  | CoreOutput<Message, ContingencyEvent>
  /** Sign this, and tell when it is done. */
  | { type: 'assign', assignment: Omit<Assignment, 'envelope'> }
  | { type: 'take-over', takeover: Omit<Takeover, 'envelope'>, assignment: Assignment }
  /** Fetch what others have of this node's own, and make it part of it. */
  | { type: 'merge', assignment: Assignment, sources: PeerKey[] }
  /** Fetch what is missing of a ward; takes the place of an earlier one of this ward. */
  | { type: 'fetch', assignment: Assignment, quota: number, sources: PeerKey[] }
  /** Delete what is kept of a ward and needed neither for the newest of its snapshots that is here nor, if there is one, for that before. */
  | { type: 'tidy', ward: PeerKey, root: string, before?: string }
  /** Delete all that is kept of a ward. */
  | { type: 'drop', ward: PeerKey }
  | { type: 'save-ward', record: WardRecord }
  | { type: 'save', ward: PeerKey, record: KeptRecord }
  | { type: 'forget', ward: PeerKey }
  /** Answer for a ward, or do not any more. */
  | { type: 'serve', ward: PeerKey, on: boolean }
  /** This node was about to go, and may: nothing is gained when it stays. */
  | { type: 'may-leave' }

/** Longest time for a timer, in ms: a day. Those of JavaScript end at 24 of them. */
const MAX_TIMER = 24 * 3_600_000

/** What the parts of the core answer, collected while one input is handled. */
export class Outbox {
  /** The time of the input, in ms. */
  now = 0
  #outputs: ContingencyOutput[] = []

  begin (now: number): void {
    this.now = now
    this.#outputs = []
  }

  take (): ContingencyOutput[] {
    return this.#outputs
  }

  put (output: ContingencyOutput): void {
    this.#outputs.push(output)
  }

  send (to: PeerKey, message: Message): void {
    this.put({ type: 'send', to, message })
  }

  event (event: ContingencyEvent): void {
    this.put({ type: 'event', event })
  }

  /** @param due - when, in ms; nothing is planned if that is never. It may come earlier, as timers cannot be set for months. */
  timer (id: string, due: number): void {
    if (due < Infinity) {
      this.put({ type: 'timer', id, after: Math.min(MAX_TIMER, Math.max(1, due - this.now)) })
    }
  }
}
