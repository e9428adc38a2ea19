/**
 * What a page tells the colony of itself: that nobody sees it, and that it is
 * about to be closed. Others would take its slow timers for an illness, and
 * notice only after 7 to 14 s that a WebRTC connection was closed.
 *
 * @module
 */

import type { Membership } from '../membership/index.ts'

/** The part of a page's `document` that is used. */
export interface PageDocument extends Pick<EventTarget, 'addEventListener' | 'removeEventListener'> {
  readonly hidden: boolean
}

/** The part of a page's `window` that is used. */
export type PageWindow = Pick<EventTarget, 'addEventListener' | 'removeEventListener'>

/**
 * Keeps `hidden` of a node that has started as that of its page; returns a function that
 * ends it.
 */
export function watchVisibility (membership: Pick<Membership, 'update'>, document: PageDocument): () => void {
  let told = false
  const tell = (): void => {
    if (document.hidden !== told) {
      told = document.hidden
      // it fails only while the node is stopped, when there is nobody to tell
      membership.update({ hidden: told }).catch(() => {})
    }
  }

  document.addEventListener('visibilitychange', tell)
  tell()

  return () => { document.removeEventListener('visibilitychange', tell) }
}

/**
 * Says goodbye when a page is closed, unless it is kept to be shown again;
 * returns a function that ends it. What was handed to the browser by then
 * usually still leaves, but no browser promises it.
 */
export function sayGoodbyeOnPageHide (membership: Pick<Membership, 'leaveNow'>, window: PageWindow): () => void {
  const leave = (event: Event): void => {
    if ((event as Event & { persisted?: boolean }).persisted !== true) {
      membership.leaveNow()
    }
  }

  window.addEventListener('pagehide', leave)

  return () => { window.removeEventListener('pagehide', leave) }
}
