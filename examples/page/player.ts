/**
 * Plays a video or a sound while it arrives: the browser asks the service
 * worker (`play-worker.ts`) for ranges of it, the worker asks this page, and
 * the page reads them from the node, which fetches first what is read.
 *
 * @module
 */

import type { Wanted } from './downloads.ts'
import type { Ask } from './play-worker.ts'
import type { Node } from 'formicary'

/** What may be asked for: what the user plays, and nothing else. */
const playing = new Map<string, Wanted>()

/** Whether it is something to play. */
export function isMedia (mediaType = ''): boolean {
  return /^(audio|video)\/[\w.+-]+$/.test(mediaType)
}

/** Whether it can be played before all of it is here. Not without a service worker, as in some private windows. */
export function canPlayEarly (): boolean {
  return navigator.serviceWorker?.controller != null
}

/** Gets ready to answer the service worker. */
export async function preparePlayer (node: Node): Promise<void> {
  if ('serviceWorker' in navigator) {
    navigator.serviceWorker.addEventListener('message', ({ data, ports: [port] }: MessageEvent<Ask>) => { answer(node, data, port) })
    await navigator.serviceWorker.register('play-worker.js')
    await navigator.serviceWorker.ready
  }
}

/** Shows a player, and plays. */
export async function play (node: Node, wanted: Wanted, place: HTMLElement, here: boolean): Promise<void> {
  const { cid, name, mediaType = '' } = wanted
  const media = document.createElement(mediaType.startsWith('video/') ? 'video' : 'audio')
  media.controls = true
  media.ariaLabel = name
  playing.set(String(cid), wanted)
  media.src = canPlayEarly() || !here ? `play/${cid}/${encodeURIComponent(name)}` : URL.createObjectURL(await node.file(cid, { name }))
  stopPlaying(place)
  place.replaceChildren(media)
  place.hidden = false
  media.focus()
  await media.play()
}

/** Takes a player away, and ends what it asked for. */
export function stopPlaying (place: HTMLElement): void {
  const media = place.querySelector<HTMLMediaElement>('video, audio')
  media?.removeAttribute('src')
  media?.load()
  place.replaceChildren()
  place.hidden = true
}

/** Answers with what there is of a range, then with its bytes, one message for each that is asked for. */
function answer (node: Node, { cid, from, to = Infinity }: Ask, port: MessagePort): void {
  const wanted = playing.get(cid)

  if (wanted == null || from >= wanted.size) {
    port.postMessage(undefined)
    return
  }

  const last = Math.min(to, wanted.size - 1)
  const stopped = new AbortController()
  const bytes = node.read(wanted.cid, { name: wanted.name, size: wanted.size, sources: wanted.sources, offset: from, length: last - from + 1, signal: stopped.signal })

  port.onmessage = ({ data }) => {
    if (data === 'stop') {
      stopped.abort()
      port.close()
    } else {
      bytes.next().then(({ value }) => { port.postMessage(value) }, () => { port.postMessage('failed') })
    }
  }

  port.postMessage({ last, size: wanted.size, type: wanted.mediaType })
}
