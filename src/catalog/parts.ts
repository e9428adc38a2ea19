import type { Claims } from './claims.ts'
import type { Entries } from './entries.ts'
import type { FileSystem, Skipped } from './files.ts'
import type { Hasher } from './hasher.ts'
import type { Records } from './records.ts'
import type { SharedBlobs } from './shared-blobs.ts'
import type { Locks } from './slots.ts'
import type { Tasks } from './tasks.ts'
import type { Store } from '../store/index.ts'
import type { Logger } from '@libp2p/interface'

/** What the parts of a running catalog have in common. */
export interface CatalogParts {
  store: Store
  blobs: SharedBlobs
  files?: FileSystem
  records: Records
  entries: Entries

  /** What of the store is this catalog's, and not another's. */
  claims: Claims
  hasher: Hasher
  tasks: Tasks
  log: Logger

  /** Held by who hashes a file, or stores bytes; the key is the path, or the CID. */
  locks: Locks

  /** Tells everybody of a file that cannot be used. */
  skipped (skipped: Skipped): void
}
