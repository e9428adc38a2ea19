/**
 * Opens a content by the first of its items that still has the bytes.
 *
 * @module
 */

import { ContentChangedError } from '../errors.ts'
import type { Freshness } from './freshness.ts'
import type { OpenedContent } from './opened.ts'
import type { Item } from './records.ts'

/** What `use` makes of the first of some items that can be opened; `undefined` if all are gone. */
export async function openFirst<T> (freshness: Freshness, items: Item[], use: (opened: OpenedContent, item: Item) => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let error: unknown

  for (const item of items) {
    signal.throwIfAborted()

    try {
      const opened = await freshness.open(item, { signal })

      if (opened != null) {
        return await use(opened, item)
      }
    } catch (err) {
      error = (err as Error).name === ContentChangedError.name ? error : err
    }
  }

  if (error != null) {
    throw error
  }
}

/** A content as a file that is read from where it is. */
export async function toFile (opened: OpenedContent, { entry: { name, mediaType, modified } }: Item): Promise<File> {
  try {
    return new File([await opened.blob()], name, { type: mediaType, lastModified: modified })
  } finally {
    await opened.close()
  }
}
