import { CID } from 'multiformats/cid'
import { ManifestReader } from '../content/index.ts'
import { Driver } from '../driver.ts'
import { InvalidManifestError } from '../errors.ts'
import { ManifestCore } from './core/manifest.ts'
import type { ManifestInput, ManifestOutput, NodeReader } from './core/manifest.ts'
import type { Message } from './core/messages.ts'
import type { PeerActions } from './piece-fetch.ts'
import type { Session } from './session.ts'
import type { Manifest } from '../content/index.ts'
import type { PeerKey } from '../core.ts'

/** Fetches the interior nodes of a content, unless they are here already. */
export class ManifestFetch {
  /**
   * The manifest, once it is whole.
   *
   * @throws {InvalidManifestError} the content is not one of the profile
   */
  readonly manifest: Promise<Manifest>

  readonly #driver: Driver<ManifestInput, ManifestOutput>
  readonly #sessions = new Map<PeerKey, Session>()

  /** @param kept - the manifest that was kept of an earlier try, if there is one; peers are asked meanwhile */
  constructor (root: CID, actions: PeerActions, kept: Promise<Manifest | undefined>) {
    const reader = new ManifestReader(root)
    const { promise, resolve, reject } = Promise.withResolvers<Manifest>()
    this.manifest = promise
    promise.catch(() => {})
    kept.then(manifest => {
      if (manifest != null) {
        resolve(manifest)
      }
    }, () => {})
    this.#driver = new Driver({
      core: new ManifestCore({ reader: nodeReader(reader), keyOf: cid => CID.decode(cid).toString() }),
      carryOut: outputs => {
        for (const output of outputs) {
          switch (output.type) {
            case 'send': this.#sessions.get(output.to)?.send(output.message); break
            case 'drop': actions.drop(output.peer, output.reason); break
            case 'ban': actions.ban(output.peer); break
            case 'done': resolve(reader.manifest as Manifest); break
            case 'invalid': reject(reader.invalid ?? new InvalidManifestError()); break
          }
        }
      }
    })
  }

  join (session: Session): void {
    if (!this.#sessions.has(session.key)) {
      this.#sessions.set(session.key, session)
      this.#driver.handle({ type: 'peer', peer: session.key })
    }
  }

  leave (peer: PeerKey): void {
    if (this.#sessions.delete(peer)) {
      this.#driver.handle({ type: 'gone', peer })
    }
  }

  message (from: PeerKey, message: Message): void {
    this.#driver.handle({ type: 'message', from, message })
  }

  stop (): void {
    this.#driver.stop()
    this.#sessions.clear()
  }
}

/** A reader as the core sees it. */
function nodeReader (reader: ManifestReader): NodeReader {
  return {
    get complete () {
      return reader.manifest != null
    },
    wanted: () => reader.wanted().map(cid => ({ key: cid.toString(), cid: cid.bytes })),
    accept (key, bytes) {
      try {
        reader.accept(CID.parse(key), bytes)

        return 'ok'
      } catch {
        return reader.invalid == null ? 'wrong' : 'invalid'
      }
    }
  }
}
