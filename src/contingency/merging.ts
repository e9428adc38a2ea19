import { CID } from 'multiformats/cid'
import { delay } from '../delay.ts'
import { MAX_CHANGE_DELAY } from './constants.ts'
import type { Blocks } from './blocks.ts'
import type { ContingencyOutput } from './core/outbox.ts'
import type { Fetching } from './fetching.ts'
import type { OwnState } from './own-state.ts'
import type { Logger } from '@libp2p/interface'

export interface MergingInit {
  own: OwnState
  blocks: Blocks
  fetching: Fetching
  log: Logger

  /** Aborted when nothing is to be merged any more. */
  signal: AbortSignal
}

/** Makes what others have of this node part of what it has. */
export class Merging {
  readonly #init: MergingInit

  /** `true` once that was done. */
  hasMerged = false

  constructor (init: MergingInit) {
    this.#init = init
  }

  /** Resolves with `true` when all of a snapshot of this node is part of what it has, and on record; with `false` if it could not be had. */
  async merge ({ assignment: { root, rootSize, size }, sources }: Extract<ContingencyOutput, { type: 'merge' }>): Promise<boolean> {
    const { own, fetching, signal, log } = this.#init
    let blocks: Iterable<string> = []

    try {
      const onPages = (cids: Set<string>): void => { blocks = cids }
      const { items } = await fetching.readAll({ root, rootSize, quota: size, sources }, { signal, onPages })
      await own.merge(items)
      await this.#publish()
    } catch (err) {
      log('could not merge what others have - %e', err)

      return false
    }

    this.hasMerged = true
    await this.#release(blocks)

    return true
  }

  /** Publishes what there is, as soon as it can be written: nothing is signed without what others have before that is safe here. */
  async #publish (): Promise<void> {
    const { own, signal, log } = this.#init

    for (let isWritten = false; !isWritten;) {
      try {
        await own.publish()
        isWritten = true
      } catch (err) {
        log.error('could not write what others have - %e', err)
        await delay(MAX_CHANGE_DELAY, { signal })
      }
    }
  }

  async #release (blocks: Iterable<string>): Promise<void> {
    for (const cid of blocks) {
      await this.#init.blocks.release(CID.parse(cid)).catch((err: unknown) => { this.#init.log.error('could not delete %s - %e', cid, err) })
    }
  }
}
