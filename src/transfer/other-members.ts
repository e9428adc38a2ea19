import { sample } from '../random.ts'
import type { Source, TransferMembership } from './index.ts'
import type { PeerKey } from '../core.ts'

/** Members that are not among those already asked; a few at random, since each has to be dialled. */
export function * otherMembers (membership: TransferMembership | undefined, asked: ReadonlyMap<PeerKey, unknown>, count: number): Generator<Source> {
  const others = [...membership?.members({ state: 'alive' }) ?? []].filter(({ peerId, self }) => !self && !asked.has(String(peerId)))

  for (const { peerId, addresses } of sample(Math.random, others, count)) {
    yield { holder: peerId, addresses }
  }
}
