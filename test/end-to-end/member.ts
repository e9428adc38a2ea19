/**
 * A member of a colony that does what it is told, in a page as in Node:
 * arguments and results are plain data, so that they can be passed to pages.
 *
 * @module
 */

import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { PIECE_SIZE } from '../../src/content/index.ts'
import { createNode, importIdentity } from '../../src/index.ts'
import { Gate } from '../fixtures/gate.ts'
import { memoryUse } from '../fixtures/memory-use.ts'
import { contentOf, isContentOf } from './made.ts'
import type { Made } from './made.ts'
import type { Hit, Node, NodeInit } from '../../src/index.ts'
import type { PeerId } from '@libp2p/interface'

/** How long anything is waited for, in ms; the machine may be busy. */
const PATIENCE = 40_000

/** How long one search takes at most, in ms. */
const SEARCH_TIMEOUT = 3_000

const PASSPHRASE = 'they never hurry'

/** How a member is made. */
export interface MemberInit extends Omit<NodeInit, 'identity'> {
  /** The identity that another has exported. */
  exported?: string
}

/** A hit, as far as it is looked at. */
export interface Found {
  name: string
  cid: string
  holder: string

  /** For whom the holder keeps it; not there if it is its own. */
  ward?: string
}

/** How safe a member is, and what it keeps for others. */
export interface Safety {
  state: string

  /** PeerIds of those who are here and have signed that they have everything, in order. */
  keepers: string[]

  /** PeerIds of those for whom this member has everything, in order. */
  wards: string[]
}

/** A connection with another member. */
export interface Connected {
  peer: string
  address: string
  multiplexer?: string

  /** `true` through a relay. */
  limited: boolean

  /** Protocols of its streams. */
  protocols: string[]
}

interface Running {
  bytes: number
  done: Promise<string>
}

export class Member {
  #running?: Node
  readonly #gate = new Gate()
  readonly #hits = new Map<string, Hit>()
  readonly #downloads = new Map<string, Running>()
  readonly #events: string[] = []

