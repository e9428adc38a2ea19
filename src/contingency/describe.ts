import { peerIdFromString } from '@libp2p/peer-id'
import type { ContingencyCore } from './core/contingency.ts'
import type { Contingent } from './core/contingents.ts'
import type { ContingencyStatus, ContingentStatus } from './index.ts'
import type { OwnState } from './own-state.ts'
import type { Wards } from './wards.ts'
import type { PeerKey } from '../core.ts'

export interface DescribeInit {
  core: ContingencyCore
  own: OwnState
  wards: Wards
  copies: number
  room: number
}

/** How everything is, for users. */
export function describe ({ core, own, wards, copies, room }: DescribeInit): ContingencyStatus {
  const { items } = own
  const { contingents, assignment } = core.ward
  const here = [...contingents.named].filter(([peer]) => core.peers.isHere(peer))
  const verified = here.flatMap(([, { receipt }]) => receipt ?? [])
  const live = [...items.values()].filter(item => item.type !== 'gone')
  const covered = new Set(verified.flatMap(receipt => own.keptBy(receipt)).map(({ key }) => key))
  const atRisk = live.filter(({ key }) => !covered.has(key))
  const isProtected = core.ward.isProtected && assignment != null && own.isAsIn(assignment.root)

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
