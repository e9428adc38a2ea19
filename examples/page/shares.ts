/**
 * What this node shares: files that are chosen or dropped, those that were
 * kept, and all that was downloaded.
 *
 * @module
 */

import { announce, find, fromTemplate } from './page.ts'
import { explain, size } from './words.ts'
import type { Entry, Node } from 'formicary'

/** Lets the user share files, and lists what is shared. */
export function showShares (node: Node): void {
  const list = find('#shares')
  const status = find('#sharing')
  const keep = find<HTMLInputElement>('#keep')
  const input = find<HTMLInputElement>('#files')
  const items = new Map<string, HTMLElement>()

  /** Contents that are gone when the page is: no copy was made. */
  const fleeting = new Set<string>()

  async function share (files: Iterable<File>): Promise<void> {
    for (const file of files) {
      status.textContent = `Reading ${file.name} …`

      try {
        for await (const entry of node.share(file, { keep: keep.checked, onProgress: event => {
          if (event.type === 'share:bytes') {
            status.textContent = `Reading ${file.name}: ${Math.floor(event.detail.bytes * 100 / Math.max(1, event.detail.size))} %`
          }
        } })) {
          note(entry, keep.checked)
          status.textContent = `${entry.name} is shared.`
        }
      } catch (err) {
        status.textContent = `${file.name} is not shared. ${explain(err)}`
      }
    }
  }

  function note (entry: Entry, kept: boolean): void {
    fleeting[kept ? 'delete' : 'add'](String(entry.cid))
    describe(entry)
  }

  function describe (entry: Entry): void {
    const item = items.get(keyOf(entry))

    if (item != null) {
      find('.note', item).textContent = `${size(entry.size)} · ${fleeting.has(String(entry.cid)) ? 'until you leave this page' : 'kept in this browser'}`
    }
  }

  function add (entry: Entry): void {
    if (!items.has(keyOf(entry))) {
      const item = fromTemplate('share-template')
      const button = find<HTMLButtonElement>('.unshare', item)
      find('.name', item).textContent = entry.name
      button.ariaLabel = `Stop sharing ${entry.name}`
      button.addEventListener('click', () => {
        node.unshare(entry.cid).then(() => { announce(`${entry.name} is not shared any more`) }, (err: unknown) => { status.textContent = explain(err) })
      })
      items.set(keyOf(entry), item)
      list.prepend(item)
    }

    describe(entry)
  }

  function remove (entry: Entry): void {
    const item = items.get(keyOf(entry))

    if (item?.contains(document.activeElement) === true) {
      // whoever works with the keyboard stays where they are
      const next = item.nextElementSibling ?? item.previousElementSibling
      find(next == null ? '#shares-heading' : '.unshare', next ?? document).focus()
    }

    item?.remove()
    items.delete(keyOf(entry))
  }

  node.addEventListener('entry:added', ({ detail }) => { add(detail) })
  node.addEventListener('entry:removed', ({ detail }) => { remove(detail) })
  input.addEventListener('change', () => {
    const files = [...input.files ?? []]
    input.value = ''
    void share(files)
  })
  acceptDrops(files => { void share(files) })

  for (const entry of node.entries()) {
    add(entry)
  }
}

function keyOf ({ cid, path, name }: Entry): string {
  return `${cid}/${path}/${name}`
}

/** Files may be dropped anywhere: one that misses would take the place of the page. */
function acceptDrops (share: (files: FileList) => void): void {
  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true

  document.addEventListener('dragover', event => {
    if (carriesFiles(event)) {
      event.preventDefault()
      document.body.classList.add('dragging')
    }
  })
  document.addEventListener('dragleave', event => {
    // it leaves the page if it enters nothing else
    document.body.classList.toggle('dragging', event.relatedTarget != null)
  })
  document.addEventListener('drop', event => {
    document.body.classList.remove('dragging')

    if (carriesFiles(event)) {
      event.preventDefault()
      share(event.dataTransfer!.files)
    }
  })
}
