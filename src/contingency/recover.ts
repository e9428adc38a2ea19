/**
 * Getting back what others keep of this node.
 *
 * @module
 */

import { peerIdFromString } from '@libp2p/peer-id'
import { delay } from '../delay.ts'
import { NotFoundError } from '../errors.ts'
import { inParallel } from '../parallel.ts'
import type { Blocks } from './blocks.ts'
import type { ContingencyCatalog, ContingencyTransfer } from './components.ts'
import type { Recovery, RecoverOptions } from './index.ts'
import type { EntryItem, Items, VaultItem } from './items.ts'
import type { PeerKey } from '../core.ts'

/** How long to wait for somebody who keeps something, in ms. */
const PATIENCE = 15_000

/** How often it is looked whether somebody said something, in ms. */
const TICK = 100

/** Others may know something newer than the first who says something: they are waited for as long as that, in ms. */
const QUIET_TIME = 1_000

/** How long to look for one content, in ms. */
const CONTENT_PATIENCE = 10_000

/** Contents that are fetched at once. */
const CONCURRENCY = 4

export interface RecoverInit {
  transfer: ContingencyTransfer
  catalog?: ContingencyCatalog
  items: Items
  blocks: Blocks

  /** `true` if it is known what others keep. */
  isKnown (): boolean

  /** `true` while it is being found out. */
  isMerging (): boolean
  sources (): PeerKey[]
  report (type: 'recover:entry' | 'recover:value' | 'recover:missing', detail: unknown): void
}

export async function recover (init: RecoverInit, options: RecoverOptions): Promise<Recovery> {
  await findOut(init, options)
  const recovery: Recovery = { entries: 0, values: 0, bytes: 0, missing: [] }
  const waiting = [...init.items.values()].filter(item => item.type !== 'gone').filter(item => !isHere(init, item))
  await inParallel(waiting, CONCURRENCY, async item => {
    options.signal?.throwIfAborted()
    await recoverOne(init, item, recovery, options)
  })

  return recovery
}

async function findOut (init: RecoverInit, { patience = PATIENCE, signal }: RecoverOptions): Promise<void> {
  const deadline = performance.now() + patience
  let quietSince: number | undefined

  while (quietSince == null || performance.now() - quietSince < QUIET_TIME) {
    quietSince = init.isKnown() && !init.isMerging() ? quietSince ?? performance.now() : undefined

    if (performance.now() > deadline) {
      if (init.isKnown()) {
        return
      }

      throw new NotFoundError('Nobody is known to keep anything of this node')
    }

    await delay(TICK, { signal: signal ?? undefined })
  }
}

function isHere ({ catalog, blocks }: RecoverInit, { type, cid }: EntryItem | VaultItem): boolean {
  return type === 'vault' ? blocks.has(cid) : catalog?.has(cid) === true
}

async function recoverOne (init: RecoverInit, item: EntryItem | VaultItem, recovery: Recovery, { signal }: RecoverOptions): Promise<void> {
  const { cid, size } = item
  const own = item.type === 'vault' ? { name: String(cid), into: 'kept' as const } : { name: item.name, path: item.path, into: 'catalog' as const }
  const sources = init.sources().map(peer => ({ holder: peerIdFromString(peer) }))

  try {
    const entry = await init.transfer.download(cid, { ...own, size, sources, patience: CONTENT_PATIENCE, signal })
    recovery[item.type === 'vault' ? 'values' : 'entries']++
    recovery.bytes += size
    init.report(item.type === 'vault' ? 'recover:value' : 'recover:entry', item.type === 'vault' ? { size } : entry)
  } catch (err) {
    if ((err as Error).name !== 'NotFoundError') {
      throw err
    }

    const missing = { name: item.type === 'vault' ? 'a value of the vault' : item.name, cid }
    recovery.missing.push(missing)
    init.report('recover:missing', missing)
  }
}
