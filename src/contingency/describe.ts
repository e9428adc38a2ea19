import { peerIdFromString } from '@libp2p/peer-id'
import { selectItems } from './items.ts'
import type { ContingencyCore } from './core/contingency.ts'
import type { Contingent } from './core/contingents.ts'
import type { ContingencyStatus, ContingentStatus } from './index.ts'
import type { Items } from './items.ts'
import type { Wards } from './wards.ts'
import type { PeerKey } from '../core.ts'

export interface DescribeInit {
  core: ContingencyCore
  items: Items
  wards: Wards
  copies: number
  room: number
}

/** How everything is, for users. */
export function describe ({ core, items, wards, copies, room }: DescribeInit): ContingencyStatus {
  const { contingents, isProtected } = core.ward
  const here = [...contingents.named].filter(([peer]) => core.peers.isHere(peer))
  const verified = here.flatMap(([, { receipt }]) => receipt ?? [])
  const live = selectItems(items.values(), Infinity).items
  const most = Math.max(-1, ...verified.map(({ quota }) => quota))
  const covered = new Set(most < 0 ? [] : (most >= items.bytes ? live : selectItems(live, most).items).map(({ key }) => key))
  const atRisk = live.filter(({ key }) => !covered.has(key))

  return {
    state: isProtected ? 'protected' : verified.length > 0 ? 'partly' : 'unprotected',
    wanted: copies,
    verified: verified.length,
    contingents: [...contingents.named].map(([peer, contingent]) => describeContingent(peer, contingent, core.peers.isHere(peer))),
    items: live.length,
    bytes: items.bytes,
    atRisk: { items: atRisk.length, bytes: [...new Map(atRisk.map(({ cid, size }) => [String(cid), size])).values()].reduce((sum, size) => sum + size, 0) },
    wards: [...core.keeper.kept].map(([peer, kept]) => ({
      peerId: peerIdFromString(peer),
      bytes: wards.bytesOf(peer),
      complete: kept.isComplete,
      serving: wards.isServing(peer)
    })),
    room,
    used: core.keeper.used
  }
}

function describeContingent (peer: PeerKey, { receipt, acceptedAt, quota }: Contingent, here: boolean): ContingentStatus {
  const state = !here ? 'gone' : receipt != null ? 'verified' : acceptedAt != null ? 'copying' : 'asked'

  return { peerId: peerIdFromString(peer), state, quota }
}
