/**
 * The list of downloads. Those that have not ended are remembered, and can be
 * continued when the page was loaded again.
 *
 * @module
 */

import { CID } from 'multiformats/cid'
import { Download } from './download.ts'
import { find } from './page.ts'
import type { Hit, Node, Source } from 'formicary'

/** A content to be fetched, as those who have it call it. */
export interface Wanted {
  cid: CID
  name: string
  size: number
  mediaType?: string
  sources: Source[]
}

/** Shows downloads; returns what begins one with all hits of a content. */
export function showDownloads (node: Node, dataDir: string): (hits: Hit[]) => void {
  const downloads = new Map<string, Download>()
  const remembered = `${dataDir}/downloads`

  function remember (): void {
    const unfinished = [...downloads.values()].filter(({ done }) => !done).map(({ wanted: { cid, name, size, mediaType } }) => ({ cid: String(cid), name, size, mediaType }))
    localStorage.setItem(remembered, JSON.stringify(unfinished))
  }

  function add (wanted: Wanted): Download {
    const download = downloads.get(String(wanted.cid)) ?? new Download(node, wanted, remember)
    downloads.set(String(wanted.cid), download)
    download.wanted.sources = wanted.sources
    find('#downloads').prepend(download.item)
    find('#downloads-section').hidden = false

    return download
  }

  const before = JSON.parse(localStorage.getItem(remembered) ?? '[]') as Array<Omit<Wanted, 'cid' | 'sources'> & { cid: string }>
  before.forEach(wanted => { add({ ...wanted, cid: CID.parse(wanted.cid), sources: [] }) })

  return hits => {
    const [{ cid, name, size, mediaType }] = hits
    void add({ cid, name, size, mediaType, sources: hits }).start()
  }
}
