/**
 * Swarms in a virtual world: the cores of transfer, with links that have a
 * latency and a bandwidth, break and come back; peers that leave, are slow, or
 * lie. Everything follows from the seed.
 *
 * @module
 */

import { PIECE_SIZE } from '../../src/content/constants.ts'
import { randomInt, seededRandom } from '../../src/random.ts'
import { BLOCK_SIZE, MAX_WINDOW, MEMORY_BUDGET } from '../../src/transfer/constants.ts'
import { Bitfield } from '../../src/transfer/core/bitfield.ts'
import { DownloadCore } from '../../src/transfer/core/download.ts'
import { blocksOf, UploadCore } from '../../src/transfer/core/upload.ts'
import type { PeerKey } from '../../src/core.ts'
import type { Random } from '../../src/random.ts'
import type { DownloadInput, Layout } from '../../src/transfer/core/download.ts'
import type { Bytes, Message, Range } from '../../src/transfer/core/messages.ts'
import type { UploadInput } from '../../src/transfer/core/upload.ts'

/** What a peer does. `wrong` sends bytes that are not those of the content; `silent` never answers; `refusing` rejects all. */
export type Behaviour = 'honest' | 'wrong' | 'silent' | 'refusing'

export interface PeerInit {
  /** Has everything at the start; otherwise nothing, or `have`. */
  seed?: boolean
  have?: Bitfield
  behaviour?: Behaviour

  /** Bytes a ms. */
  up: number
  down: number

  /** Fetches nothing, though it has not all. */
  passive?: boolean
}

export interface WorldInit {
  seed: number

  /** Bytes in the content. */
  size: number
  peers: PeerInit[]

  /** Ms one way, at least and at most. */
  latency: [number, number]

  /** Sessions a peer keeps; everybody with everybody if it is left out. */
  degree?: number

  /** Ms between two breaks of a session, on average. */
  breakEvery?: number

  /** Ms a peer stays, on average, before it goes for a while. Seeds stay. */
  leaveEvery?: number

  /** Upload slots. */
  slots?: number
}

interface TaggedBytes extends Bytes {
  wrong: boolean
}

interface Link {
  a: Peer
  b: Peer
  latency: number

  /** Counts up with every break, so that what was under way is lost. */
  epoch: number
  open: boolean

  /** When the last message arrives, each way, so that none overtakes another. */
  arrival: Map<Peer, number>

  /** When the last message is taken in, likewise. */
  taken: Map<Peer, number>
}

/** A peer of the simulation. */
export class Peer {
  readonly key: PeerKey
  readonly init: PeerInit
  readonly behaviour: Behaviour
  readonly download: DownloadCore
  readonly upload: UploadCore
  readonly links = new Map<PeerKey, Link>()
  readonly banned = new Set<PeerKey>()
  readonly dropped = new Set<PeerKey>()

  /** When it had everything, in ms. */
  doneAt?: number
  uploaded = 0
  away = false

  /** Ranges that are being served, by session; the sessions take turns, a block each. */
  readonly serving = new Map<PeerKey, Serving[]>()
  sending = false
  downFree = 0
  readonly blocks = new Map<number, Map<number, boolean>>()

  constructor (key: PeerKey, init: PeerInit, layout: Layout, random: Random, slots: number) {
    this.key = key
    this.init = init
    this.behaviour = init.behaviour ?? 'honest'
    let left = MEMORY_BUDGET
    this.download = new DownloadCore({
      layout,
      random,
      have: init.seed === true ? Bitfield.full(layout.pieceCount) : init.have,
      budget: {
        take: bytes => {
          const fits = bytes <= left
          left -= fits ? bytes : 0

          return fits
        },
        give: bytes => { left += bytes }
      }
    })
    this.upload = new UploadCore({ slots, random })
    this.doneAt = init.seed === true ? 0 : undefined
  }

  get fetches (): boolean {
    return this.init.seed !== true && this.init.passive !== true && this.behaviour === 'honest'
  }
}

interface Serving {
  link: Link
  epoch: number
  range: Range
  blocks: Range[]
}

interface Task {
  time: number
  order: number
  run: () => void
}

/** How long hashing and storing a piece takes, in ms. */
const VERIFY_TIME = 3

export class World {
  readonly peers: Peer[]
  readonly layout: Layout
  now = 0

  /** Changes with everything that happens, in whatever order it does. */
  trace = 0x811c9dc5

  readonly #init: WorldInit
  readonly #random: Random
  readonly #queue: Task[] = []
  readonly #timers = new Map<string, number>()
  #order = 0

