import type { BigIntStats } from 'node:fs'

/** Changes whenever a file may have: its size and time of modification. */
export function fileVersion ({ size, mtimeNs }: Pick<BigIntStats, 'size' | 'mtimeNs'>): string {
  return `${size}-${mtimeNs}`
}
