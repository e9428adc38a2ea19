import { CID } from 'multiformats/cid'
import { Swarm } from './swarm.ts'
import type { Catalogs } from './catalogs.ts'
import type { Fetch } from './fetch.ts'
import type { Server } from './server.ts'
import type { Session } from './session.ts'
import type { PeerKey } from '../core.ts'

/** What {@link Swarms} work with. */
export interface SwarmsInit {
  /** This node. */
  self: PeerKey
  server: Server

  /** What can be served. */
  catalogs (): Catalogs
}

/** The swarms this node takes part in: those of the contents that it fetches, or somebody fetches from it. */
export class Swarms {
  readonly #init: SwarmsInit

  /** By CID; a swarm that is empty is removed. */
  readonly #swarms = new Map<string, Swarm>()

  constructor (init: SwarmsInit) {
    this.#init = init
  }

  /** Downloads that are under way. */
  get fetches (): Fetch[] {
    return Array.from(this.#swarms.values(), ({ fetch }) => fetch).filter(fetch => fetch != null)
  }

  /** The swarm of a content, if there is one. */
  get (cid: CID): Swarm | undefined {
    return this.#swarms.get(String(cid))
  }

  /** The swarm of a content, made if need be. */
  of (cid: CID): Swarm {
    const key = String(cid)
    const known = this.#swarms.get(key)

    if (known != null) {
      return known
    }

    const swarm: Swarm = new Swarm({
      cid,
      self: this.#init.self,
      server: this.#init.server,
      open: async () => this.#init.catalogs().open(cid),
      onEmpty: () => {
        if (this.#swarms.get(key) === swarm) {
          this.#swarms.delete(key)
        }
      }
    })
    this.#swarms.set(key, swarm)

    return swarm
  }

  /** Answers a session that a peer began; it is over at once if nothing is here of what it asks for. */
  async accept (session: Session): Promise<void> {
    try {
      const cid = CID.decode(session.remote?.root ?? new Uint8Array())

      if (this.get(cid) != null || this.#init.catalogs().has(cid)) {
        await this.of(cid).accept(session)
      } else {
        session.end()
      }
    } catch (err) {
      session.line.abort(err as Error)
    }
  }

  /** Ends all of them. */
  close (): void {
    this.#swarms.forEach(swarm => { swarm.close() })
    this.#swarms.clear()
  }
}