  constructor (init: WorldInit) {
    this.#init = init
    this.#random = seededRandom(init.seed)
    const pieceCount = Math.max(1, Math.ceil(init.size / PIECE_SIZE))
    this.layout = { size: init.size, pieceCount, pieceSize: piece => Math.min(PIECE_SIZE, init.size - piece * PIECE_SIZE) }
    this.peers = init.peers.map((peer, i) => new Peer(`p${i}`, peer, this.layout, this.#random, init.slots ?? 8))
    this.#connectAll()
    this.#planLeaving()
  }

  /** Runs until all who fetch are done; `false` if that takes longer than `limit` ms. */
  run (limit: number): boolean {
    const waiting = (): boolean => this.peers.some(peer => peer.fetches && peer.doneAt == null)

    while (waiting()) {
      const task = this.#pop()

      if (task == null || task.time > limit) {
        return false
      }

      this.now = task.time
      task.run()
    }

    return true
  }

  /** Share of the bytes that came although they were there. */
  get duplicates (): number {
    const fetching = this.peers.filter(peer => peer.fetches)

    return fetching.reduce((sum, { download }) => sum + download.duplicateBytes, 0) / (fetching.length * this.#init.size)
  }

  #connectAll (): void {
    const { degree = Infinity, latency: [low, high] } = this.#init

    for (const [i, a] of this.peers.entries()) {
      for (const b of this.peers.slice(i + 1)) {
        // a ring, so that all are connected, and chords at random
        const near = i + 1 === this.peers.indexOf(b)

        if (near || degree >= this.peers.length || this.#random() < degree / this.peers.length) {
          const link: Link = { a, b, latency: low + this.#random() * (high - low), epoch: 0, open: false, arrival: new Map(), taken: new Map() }
          a.links.set(b.key, link)
          b.links.set(a.key, link)
          this.#after(this.#random() * 100, () => { this.#open(link) })
        }
      }
    }
  }

  #open (link: Link): void {
    const { a, b } = link

    if (link.open || a.away || b.away || unwanted(a, b) || unwanted(b, a)) {
      return
    }

    link.open = true
    link.epoch++

    for (const [from, to] of [[a, b], [b, a]]) {
      const claims = from.behaviour === 'honest' ? new Bitfield(this.layout.pieceCount, from.download.have.toBytes()) : Bitfield.full(this.layout.pieceCount)
      this.#deliver(link, to, 64, () => { this.#hello(to, from, claims) })
    }

    if (this.#init.breakEvery != null) {
      this.#after(this.#exponential(this.#init.breakEvery), () => {
        this.#break(link)
        this.#after(500 + this.#random() * 2_500, () => { this.#open(link) })
      })
    }
  }

  #hello (to: Peer, from: Peer, claims: Bitfield): void {
    this.#upload(to, { type: 'peer', session: from.key, peer: from.key, content: 'x', complete: to.download.have.full })

