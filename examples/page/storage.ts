/**
 * How much room there is, and whether what is kept stays.
 *
 * @module
 */

import { find } from './page.ts'
import { size } from './words.ts'
import type { Node } from 'formicary'

/** How often the browser is asked, in ms. */
const INTERVAL = 10_000

/** Shows where things are kept, now and from time to time. */
export function showStorage (node: Node): void {
  const show = async (): Promise<void> => {
    const { store, persisted, quota, usage } = await node.storage()
    const bar = find<HTMLProgressElement>('#storage-used')
    const used = quota == null || usage == null ? '' : `${size(usage)} of ${size(quota)} used. `
    const fate = persisted ? 'It stays until you delete it.' : 'The browser may delete it when the disk is nearly full.'
    find('#storage').textContent = store === 'memory'
      ? 'This browser keeps nothing here: downloads are in memory, and gone when you leave. Save what you need.'
      : `What you download is kept in this browser. ${used}${fate}`
    bar.hidden = store === 'memory' || quota == null
    bar.value = quota == null ? 0 : (usage ?? 0) / quota
  }

  const tryShow = (): void => { void show().catch(() => {}) }
  node.addEventListener('entry:added', tryShow)
  node.addEventListener('entry:removed', tryShow)
  setInterval(tryShow, INTERVAL)
  tryShow()
}
