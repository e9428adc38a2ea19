import { peerIdFromString } from '@libp2p/peer-id'
import type { ContingencyCore } from './core/contingency.ts'
import type { Contingent } from './core/contingent.ts'
import type { Receipt } from './core/messages.ts'
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
  const verified = receiptsOf(core)
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

/** What contingents that are here have signed for. */
export function receiptsOf ({ peers, ward: { contingents } }: ContingencyCore): Receipt[] {
  return [...contingents.named].flatMap(([peer, { receipt }]) => receipt != null && peers.isHere(peer) ? receipt : [])
}

function describeContingent (peer: PeerKey, { receipt, acceptedAt, quota }: Contingent, here: boolean): ContingentStatus {
  const state = !here ? 'gone' : receipt != null ? 'verified' : acceptedAt != null ? 'copying' : 'asked'

  return { peerId: peerIdFromString(peer), state, quota }
}
