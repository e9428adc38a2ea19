/**
 * Swarms in a virtual world: the cores of transfer over links that have a
 * latency and a bandwidth, break and come back; with peers that leave, are
 * killed, are slow, or lie. Everything follows from the seed.
 *
 * No byte is moved: a block is its length, and whether it is right.
 *
 * @module
 */

import { PIECE_SIZE } from '../../src/content/constants.ts'
import { seededRandom } from '../../src/random.ts'
import { MAX_WINDOW, MEMORY_BUDGET, UPLOAD_SLOTS } from '../../src/transfer/constants.ts'
import { Bitfield } from '../../src/transfer/core/bitfield.ts'
import { DownloadCore } from '../../src/transfer/core/download.ts'
import { blockCount } from '../../src/transfer/core/messages.ts'
import { blockId } from '../../src/transfer/core/pieces.ts'
import { blocksOf, UploadCore } from '../../src/transfer/core/upload.ts'
import { Clock } from './clock.ts'
import { Access, Link, MIN_BULK, Network } from './network.ts'
import type { PeerKey } from '../../src/core.ts'
import type { Random } from '../../src/random.ts'
import type { DownloadInput, DownloadOutput, Layout } from '../../src/transfer/core/download.ts'
import type { Bytes, Message, Range } from '../../src/transfer/core/messages.ts'
import type { UploadInput } from '../../src/transfer/core/upload.ts'

/**
 * What a peer does. All but the honest say that they have everything: `wrong`
 * sends wrong bytes, `sly` one wrong block in ten, `silent` never answers,
 * `refusing` rejects all.
 */
export type Behaviour = 'honest' | 'wrong' | 'sly' | 'silent' | 'refusing'

export interface PeerInit {
  behaviour?: Behaviour

  /** Bytes a ms. */
  up: number
  down: number

  /** Share of the pieces it has at the start. */
  have?: number
}

export interface WorldInit {
  seed: number

  /** Bytes in the content. */
  size: number
  peers: PeerInit[]

  /** Ms one way, at least and at most. */
  latency: [number, number]

  /** Chance that a message is held up for a retransmission. */
  loss?: number

  /** Sessions a peer keeps, about; everybody with everybody if it is left out. */
  degree?: number

  /** Ms between two breaks of a session, on average. */
  breakEvery?: number

  /** Ms a peer stays, on average, before it goes for a while or is killed. Whoever has all at the start stays. */
  leaveEvery?: number
  slots?: number

  /** Memory for pieces on their way, in bytes. */
  memory?: number
}

/** What stands for the bytes of a block. */
interface Tagged extends Bytes {
  wrong: boolean
  from: PeerKey
}

/** How long hashing and storing a piece takes, in ms. */
const VERIFY_TIME = 3

/** One peer: both cores, and what the driver keeps for them. */
export class Peer {
  readonly key: PeerKey
  readonly behaviour: Behaviour
  readonly access: Access
  readonly links = new Map<PeerKey, { link: Link, other: Peer }>()
  readonly banned = new Set<PeerKey>()
  readonly dropped = new Map<PeerKey, string>()

  /** Blocks of the pieces on their way. */
  readonly blocks = new Map<number, Map<number, Tagged>>()

  /** How often each block is owed by each peer. */
  readonly owed = new Map<PeerKey, Map<number, number>>()

  /** What is being served and was taken back. */
  skipped: Array<{ to: PeerKey, range: Range }> = []
  download!: DownloadCore
  upload!: UploadCore

  /** When it had everything, in ms. */
  doneAt?: number
  away = false

  /** Counts the times it was started, so that timers of an earlier life are known. */
  life = 0

  /** Bytes of memory that are left for pieces on their way. */
  memory = 0
  uploaded = 0
  #duplicates = 0

  constructor (key: PeerKey, { behaviour = 'honest', up, down }: PeerInit, clock: Clock) {
    this.key = key
    this.behaviour = behaviour
    this.access = new Access(clock, up, down)
  }

  get honest (): boolean {
    return this.behaviour === 'honest'
  }

  /** `true` if it was not there at the start that it had everything. */
  get fetches (): boolean {
    return this.honest && this.doneAt !== 0
  }

  /** Bytes that came although they were here, in all its lives. */
  get duplicates (): number {
    return this.#duplicates + this.download.duplicateBytes
  }

  /** `true` if a block that is being served was taken back. */
  skips (to: PeerKey, block: Range): boolean {
    return this.skipped.some(skip => skip.to === to && overlap(skip.range, block))
  }

