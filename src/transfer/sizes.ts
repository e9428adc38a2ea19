import { PIECE_SIZE } from '../content/index.ts'
import type { Session } from './session.ts'

/** Finds out the size of a content of one piece, which its CID does not tell, from what peers say. */
export class Sizes {
  readonly #tried = new Set<number>()

  /** What to try instead of `current`: of the sizes that holders say, one that was not tried if there is any. */
  next (sessions: Iterable<Session>, current?: number): number | undefined {
    const sizes: number[] = []

    for (const { open, remote: { size, have } = {} } of sessions) {
      if (open && size != null && size <= PIECE_SIZE && have !== 'none' && size !== current) {
        sizes.push(size)
      }
    }

    const next = sizes.find(size => !this.#tried.has(size)) ?? sizes[0]

    if (next != null) {
      this.#tried.add(next)
    }

    return next
  }
}
