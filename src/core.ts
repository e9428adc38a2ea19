/**
 * The contract between a protocol's rules and the class that does its IO.
 *
 * @module
 */

/** A peer as the cores know it: `peerId.toString()`, opaque and comparable. */
export type PeerKey = string

/**
 * A protocol without any input or output of its own.
 *
 * The driver feeds it what happened and carries out what it answers. The same
 * inputs, at the same times, with the same random numbers, give the same
 * outputs: that is what makes the simulations replay from a seed.
 */
export interface Core<Input, Output> {
  /** `now` is in ms, from the driver's clock; it never goes back. */
  handle (input: Input, now: number): Output[]
}

/** What any core may be told; each adds the commands of its own users. */
export type CoreInput<Message> =
  | { type: 'message', from: PeerKey, message: Message }
  | { type: 'timer', id: string }
  | { type: 'gone', peer: PeerKey }

/** What any core may ask for. A second `timer` with the same `id` replaces the first; `after` is in ms. */
export type CoreOutput<Message, Event> =
  | { type: 'send', to: PeerKey, message: Message }
  | { type: 'timer', id: string, after: number }
  | { type: 'event', event: Event }