    if (to.fetches) {
      this.#download(to, { type: 'peer', peer: from.key, have: claims, maxWindow: MAX_WINDOW })
    }
  }

  #break (link: Link): void {
    if (!link.open) {
      return
    }

    link.open = false
    link.epoch++

    for (const [one, other] of [[link.a, link.b], [link.b, link.a]]) {
      this.#upload(one, { type: 'gone', session: other.key })
      this.#download(one, { type: 'gone', peer: other.key })
    }
  }

  #planLeaving (): void {
    const { leaveEvery } = this.#init

    for (const peer of leaveEvery == null ? [] : this.peers) {
      if (peer.init.seed !== true) {
        this.#planLeave(peer, leaveEvery as number)
      }
    }
  }

  #planLeave (peer: Peer, every: number): void {
    this.#after(this.#exponential(every), () => {
      peer.away = true
      peer.links.forEach(link => { this.#break(link) })
      this.#after(1_000 + this.#random() * 5_000, () => {
        peer.away = false
        peer.links.forEach(link => { this.#open(link) })
        this.#planLeave(peer, every)
      })
    })
  }

  #download (peer: Peer, input: DownloadInput): void {
    for (const output of peer.download.handle(input, this.now)) {
      switch (output.type) {
        case 'send': this.#send(peer, output.to, output.message); break
        case 'timer': this.#setTimer(`${peer.key} d ${output.id}`, output.after, () => { this.#download(peer, { type: 'timer', id: output.id }) }); break
        case 'block': {
          const blocks = peer.blocks.get(output.piece) ?? new Map<number, boolean>()
          peer.blocks.set(output.piece, blocks)
          blocks.set(output.begin, (output.bytes as TaggedBytes).wrong)
          break
        }
        case 'discard': peer.blocks.delete(output.piece); break
        case 'complete': this.#after(VERIFY_TIME, () => { this.#verify(peer, output.piece) }); break
        case 'drop': peer.dropped.add(output.peer); this.#breakWith(peer, output.peer); break
        case 'ban': peer.banned.add(output.peer); this.#breakWith(peer, output.peer); break
        case 'done': peer.doneAt = this.now; break
      }
    }
  }

  #verify (peer: Peer, piece: number): void {
    const blocks = peer.blocks.get(piece) ?? new Map<number, boolean>()
    const expected = Math.max(1, Math.ceil(this.layout.pieceSize(piece) / BLOCK_SIZE))

    if (blocks.size !== expected) {
      throw new Error(`Piece ${piece} was complete with ${blocks.size} of ${expected} blocks`)
    }

    const ok = ![...blocks.values()].includes(true)
    peer.blocks.delete(piece)
    this.#note(`${peer.key} ${piece} ${ok}`)
    this.#download(peer, { type: 'verified', piece, ok })
  }

  #upload (peer: Peer, input: UploadInput): void {
    for (const output of peer.upload.handle(input, this.now)) {
      switch (output.type) {
        case 'send': this.#send(peer, output.to, output.message); break
        case 'timer': this.#setTimer(`${peer.key} u ${output.id}`, output.after, () => { this.#upload(peer, { type: 'timer', id: output.id }) }); break
        case 'serve': this.#serve(peer, output.session, output.range); break
        case 'skip': this.#skip(peer, output.session, output.range); break
        case 'drop': throw new Error(`${peer.key} dropped ${output.session}: ${output.reason}`)
      }
    }
  }

  #serve (peer: Peer, to: PeerKey, range: Range): void {
    const link = peer.links.get(to) as Link
    const list = peer.serving.get(to) ?? []
    peer.serving.set(to, list)
    list.push({ link, epoch: link.epoch, range, blocks: [...blocksOf(range)] })

    if (!peer.sending) {
      this.#sendNext(peer)
    }
  }

  /** Sends one block of the session whose turn it is. */
  #sendNext (peer: Peer): void {
    const [next] = peer.serving

    if (next == null) {
      peer.sending = false

      return
    }

    const [to, list] = next
    const [serving] = list
    const block = serving.link.epoch === serving.epoch ? serving.blocks.shift() : undefined
    peer.sending = true
    peer.serving.delete(to)

    if (block != null) {
      peer.uploaded += block.length
      peer.serving.set(to, list)
      this.#after(block.length / peer.init.up, () => {
        const { piece, begin, length } = block
        const bytes: TaggedBytes = { byteLength: length, wrong: peer.behaviour === 'wrong' }
        this.#send(peer, to, { type: 'block', piece, begin, bytes }, length)
        this.#sendNext(peer)
      })

      return
    }

    list.shift()

    if (list.length > 0) {
      peer.serving.set(to, list)
    }

    if (serving.link.epoch === serving.epoch) {
      this.#upload(peer, { type: 'served', session: to, range: serving.range })
    }

    this.#sendNext(peer)
  }

  #skip (peer: Peer, to: PeerKey, { piece, begin, length }: Range): void {
    for (const serving of peer.serving.get(to) ?? []) {
      serving.blocks = serving.blocks.filter(block => {
        const skip = block.piece === piece && block.begin >= begin && block.begin < begin + length

        if (skip) {
          this.#send(peer, to, { type: 'reject', ...block })
        }

        return !skip
      })
    }
  }

  #send (from: Peer, to: PeerKey, message: Message, size = 40): void {
    const link = from.links.get(to)

    if (link?.open === true) {
      const target = link.a === from ? link.b : link.a
      this.#deliver(link, target, size, () => { this.#receive(target, from, message) })
    }
  }

  #receive (peer: Peer, from: Peer, message: Message): void {
    this.#note(`${from.key} ${peer.key} ${message.type}`)

    if (message.type === 'block') {
      this.#upload(peer, { type: 'received', session: from.key, bytes: message.bytes.byteLength })
    }

    if (message.type !== 'request' || this.#canServe(peer, from, message)) {
      this.#upload(peer, { type: 'message', session: from.key, message })
    }

    if (peer.fetches) {
      this.#download(peer, { type: 'message', from: from.key, message })
    }
  }

  /** As the server does it, or the liar. */
  #canServe (peer: Peer, from: Peer, { piece, begin, length }: Range): boolean {
    if (peer.behaviour === 'silent') {
      return false
    }

    if (peer.behaviour === 'refusing' || (peer.behaviour === 'honest' && !peer.download.have.has(piece))) {
      this.#send(peer, from.key, { type: 'reject', piece, begin, length })

      return false
    }

    return true
  }

  #deliver (link: Link, to: Peer, size: number, run: () => void): void {
    const { epoch } = link
    const arrival = Math.max(this.now + link.latency, link.arrival.get(to) ?? 0)
    link.arrival.set(to, arrival)
    this.#at(arrival, () => {
      // who comes first is taken first; what is small passes by, but never overtakes
      to.downFree = Math.max(this.now, to.downFree) + (size >= 1024 ? size / to.init.down : 0)
      this.#at(Math.max(this.now, size >= 1024 ? to.downFree : link.taken.get(to) ?? 0), () => {
        if (link.open && link.epoch === epoch) {
          run()
        }
      })
      link.taken.set(to, Math.max(this.now, size >= 1024 ? to.downFree : link.taken.get(to) ?? 0))
    })
  }

  #breakWith (peer: Peer, other: PeerKey): void {
    const link = peer.links.get(other)

    if (link != null) {
      // after what is being handled now
      this.#after(0, () => { this.#break(link) })
    }
  }

  #exponential (mean: number): number {
    return -mean * Math.log(1 - this.#random())
  }

  #setTimer (id: string, after: number, run: () => void): void {
    const order = this.#order
    this.#timers.set(id, order)
    this.#after(after, () => {
      if (this.#timers.get(id) === order) {
        run()
      }
    })
  }

  #after (ms: number, run: () => void): void {
    this.#at(this.now + ms, run)
  }

  #at (time: number, run: () => void): void {
    const queue = this.#queue
    const task = { time: Math.max(time, this.now), order: this.#order++, run }
    let i = queue.push(task) - 1

    for (let up = (i - 1) >> 1; i > 0 && before(task, queue[up]); i = up, up = (i - 1) >> 1) {
      queue[i] = queue[up]
    }

    queue[i] = task
  }

  #pop (): Task | undefined {
    const queue = this.#queue
    const first = queue[0]
    const last = queue.pop()

    if (last != null && queue.length > 0) {
      let i = 0

      for (let down = 1; down < queue.length; down = 2 * i + 1) {
        const child = down + 1 < queue.length && before(queue[down + 1], queue[down]) ? down + 1 : down

        if (!before(queue[child], last)) {
          break
        }

        queue[i] = queue[child]
        i = child
      }

      queue[i] = last
    }

    return first
  }

  /** FNV-1a. */
  #note (what: string): void {
    for (let i = 0; i < what.length; i++) {
      this.trace = Math.imul(this.trace ^ what.charCodeAt(i), 0x01000193)
    }

    this.trace = Math.imul(this.trace ^ Math.round(this.now), 0x01000193)
  }
}

