import { storedBytes } from './stored.ts'
import type { Bitfield } from './core/bitfield.ts'
import type { TransferProgress } from './index.ts'
import type { Manifest } from '../content/index.ts'
import type { CID } from 'multiformats/cid'

/** What is known of something on its way. */
export interface Arriving {
  cid: CID
  manifest?: Manifest

  /** Pieces that are stored, once that is known. */
  have?: Bitfield

  /** Bytes a second. */
  rate: number
  peers: number
}

/** How far it is. */
export function progressOf ({ cid, manifest, have, rate, peers }: Arriving): TransferProgress {
  const bytes = manifest == null || have == null ? 0 : storedBytes(manifest, have)
  const left = (manifest?.size ?? Infinity) - bytes

  return {
    cid,
    size: manifest?.size,
    bytes,
    rate,
    peers,
    msLeft: left === 0 ? 0 : left < Infinity && rate > 0 ? left * 1000 / rate : undefined
  }
}
