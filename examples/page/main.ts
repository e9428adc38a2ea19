/**
 * The page: asks for a name, comes in, and shows what there is.
 *
 * Nothing but the library is used; the elements are in `index.html`, and each
 * of the other modules fills some of them.
 *
 * @module
 */

import { join, watchHub } from './colony.ts'
import { showDownloads } from './downloads.ts'
import { showMembers } from './members.ts'
import { find } from './page.ts'
import { preparePlayer } from './player.ts'
import { showSearch } from './search.ts'
import { showShares } from './shares.ts'
import { showStorage } from './storage.ts'
import { explain } from './words.ts'

const form = find<HTMLFormElement>('#join')
const input = find<HTMLInputElement>('#name')
const button = find<HTMLButtonElement>('button', form)

form.addEventListener('submit', event => {
  event.preventDefault()
  void comeIn(input.value.trim())
})

// a window that is loaded again comes in by itself; another one may belong to somebody else
const here = sessionStorage.getItem('name')
input.value = here ?? localStorage.getItem('name') ?? ''

if (!isSecureContext) {
  find('#join-error').textContent = 'Browsers let a page do this only if it came over https, or from this machine.'
  button.disabled = true
} else if (here != null) {
  void comeIn(here)
} else {
  input.focus()
}

async function comeIn (name: string): Promise<void> {
  button.disabled = true
  button.textContent = 'Coming in …'
  find('#join-error').textContent = ''

  try {
    const { node, dataDir } = await join(name)
    sessionStorage.setItem('name', name)
    localStorage.setItem('name', name)
    document.title = `${name} – Formicary`
    showMembers(node)
    showShares(node)
    showSearch(node, showDownloads(node, dataDir))
    showStorage(node)
    watchHub(node)
    form.hidden = true
    find('#inside').hidden = false
    find('#query').focus()
    // what is shared works without it
    await preparePlayer(node).catch(() => {})
  } catch (err) {
    find('#join-error').textContent = explain(err)
    button.disabled = false
    button.textContent = 'Come in'
  }
}
