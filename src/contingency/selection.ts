import { contentKey } from './content-key.ts'
import type { EntryItem, Item, VaultItem } from './items.ts'

/** What of the items of a ward is kept for it. */
export interface Selection {
  /** In the order in which they should be fetched. */
  items: Array<EntryItem | VaultItem>

  /** Bytes of their contents, each counted once. */
  bytes: number
}

/**
 * What a contingent with room for so many bytes keeps: the vault before
 * everything else, then the smallest contents first, so that as many as
 * possible are kept. What does not fit is passed over. The ward and the
 * contingent find the same.
 */
export function selectItems (items: Iterable<Item>, quota: number): Selection {
  const selected: Selection = { items: [], bytes: 0 }
  const contents = new Set<string>()
  const live = [...items].filter(item => item.type !== 'gone').sort(byImportance)

  for (const item of live) {
    const content = contentKey(item.cid, item.size)
    const added = contents.has(content) ? 0 : item.size

    if (selected.bytes + added <= quota) {
      contents.add(content)
      selected.items.push(item)
      selected.bytes += added
    }
  }

  return selected
}

function byImportance (a: EntryItem | VaultItem, b: EntryItem | VaultItem): number {
  if (a.type !== b.type) {
    return a.type === 'vault' ? -1 : 1
  }

  return a.size - b.size || (a.key < b.key ? -1 : 1)
}
