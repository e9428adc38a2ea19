/**
 * One download: how far it is, who sends it, and what can be done with it.
 *
 * @module
 */

import { nameOf } from './members.ts'
import { announce, find, fromTemplate } from './page.ts'
import { Pieces } from './pieces.ts'
import { canPlayEarly, isMedia, play, stopPlaying } from './player.ts'
import { count, explain, size, time } from './words.ts'
import type { Wanted } from './downloads.ts'
import type { Sender } from './pieces.ts'
import type { DownloadOptions, Node, TransferProgress } from 'formicary'

type PeerId = Node['peerId']
type ProgressEvent = Parameters<NonNullable<DownloadOptions['onProgress']>>[0]

/** A download and its place in the list. */
export class Download {
  readonly item = fromTemplate('download-template')
  readonly wanted: Wanted

  readonly #node: Node
  readonly #onChange: (download: Download) => void
  readonly #pieces: Pieces
  readonly #bar: HTMLProgressElement
  readonly #note: HTMLElement
  readonly #toggle: HTMLButtonElement
  #running?: AbortController
  #state: 'stopped' | 'running' | 'done' = 'stopped'

  constructor (node: Node, wanted: Wanted, onChange: (download: Download) => void) {
    this.#node = node
    this.wanted = wanted
    this.#onChange = onChange
    this.#pieces = new Pieces(find('.pieces', this.item), find('.legend', this.item))
    this.#bar = find<HTMLProgressElement>('progress', this.item)
    this.#note = find('.note', this.item)
    this.#toggle = find<HTMLButtonElement>('.toggle', this.item)
    this.#toggle.addEventListener('click', () => { this.#running == null ? void this.start() : this.stop() })
    find('.play', this.item).addEventListener('click', () => { void this.#play() })
    find('.name', this.item).textContent = wanted.name
    this.#bar.ariaLabel = `How much of ${wanted.name} has arrived`
    this.#pieces.size = wanted.size
    this.#note.textContent = `Stopped · ${size(wanted.size)}`
    this.#show()
  }

  get done (): boolean {
    return this.#state === 'done'
  }

  /** Fetches what is missing. */
  async start (): Promise<void> {
    if (this.#state !== 'stopped') {
      return
    }

    const { cid, name, sources } = this.wanted
    const running = new AbortController()
    this.#running = running
    this.#change('running')
    this.#fail('')

    try {
      await this.#node.download(cid, { name, size: this.wanted.size, sources, signal: running.signal, onProgress: event => { this.#onProgress(event) } })
      await this.#finish()
    } catch (err) {
      this.#change('stopped')
      this.#fail(running.signal.aborted ? '' : explain(err))
    } finally {
      this.#running = undefined
    }
  }

  /** Stops it; what has arrived stays, for when it goes on. */
  stop (): void {
    stopPlaying(find('.player', this.item))
    this.#running?.abort()
  }

  #onProgress (event: ProgressEvent): void {
    switch (event.type) {
      case 'transfer:progress': this.#showProgress(event.detail); break
      case 'transfer:piece': this.#pieces.add(event.detail.piece, event.detail.from.length === 0 ? undefined : this.#sender(event.detail.from)); break
      case 'transfer:peer':
        if (event.detail.state === 'banned') {
          this.#pieces.remark(this.#sender([event.detail.peer]), 'sent wrong bytes and is not asked any more')
        }
    }
  }

  /** Several may have sent parts of one piece. */
  #sender (peers: PeerId[]): Sender {
    return { key: peers.map(String).sort().join(), name: peers.map(peer => nameOf(this.#node, peer)).sort().join(' and ') }
  }

  #showProgress ({ size: total = this.wanted.size, bytes, rate, peers, msLeft }: TransferProgress): void {
    this.wanted.size = total
    this.#pieces.size = total
    this.#bar.value = total === 0 ? 1 : bytes / total
    const left = msLeft == null || msLeft === 0 ? undefined : `${time(msLeft)} left`
    const speed = peers === 0 ? 'Looking for those who have it …' : `${size(rate)}/s from ${count(peers, 'source')}`
    this.#note.textContent = [`${size(bytes)} of ${size(total)}`, speed, left].filter(text => text != null).join(' · ')
  }

  async #finish (): Promise<void> {
    const { cid, name } = this.wanted
    const file = await this.#node.file(cid, { name })
    const save = find<HTMLAnchorElement>('.save', this.item)
    // as mere bytes: opened in a tab, somebody else's page must not be one of this site
    save.href = URL.createObjectURL(file.slice(0, file.size, 'application/octet-stream'))
    save.download = file.name
    save.ariaLabel = `Save ${name}`
    this.wanted.size = file.size
    this.#bar.value = 1
    this.#pieces.size = file.size
    this.#pieces.complete()
    this.#note.textContent = `${size(file.size)} · it is here, and you share it too`
    this.#change('done')
    announce(`${name} has arrived`)
  }

  async #play (): Promise<void> {
    try {
      await play(this.#node, this.wanted, find('.player', this.item), this.done)
    } catch (err) {
      this.#fail(explain(err))
    }
  }

  #change (state: 'stopped' | 'running' | 'done'): void {
    this.#state = state
    this.#show()
    this.#onChange(this)
  }

  #show (): void {
    const { name, mediaType } = this.wanted
    const [save, playing] = [find('.save', this.item), find('.play', this.item)]
    save.hidden = !this.done
    playing.hidden = !isMedia(mediaType) || !(this.done || canPlayEarly())
    playing.ariaLabel = `Play ${name}`
    this.#toggle.textContent = this.#state === 'running' ? 'Stop' : 'Continue'
    this.#toggle.ariaLabel = `${this.#toggle.textContent} ${name}`
    this.#bar.hidden = this.done

    if (this.done && document.activeElement === this.#toggle) {
      save.focus()
    }

    this.#toggle.hidden = this.done
  }

  #fail (text: string): void {
    find('.error', this.item).textContent = text
  }
}
