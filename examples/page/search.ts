/**
 * Finding files: hits are shown as they arrive, one line for each content,
 * with all who have it.
 *
 * @module
 */

import { nameOf } from './members.ts'
import { find, fromTemplate } from './page.ts'
import { count, explain, size } from './words.ts'
import type { Hit, Node } from 'formicary'

/** Lets the user search; `onChosen` gets all hits of the content that was chosen. */
export function showSearch (node: Node, onChosen: (hits: Hit[]) => void): void {
  const query = find<HTMLInputElement>('#query')
  let search = new AbortController()

  find('#search').addEventListener('submit', event => {
    event.preventDefault()
    search.abort()
    search = new AbortController()
    void show(node, query.value.trim(), search.signal, onChosen)
  })
}

async function show (node: Node, query: string, signal: AbortSignal, onChosen: (hits: Hit[]) => void): Promise<void> {
  const found = find('#found')
  const contents = new Map<string, { hits: Hit[], item: HTMLElement }>()
  const tell = (text: string): void => {
    if (!signal.aborted) {
      found.textContent = text
    }
  }

  find('#hits').replaceChildren()
  tell(query === '' ? '' : 'Asking everybody …')

  if (query === '') {
    return
  }

  try {
    for await (const hit of node.search(query, { signal })) {
      const key = String(hit.cid)
      const content = contents.get(key) ?? { hits: [], item: addItem(hit, onChosen, () => contents.get(key)?.hits ?? []) }
      contents.set(key, content)
      content.hits.push(hit)
      find('.note', content.item).textContent = describe(node, content.hits)
    }

    tell(contents.size === 0 ? 'Nobody who is here has such a file. Try fewer words.' : `${count(contents.size, 'file')} found`)
  } catch (err) {
    tell(explain(err))
  }
}

function addItem (hit: Hit, onChosen: (hits: Hit[]) => void, hits: () => Hit[]): HTMLElement {
  const item = fromTemplate('hit-template')
  const button = find<HTMLButtonElement>('.download', item)
  find('.name', item).textContent = hit.name
  button.textContent = hit.local ? 'Open' : 'Download'
  button.ariaLabel = `${button.textContent} ${hit.name}`
  button.addEventListener('click', () => { onChosen(hits()) })
  find('#hits').append(item)

  return item
}

function describe (node: Node, hits: Hit[]): string {
  const [{ size: bytes, mediaType }] = hits
  const holders = hits.map(({ holder, local }) => local ? 'you' : nameOf(node, holder))

  return [size(bytes), mediaType, `from ${holders.join(', ')}`].filter(text => text != null).join(' · ')
}