function before (a: Task, b: Task): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order)
}

function unwanted (peer: Peer, other: Peer): boolean {
  return peer.banned.has(other.key) || peer.dropped.has(other.key)
}

/** A swarm made up from a seed: 2 to 50 peers, some slow, some lying, with breaks and leaves. */
export function randomSwarm (seed: number): WorldInit {
  const random = seededRandom(seed * 7919 + 1)
  const count = 2 + randomInt(random, random() < 0.2 ? 49 : 14)
  const peers: PeerInit[] = [{ seed: true, up: 10_000, down: 10_000 }]
  const troubled = random() < 0.5

  while (peers.length < count) {
    const slow = troubled && random() < 0.15
    const behaviours: Behaviour[] = ['wrong', 'silent', 'refusing']
    const behaviour = troubled && random() < 0.15 ? behaviours[randomInt(random, 3)] : 'honest'
    const speed = (slow ? 0.1 : 1) * (5_000 + random() * 15_000)
    peers.push({ up: speed, down: 2 * speed, behaviour, seed: behaviour === 'honest' && random() < 0.15 })
  }

  if (!peers.some(({ seed, behaviour }) => seed !== true && behaviour === 'honest')) {
    peers.push({ up: 10_000, down: 10_000 })
  }

  return {
    seed,
    size: randomInt(random, 1 + Math.floor(1200 / count)) * PIECE_SIZE / 4 + randomInt(random, PIECE_SIZE),
    peers,
    latency: random() < 0.5 ? [1, 5] : [10, 80],
    degree: count > 20 ? 12 : undefined,
    breakEvery: troubled ? 5_000 + random() * 20_000 : undefined,
    leaveEvery: troubled && random() < 0.5 ? 10_000 + random() * 20_000 : undefined
  }
}