  get #node (): Node {
    return this.#running as Node
  }

  /** Enters a colony; gives its PeerId. */
  async start ({ exported, ...init }: MemberInit): Promise<string> {
    const identity = exported == null ? undefined : await importIdentity(exported, PASSPHRASE)
    const node = this.#running = await createNode({ iceServers: [], contingency: false, ...init, identity, start: false })

    for (const type of ['joined', 'suspected', 'recovered', 'down', 'left'] as const) {
      node.addEventListener(`member:${type}`, ({ detail: { member } }) => { this.#events.push(`${member.name} ${type}`) })
    }

    const nameOf = (peer: PeerId): string => node.membership.get(peer)?.name ?? String(peer)
    node.addEventListener('contingency:protected', () => { this.#events.push('protected') })
    node.addEventListener('contingency:serving', ({ detail: { ward } }) => { this.#events.push(`serving ${nameOf(ward)}`) })
    node.addEventListener('contingency:returned', ({ detail: { ward } }) => { this.#events.push(`${nameOf(ward)} returned`) })

    await node.start()

    return String(node.peerId)
  }

  async stop (): Promise<void> {
    await this.#running?.stop()
  }

  async addresses (): Promise<string[]> {
    return this.#node.addresses.map(String)
  }

  /** Connects to a peer that need not be of the colony; gives nothing back but that it is connected. */
  async dial (address: string): Promise<void> {
    await this.#node.libp2p.dial(multiaddr(address))
  }

  /** Shares a file that is made for it; gives its CID. `keep` has the store keep a copy. */
  async share (file: Made, keep = false): Promise<string> {
    const content = contentOf(file, this.#gate)
    const [entry] = await Array.fromAsync(this.#node.share({ name: file.name, content }, { keep }))

    return String(entry.cid)
  }

  /** Lets others have so many pieces of each file that it shares, and then no more for now. */
  async hold (pieces: number): Promise<void> {
    this.#gate.hold(pieces * PIECE_SIZE)
  }

  /** Lets others have all there is. */
  async release (): Promise<void> {
    this.#gate.release()
  }

  /** One search, with all that it finds. */
  async search (query: string): Promise<Found[]> {
    const found: Found[] = []

    for await (const hit of this.#node.search(query, { timeout: SEARCH_TIMEOUT })) {
      this.#hits.set(`${hit.cid} ${hit.holder}`, hit)
      found.push({ name: hit.name, cid: String(hit.cid), holder: String(hit.holder), ...hit.ward != null && { ward: String(hit.ward) } })
    }

    return found
  }

  /** Searches until there are so many hits: others may be about to come, or to hear of one another. */
  async find (query: string, count = 1): Promise<Found[]> {
    let found: Found[] = []
    await until(async () => {
      found = await this.search(query)

      return found.length >= count
    }, () => `${count} hits for ${query}: ${JSON.stringify(found)}`)

    return found
  }

  /** Begins to download what was found, from all who were found to have it. */
  async begin (cid: string): Promise<void> {
    const running: Running = { bytes: 0, done: Promise.resolve('') }
    const hits = this.#hitsOf(cid)
    this.#downloads.set(cid, running)
    running.done = this.#node.download(hits[0] ?? cid, {
      sources: hits,
      patience: PATIENCE,
      onProgress: ({ type, detail }) => {
        if (type === 'transfer:progress') {
          running.bytes = detail.bytes
        }
      }
    }).then(entry => String(entry.cid))
    running.done.catch(() => {})
  }

  /** Bytes of a download that are stored. */
  async bytes (cid: string): Promise<number> {
    return this.#downloads.get(cid)?.bytes ?? 0
  }

  /** Resolves when a download has stored so many pieces. */
  async untilPieces (cid: string, pieces: number): Promise<void> {
    const { bytes, done } = this.#downloads.get(cid) as Running
    const enough = until(async () => await this.bytes(cid) >= pieces * PIECE_SIZE, () => `${pieces} pieces, of ${bytes} bytes at first`)
    await Promise.race([enough, done.then(async () => enough)])
  }

  /** Resolves when a download is over, with the CID of its entry. */
  async finish (cid: string): Promise<string> {
    return (this.#downloads.get(cid) as Running).done
  }

  async download (cid: string): Promise<string> {
    await this.begin(cid)

    return this.finish(cid)
  }

  /** Downloads under another name than that of the hit. */
  async downloadAs (cid: string, name: string): Promise<string> {
    const entry = await this.#node.download(cid, { name, sources: this.#hitsOf(cid), patience: PATIENCE })

    return String(entry.cid)
  }

  /** The name of the error that a download fails with, after so many ms without anybody who has it. */
  async failureOf (cid: string, patience: number): Promise<string> {
    return this.#node.download(cid, { patience }).then(() => 'none', (err: Error) => err.name)
  }

  /** Fetches some pieces, and breaks off; a few that come after may be kept too. */
  async fetchPieces (cid: string, first: number, count: number): Promise<void> {
    const [hit] = this.#hitsOf(cid)
    let left = count * PIECE_SIZE

    for await (const bytes of this.#node.read(hit ?? cid, { offset: first * PIECE_SIZE, length: left, sources: this.#hitsOf(cid), patience: PATIENCE })) {
      left -= bytes.length
    }

    if (left !== 0) {
      throw new Error(`${left} bytes too few`)
    }
  }

  /** `true` if all the bytes of a content are those of a file that was made. */
  async holds (cid: string, file: Made): Promise<boolean> {
    return isContentOf(file, await this.#node.file(cid))
  }

  /** What this member shares. */
  async entries (): Promise<string[]> {
    return [...this.#node.entries()].map(({ name }) => name)
  }

  /** Bytes of pieces that came and went. */
  async traffic (): Promise<{ downloaded: number, uploaded: number }> {
    const { downloaded, uploaded } = this.#node.libp2p.services.transfer

    return { downloaded, uploaded }
  }

  /** Names of the members that are alive, in order. */
  async alive (): Promise<string[]> {
    return [...this.#node.members({ state: 'alive' })].map(({ name }) => name).sort()
  }

  /** Resolves when the members that are alive are these. */
  async untilAlive (names: string[]): Promise<void> {
    const expected = [...names].sort().join()
    await until(async () => (await this.alive()).join() === expected, () => `${expected} alive: ${[...this.#node.members()].map(({ name, state }) => `${name} ${state}`).join()}`)
  }

  /** Resolves when the members that say they are hidden are these. */
  async untilHidden (names: string[]): Promise<void> {
    const hidden = (): string => [...this.#node.members()].filter(({ hidden }) => hidden).map(({ name }) => name).sort().join()
    await until(async () => hidden() === [...names].sort().join(), () => `${names.join()} hidden, not ${hidden()}`)
  }

  /** What happened to members, such as `ada joined`, and to what is kept, in order. */
  async events (): Promise<string[]> {
    return this.#events
  }

  /** Resolves when something has happened to a member, such as `ada joined`, after so many others did. */
  async untilEvent (event: string, after = 0): Promise<void> {
    await until(async () => this.#events.includes(event, after), () => `${event}: ${this.#events.slice(after).join()}`)
  }

  async connections (): Promise<Connected[]> {
    return this.#node.libp2p.getConnections().map(({ remotePeer, remoteAddr, multiplexer, limits, streams }) => ({
      peer: String(remotePeer), address: String(remoteAddr), multiplexer, limited: limits != null, protocols: streams.map(({ protocol }) => protocol)
    }))
  }

  /** Resolves when it is linked with another member, over a connection that is not limited. */
  async untilLinked (peer: string): Promise<void> {
    const linked = async (): Promise<boolean> => (await this.connections()).some(other => other.peer === peer && !other.limited && other.protocols.some(protocol => protocol.includes('/membership/')))
    await until(linked, () => `a link with ${peer}; connected: ${this.#addressesOfOthers()}`)
  }

  /** Resolves when one can dial it through each of these hubs, and no other. */
  async untilReachableThrough (hubs: string[]): Promise<void> {
    const through = (): string => [...new Set(this.#node.addresses.map(String).flatMap(address => /\/p2p\/(\w+)\/p2p-circuit/.exec(address)?.[1] ?? []))].sort().join()
    await until(async () => through() === [...hubs].sort().join(), () => `addresses through ${hubs.join()}: ${this.#node.addresses.join()}; connected: ${this.#addressesOfOthers()}`)
  }

  /** Its identity, for another to be made with. */
  async export (): Promise<string> {
    return this.#node.exportIdentity(PASSPHRASE)
  }

  /** Puts a text into the vault. */
  async put (name: string, value: string): Promise<void> {
    await this.#node.vault.put(name, new TextEncoder().encode(value))
  }

  /** A text from the vault. */
  async value (name: string): Promise<string | undefined> {
    const value = await this.#node.vault.get(name)

    return value == null ? undefined : new TextDecoder().decode(value)
  }

  async safety (): Promise<Safety> {
    const { state, contingents, wards } = this.#node.contingency.status()

    return {
      state,
      keepers: contingents.filter(({ state }) => state === 'verified').map(({ peerId }) => String(peerId)).sort(),
      wards: wards.filter(({ complete }) => complete).map(({ peerId }) => String(peerId)).sort()
    }
  }

  /** Resolves when as many others as wanted have everything there is now. */
  async untilProtected (): Promise<void> {
    const { contingency } = this.#node
    const state = (): string => JSON.stringify([contingency.status(), this.#events])
    await contingency.settled({ signal: AbortSignal.timeout(PATIENCE) }).catch((err: unknown) => { throw new Error(`Waited in vain for protection: ${state()}`, { cause: err }) })
    await until(async () => contingency.status().state === 'protected', () => `protection: ${state()}`)
  }

  /** Fetches what others keep of it, until nothing is missing: how many entries and values are here again. */
  async recover (): Promise<{ entries: number, values: number }> {
    const sum = { entries: 0, values: 0 }
    let missing: Array<{ name: string }> = []
    await until(async () => {
      const recovery = await this.#node.contingency.recover({ patience: PATIENCE })
      sum.entries += recovery.entries
      sum.values += recovery.values
      missing = recovery.missing

      return missing.length === 0
    }, () => missing.map(({ name }) => name).join())

    return sum
  }

  /** Bytes of memory in use, buffers included. */
  async memory (): Promise<number> {
    return memoryUse().all
  }

  #addressesOfOthers (): string {
    return this.#node.libp2p.getConnections().map(({ remoteAddr }) => remoteAddr).join()
  }

  #hitsOf (cid: string): Hit[] {
    const name = CID.parse(cid)

    return [...this.#hits.values()].filter(hit => hit.cid.equals(name))
  }
}

/** @throws {Error} it does not come true in time */
async function until (condition: () => Promise<boolean>, what: () => string): Promise<void> {
  for (const start = performance.now(); !await condition();) {
    if (performance.now() - start > PATIENCE) {
      throw new Error(`Waited in vain for ${what()}`)
    }

    await new Promise(resolve => { setTimeout(resolve, 25) })
  }
}
