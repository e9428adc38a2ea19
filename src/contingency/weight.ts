import type { ContingencyMember } from './components.ts'

/** Bytes of room at which a member counts once. */
const UNIT = 64 * 1024 * 1024

/** Times up, in s, from which on a member counts for more: who was here for long stays for longer (Stutzbach and Rejaie, IMC 2006). */
const UPTIMES = [600, 3_600, 6 * 3_600]

/**
 * How good a contingent somebody is, as all who know it reckon alike: 0 for
 * who has no room. In few steps, so that it seldom changes.
 *
 * @param now - ms since 1970
 */
export function weightOf ({ storage, epoch, light, hidden }: Pick<ContingencyMember, 'storage' | 'epoch' | 'light' | 'hidden'>, now: number): number {
  const room = Math.min(4, Math.max(0.25, 1 + Math.floor(Math.log2(storage / UNIT)) / 4))
  const uptime = 1 + UPTIMES.filter(least => now / 1000 - epoch >= least).length / 2
  const role = hidden ? 0.1 : light ? 0.25 : 1

  return storage > 0 ? room * uptime * role : 0
}
