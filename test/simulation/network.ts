/**
 * Links between peers whose lines have a bandwidth each way.
 *
 * A link carries messages in order, each way. Its bytes wait for the sender's
 * line, travel for the latency, and longer if a packet was lost, which holds
 * up all that follows; and wait for the receiver's line. A line takes a block
 * of each link in turn, as TCP comes to share it.
 *
 * @module
 */

import type { Clock } from './clock.ts'
import type { Random } from '../../src/random.ts'

/** What is smaller goes out between the packets of what is larger, in bytes. */
export const MIN_BULK = 1024

/** What a connection holds besides what fills its latency, in bytes. */
const BUFFER = 256 * 1024

/** How long a lost packet holds up a link, in ms: the least retransmission timeout of Linux. */
const RETRANSMISSION = 200

interface Item {
  size: number

  /** `false` as long as it has to wait, which lets others pass. */
  ready?: () => boolean

  /** Called when it is its turn; `false` if it is not to be carried any more. */
  begin?: () => boolean
  end: () => void
}

/** One direction of what connects a peer to the others. */
class Line {
  readonly #clock: Clock

  /** Bytes a ms. */
  readonly #rate: number

  /** Whose turn it is comes first. */
  readonly #waiting = new Map<Link, Item[]>()
  #busy = false

  constructor (clock: Clock, rate: number) {
    this.#clock = clock
    this.#rate = rate
  }

  /** Sees whether what could not begin can now. */
  resume (): void {
    this.#next()
  }

  push (link: Link, item: Item): void {
    const waiting = this.#waiting.get(link) ?? []
    this.#waiting.set(link, waiting)
    waiting.push(item)
    this.#next()
  }

  #turn (): [Link, Item[]] | undefined {
    for (const turn of this.#waiting) {
      if (turn[1][0].ready?.() !== false) {
        return turn
      }
    }

    return undefined
  }

  #next (): void {
    const turn = this.#busy ? undefined : this.#turn()

    if (turn === undefined) {
      return
    }

    const [link, waiting] = turn
    const item = waiting.shift() as Item
    this.#waiting.delete(link)

    if (waiting.length > 0) {
      this.#waiting.set(link, waiting)
    }

    this.#busy = true
    this.#clock.after(link.open && item.begin?.() !== false ? item.size / this.#rate : 0, () => {
      this.#busy = false
      item.end()
      this.#next()
    })
  }
}

/** What connects a peer to the others. */
export class Access {
  readonly up: Line
  readonly down: Line

  /** Bytes a ms. */
  readonly upSpeed: number
  readonly downSpeed: number

  /** @param up - in bytes a ms, as `down` */
  constructor (clock: Clock, up: number, down: number) {
    this.up = new Line(clock, up)
    this.down = new Line(clock, down)
    this.upSpeed = up
    this.downSpeed = down
  }
}

/** Two peers that can speak. */
export class Link {
  /** Counts the times it was opened, so that what was under way when it broke is known to be lost. */
  opened = 0
  open = false

  readonly #latency: number

  /** Bytes on their way to each of the two. */
  readonly #underway = new Map<Access, number>()

  /** When the last message arrives at each of the two. */
  readonly #arrival = new Map<Access, number>()

  /** @param latency - one way, in ms */
  constructor (latency: number) {
    this.#latency = latency
  }

  /** `true` if TCP takes more for one of the two: what is on its way fills the latency both ways, and a buffer. */
  takes (from: Access, to: Access): boolean {
    return (this.#underway.get(to) ?? 0) < BUFFER + 2 * this.#latency * Math.min(from.upSpeed, to.downSpeed)
  }

  /** Counts what is sent or, below zero, received. */
  count (to: Access, bytes: number): void {
    this.#underway.set(to, (this.#underway.get(to) ?? 0) + bytes)
  }

  /** When what is sent now arrives, not before what was sent earlier. */
  arrival (to: Access, time: number): number {
    const arrival = Math.max(time + this.#latency, this.#arrival.get(to) ?? 0)
    this.#arrival.set(to, arrival)

    return arrival
  }
}

/** What travels over a link. */
export interface Parcel {
  from: Access
  to: Access
  size: number

  /** Called when it is its turn; `false` if it is not to be sent any more. */
  begin?: () => boolean

  /** Called when the sender's line is done with it, whether or not it went out. */
  sent?: () => void
  received: () => void
}

/** Carries parcels. */
export class Network {
  readonly #clock: Clock
  readonly #random: Random
  readonly #loss: number

  /** @param loss - chance that a parcel is held up */
  constructor (clock: Clock, random: Random, loss: number) {
    this.#clock = clock
    this.#random = random
    this.#loss = loss
  }

  send (link: Link, parcel: Parcel): void {
    const { opened } = link
    const { begin, sent, size } = parcel
    const stands = (): boolean => link.open && link.opened === opened

    if (size < MIN_BULK) {
      this.#carry(link, parcel, stands)
      return
    }

    let goes = false
    parcel.from.up.push(link, {
      size,
      ready: () => !stands() || link.takes(parcel.from, parcel.to),
      begin: () => {
        goes = stands() && begin?.() !== false

        if (goes) {
          link.count(parcel.to, size)
        }

        return goes
      },
      end: () => {
        sent?.()

        if (goes) {
          this.#carry(link, parcel, stands)
        }
      }
    })
  }

  #carry (link: Link, { from, to, size, received }: Parcel, stands: () => boolean): void {
    const held = this.#loss > 0 && this.#random() < this.#loss ? RETRANSMISSION : 0

    this.#clock.at(link.arrival(to, this.#clock.now + held), () => {
      to.down.push(link, {
        size,
        begin: stands,
        end: () => {
          if (size >= MIN_BULK) {
            link.count(to, -size)
            from.up.resume()
          }

          if (stands()) {
            received()
          }
        }
      })
    })
  }
}