  /** Begins with what it has stored, as after a crash. */
  start (layout: Layout, have: Bitfield, random: Random, init: WorldInit): void {
    this.#duplicates += this.download?.duplicateBytes ?? 0
    this.life++
    this.memory = init.memory ?? MEMORY_BUDGET
    this.blocks.clear()
    this.skipped = []
    this.upload = new UploadCore({ slots: init.slots ?? UPLOAD_SLOTS, random })
    this.download = new DownloadCore({
      layout,
      random,
      have,
      budget: {
        take: bytes => {
          const fits = bytes <= this.memory
          this.memory -= fits ? bytes : 0

          return fits
        },
        give: bytes => { this.memory += bytes }
      }
    })
  }
}

export class World {
  readonly peers: Peer[]
  readonly layout: Layout

  /** Changes with everything that happens, in whatever order it does. */
  trace = 0x811c9dc5

  readonly #init: WorldInit
  readonly #random: Random
  readonly #clock = new Clock()
  readonly #network: Network
  readonly #timers = new Map<string, object>()

  constructor (init: WorldInit) {
    const pieceCount = Math.max(1, Math.ceil(init.size / PIECE_SIZE))
    this.#init = init
    this.#random = seededRandom(init.seed)
    this.#network = new Network(this.#clock, this.#random, init.loss ?? 0)
    this.layout = { size: init.size, pieceCount, pieceSize: piece => Math.min(PIECE_SIZE, init.size - piece * PIECE_SIZE) }
    this.peers = init.peers.map((peer, i) => this.#makePeer(`p${i}`, peer))
    this.#connectAll()
    this.#planLeaving()
  }

  /** Runs until all who fetch are done; `false` if that takes longer than `limit` ms. */
  run (limit: number): boolean {
    return this.#clock.run(() => this.peers.some(peer => peer.fetches && peer.doneAt === undefined), limit)
  }

  /** Ms until the last who fetches had all. */
  get time (): number {
    return Math.max(...this.fetching.map(({ doneAt }) => doneAt ?? Infinity))
  }

  get fetching (): Peer[] {
    return this.peers.filter(peer => peer.fetches)
  }

  /** Share of the bytes that came although they were there. */
  get duplicates (): number {
    const { fetching } = this

    return fetching.reduce((sum, { duplicates }) => sum + duplicates, 0) / (fetching.length * Math.max(1, this.#init.size))
  }

  #makePeer (key: PeerKey, init: PeerInit): Peer {
    const peer = new Peer(key, init, this.#clock)
    const have = new Bitfield(this.layout.pieceCount)

    for (let piece = 0; piece < have.size; piece++) {
      if (this.#random() < (init.have ?? 0)) {
        have.add(piece)
      }
    }

    peer.start(this.layout, have, this.#random, this.#init)
    peer.doneAt = have.full ? 0 : undefined

    return peer
  }

  #connectAll (): void {
    const { degree = Infinity, latency: [low, high] } = this.#init

    this.peers.forEach((a, i) => {
      this.peers.slice(i + 1).forEach((b, j) => {
        // the first has everything; a ring besides, and chords at random
        if (j === 0 || this.#random() < degree / this.peers.length) {
          const link = new Link(low + this.#random() * (high - low))
          a.links.set(b.key, { link, other: b })
          b.links.set(a.key, { link, other: a })
          this.#clock.after(this.#random() * 100, () => { this.#open(link, a, b) })
        }
      })
    })
  }

  #open (link: Link, a: Peer, b: Peer): void {
    if (link.open || a.away || b.away || unwanted(a, b) || unwanted(b, a)) {
      return
    }

    link.open = true
    link.opened++
    const { opened } = link
    this.#greet(link, a, b)
    this.#greet(link, b, a)

    if (this.#init.breakEvery !== undefined) {
      this.#clock.after(this.#exponential(this.#init.breakEvery), () => {
        if (link.opened === opened) {
          this.#break(link, a, b)
          this.#clock.after(500 + this.#random() * 2_500, () => { this.#open(link, a, b) })
        }
      })
    }
  }

  #greet (link: Link, from: Peer, to: Peer): void {
    const { pieceCount } = this.layout
    const have = from.honest ? new Bitfield(pieceCount, from.download.have.toBytes()) : Bitfield.full(pieceCount)
    this.#network.send(link, {
      from: from.access,
      to: to.access,
      size: 0,
      received: () => {
        to.owed.set(from.key, new Map())
        this.#upload(to, { type: 'peer', session: from.key, peer: from.key, content: 'x', complete: !to.honest || to.download.have.full })
        this.#download(to, { type: 'peer', peer: from.key, have, maxWindow: MAX_WINDOW })
      }
    })
  }

  #break (link: Link, a: Peer, b: Peer): void {
    if (link.open) {
      link.open = false

      for (const [one, other] of [[a, b], [b, a]]) {
        this.#upload(one, { type: 'gone', session: other.key })
        this.#download(one, { type: 'gone', peer: other.key })
      }
    }
  }

  #planLeaving (): void {
    const { leaveEvery } = this.#init

    if (leaveEvery !== undefined) {
      this.fetching.forEach(peer => { this.#planLeave(peer, leaveEvery) })
    }
  }

  #planLeave (peer: Peer, every: number): void {
    this.#clock.after(this.#exponential(every), () => {
      peer.away = true
      peer.links.forEach(({ link, other }) => { this.#break(link, peer, other) })

      if (this.#random() < 0.5) {
        peer.start(this.layout, new Bitfield(this.layout.pieceCount, peer.download.have.toBytes()), this.#random, this.#init)
      }

      this.#clock.after(1_000 + this.#random() * 5_000, () => {
        peer.away = false
        peer.links.forEach(({ link, other }) => { this.#open(link, peer, other) })
        this.#planLeave(peer, every)
      })
    })
  }

  #download (peer: Peer, input: DownloadInput): void {
    if (!peer.honest || peer.doneAt !== undefined) {
      return
    }

    for (const output of peer.download.handle(input, this.#clock.now)) {
      this.#carryOut(peer, output)
    }
  }

  #carryOut (peer: Peer, output: DownloadOutput): void {
    switch (output.type) {
      case 'send': this.#send(peer, output.to, output.message); break
      case 'timer': this.#setTimer(peer, `d ${output.id}`, output.after, () => { this.#download(peer, { type: 'timer', id: output.id }) }); break
      case 'block': this.#keep(peer, output.piece, output.begin, output.bytes as Tagged); break
      case 'discard': peer.blocks.delete(output.piece); break
      case 'complete': this.#ifAlive(peer, VERIFY_TIME, () => { this.#verify(peer, output.piece) }); break
      case 'drop': peer.dropped.set(output.peer, output.reason); this.#breakWith(peer, output.peer); break
      case 'ban': peer.banned.add(output.peer); this.#breakWith(peer, output.peer); break
      case 'done': peer.doneAt = this.#clock.now; break
    }
  }

  #keep (peer: Peer, piece: number, begin: number, bytes: Tagged): void {
    const blocks = peer.blocks.get(piece) ?? new Map<number, Tagged>()
    peer.blocks.set(piece, blocks)

    if (blocks.has(begin)) {
      throw new Error(`${peer.key} kept the block at ${begin} of ${piece} twice`)
    }

    blocks.set(begin, bytes)
  }

  #verify (peer: Peer, piece: number): void {
    const blocks = peer.blocks.get(piece) ?? new Map<number, Tagged>()
    const expected = blockCount(this.layout.pieceSize(piece))

    if (blocks.size !== expected) {
      throw new Error(`Piece ${piece} is complete with ${blocks.size} of ${expected} blocks`)
    }

    const ok = ![...blocks.values()].some(({ wrong }) => wrong)
    const senders = new Set(Array.from(blocks.values(), ({ from }) => from))
    peer.blocks.delete(piece)
    this.#note(`${peer.key} ${piece} ${ok}`)
    this.#download(peer, { type: 'verified', piece, ok })

    if (!ok && senders.size === 1 && ![...senders].every(key => peer.banned.has(key))) {
      throw new Error(`${[...senders].join()} sent a wrong piece alone and was not banned by ${peer.key}`)
    }
  }

  #upload (peer: Peer, input: UploadInput): void {
    for (const output of peer.upload.handle(input, this.#clock.now)) {
      switch (output.type) {
        case 'send': this.#send(peer, output.to, output.message); break
        case 'timer': this.#setTimer(peer, `u ${output.id}`, output.after, () => { this.#upload(peer, { type: 'timer', id: output.id }) }); break
        case 'serve': this.#serve(peer, output.session, output.range); break
        case 'skip': peer.skipped.push({ to: output.session, range: output.range }); break
        case 'drop': throw new Error(`${peer.key} dropped ${output.session}: ${output.reason}`)
      }
    }
  }

  #serve (peer: Peer, to: PeerKey, range: Range): void {
    const { link, other } = peer.links.get(to) as { link: Link, other: Peer }
    const { opened } = link
    const { life } = peer
    const blocks = [...blocksOf(range)]

    for (const [i, block] of blocks.entries()) {
      const wrong = peer.behaviour === 'wrong' || (peer.behaviour === 'sly' && this.#random() < 0.1)
      const bytes: Tagged = { byteLength: block.length, wrong, from: peer.key }
      const current = (): boolean => link.opened === opened && link.open && peer.life === life
      let skipped = false

      this.#network.send(link, {
        from: peer.access,
        to: other.access,
        // what is smaller than a packet waits in line all the same
        size: Math.max(MIN_BULK, block.length),
        begin: () => {
          skipped = current() && peer.skips(to, block)

          if (skipped) {
            this.#send(peer, to, { type: 'reject', ...block })
          } else {
            peer.uploaded += block.length
          }

          return !skipped
        },
        sent: () => {
          if (i === blocks.length - 1 && current()) {
            peer.skipped = peer.skipped.filter(skip => skip.to !== to || !overlap(skip.range, range))
            this.#upload(peer, { type: 'served', session: to, range })
          }
        },
        received: () => { this.#receive(other, peer, { type: 'block', piece: block.piece, begin: block.begin, bytes }) }
      })
    }
  }

  #send (from: Peer, to: PeerKey, message: Message): void {
    const { link, other } = from.links.get(to) ?? {}

    if (link?.open === true && other !== undefined) {
      if (message.type === 'request') {
        this.#owe(from, to, message)
      }

      this.#network.send(link, { from: from.access, to: other.access, size: 0, received: () => { this.#receive(other, from, message) } })
    }
  }

  #owe (peer: Peer, by: PeerKey, range: Range): void {
    const owed = peer.owed.get(by) as Map<number, number>

    for (const { piece, begin } of blocksOf(range)) {
      owed.set(blockId(piece, begin), 1 + (owed.get(blockId(piece, begin)) ?? 0))
    }
  }

  /** Every block that is asked for is answered once. */
  #answered (peer: Peer, by: PeerKey, range: Range): void {
    const owed = peer.owed.get(by) as Map<number, number>

    for (const { piece, begin } of blocksOf(range)) {
      const left = (owed.get(blockId(piece, begin)) ?? 0) - 1

      if (left < 0) {
        throw new Error(`${by} answered ${peer.key} twice about ${begin} of ${piece}`)
      } else if (left > 0) {
        owed.set(blockId(piece, begin), left)
      } else {
        owed.delete(blockId(piece, begin))
      }
    }
  }

  #receive (peer: Peer, from: Peer, message: Message): void {
    this.#note(`${from.key} ${peer.key} ${message.type}`)

    if (message.type === 'block') {
      const { piece, begin, bytes } = message
      this.#answered(peer, from.key, { piece, begin, length: bytes.byteLength })
      this.#upload(peer, { type: 'received', session: from.key, bytes: bytes.byteLength })
    } else if (message.type === 'reject') {
      this.#answered(peer, from.key, message)
    } else if (message.type === 'request' && !this.#canServe(peer, from, message)) {
      return
    }

    this.#download(peer, { type: 'message', from: from.key, message })
    this.#upload(peer, { type: 'message', session: from.key, message })
  }

  /** As the server does it, or the liar. */
  #canServe (peer: Peer, from: Peer, { piece, begin, length }: Range): boolean {
    if (peer.behaviour === 'silent') {
      return false
    }

    if (peer.behaviour === 'refusing' || (peer.honest && !peer.download.have.has(piece))) {
      this.#send(peer, from.key, { type: 'reject', piece, begin, length })

      return false
    }

    return true
  }

  #breakWith (peer: Peer, key: PeerKey): void {
    const { link, other } = peer.links.get(key) ?? {}

    if (link !== undefined && other !== undefined) {
      // after what is being handled now
      this.#clock.after(0, () => { this.#break(link, peer, other) })
    }
  }

  #exponential (mean: number): number {
    return -mean * Math.log(1 - this.#random())
  }

  #setTimer (peer: Peer, id: string, after: number, run: () => void): void {
    const key = `${peer.key} ${id}`
    const timer = {}
    this.#timers.set(key, timer)
    this.#ifAlive(peer, after, () => {
      if (this.#timers.get(key) === timer) {
        run()
      }
    })
  }

  /** Does something later, unless the peer is killed before. */
  #ifAlive (peer: Peer, after: number, run: () => void): void {
    const { life } = peer
    this.#clock.after(after, () => {
      if (peer.life === life) {
        run()
      }
    })
  }

  /** FNV-1a. */
  #note (what: string): void {
    for (let i = 0; i < what.length; i++) {
      this.trace = Math.imul(this.trace ^ what.charCodeAt(i), 0x01000193)
    }

    this.trace = Math.imul(this.trace ^ Math.round(this.#clock.now), 0x01000193)
  }
}

function overlap (a: Range, b: Range): boolean {
  return a.piece === b.piece && a.begin < b.begin + Math.max(1, b.length) && b.begin < a.begin + Math.max(1, a.length)
}

function unwanted (peer: Peer, other: Peer): boolean {
  return peer.banned.has(other.key) || peer.dropped.has(other.key)
}
