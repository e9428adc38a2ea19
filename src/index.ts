/**
 * Formicary: a colony for libp2p. Nodes find each other's files by name, fetch
 * them verified from many holders at once, and share them again.
 *
 * @module
 */

export { createNode } from './node/index.ts'
export { exportIdentity, importIdentity } from './node/identity.ts'
export type { Downloadable, Node, NodeEvents, NodeInit, NodeServices } from './node/index.ts'
export type { IceServer, StorageReport } from './node/platform.ts'
export type { Entry } from './content/index.ts'
export type { CatalogEvents, FileOptions, Shareable, ShareOptions, ShareProgressEvent } from './catalog/index.ts'
export type {
  Contingency, ContingencyEvents, ContingencyInit, ContingencyStatus, ContingentStatus, KeptEntry, RecoverOptions, RecoverProgressEvent, Recovery, Vault, VaultEntry, WardStatus
} from './contingency/index.ts'
export type { LeaveOptions, Member, MemberDetails, Membership, MembershipEvents, MembersOptions, MemberState, Unreachable } from './membership/index.ts'
export type { FindOptions, Hit, SearchCost, SearchFilter, SearchProgressEvent } from './search/index.ts'
export type {
  BannedPeer, DownloadOptions, ReadOptions, Source, TransferEvents, TransferProgress, TransferProgressEvent
} from './transfer/index.ts'
export * from './errors.ts'
