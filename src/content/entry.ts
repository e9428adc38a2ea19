import type { CID } from 'multiformats/cid'

/** What a node shares: a content, and what it is called there. */
export interface Entry {
  /** The name of the bytes themselves. */
  cid: CID

  /** File name, without folders; 1 to 255 bytes of UTF-8. */
  name: string

  /**
   * Folders between what was shared and the file, joined by `/`, without the
   * name; empty for a file that was shared by itself.
   */
  path: string

  /** Bytes in the content. */
  size: number

  /** MIME type guessed from the name, if there is one for it. */
  mediaType?: string

  /** When the bytes were last changed, in ms since 1970, where that is known. */
  modified?: number
}
