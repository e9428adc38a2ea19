import type { Tombstone } from './items.ts'

/** Tombstones, the oldest of which is at hand: a binary heap. Those that do not count any more may still be in it. */
export class Tombstones {
  #heap: Tombstone[] = []

  /** Those in it. */
  get size (): number {
    return this.#heap.length
  }

  add (item: Tombstone): void {
    const heap = this.#heap
    let at = heap.length

    for (let parent = (at - 1) >> 1; at > 0 && isOlder(item, heap[parent]); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]
      at = parent
    }

    heap[at] = item
  }

  /** Takes out the oldest: that of the lowest version, and of these that of the first key. */
  shift (): Tombstone | undefined {
    const heap = this.#heap
    const oldest = heap[0]
    const last = heap.pop()

    if (last != null && heap.length > 0) {
      this.#sink(last)
    }

    return oldest
  }

  /** Keeps those only for which `counts` says so. */
  retain (counts: (item: Tombstone) => boolean): void {
    // a sorted list is a heap
    this.#heap = this.#heap.filter(counts).sort((a, b) => isOlder(a, b) ? -1 : 1)
  }

  /** Puts what came from the end where it belongs, from the top. */
  #sink (item: Tombstone): void {
    const heap = this.#heap
    let at = 0

    for (;;) {
      const left = 2 * at + 1
      const child = left + 1 < heap.length && isOlder(heap[left + 1], heap[left]) ? left + 1 : left

      if (child >= heap.length || !isOlder(heap[child], item)) {
        break
      }

      heap[at] = heap[child]
      at = child
    }

    heap[at] = item
  }
}

function isOlder (a: Tombstone, b: Tombstone): boolean {
  return a.version === b.version ? a.key < b.key : a.version < b.version
}
