/**
 * Who is here: a list that changes with the colony.
 *
 * @module
 */

import { find, fromTemplate } from './page.ts'
import type { Member, Node } from 'formicary'

const CHANGES = ['member:joined', 'member:suspected', 'member:recovered', 'member:down', 'member:left', 'member:updated'] as const

const STATES = { alive: '', suspected: 'does not answer', down: 'is gone', left: 'has left' }

/** What to call somebody: the name they gave, or the end of the one they were born with. */
export function nameOf (node: Node, peer: Member['peerId']): string {
  const name = node.membership.get(peer)?.name ?? ''

  return name === '' ? `…${String(peer).slice(-6)}` : name
}

/** Shows the members, now and whenever something happens to them. */
export function showMembers (node: Node): void {
  const items = new Map<string, HTMLElement>()

  const show = (): void => {
    const members = [...node.members()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))

    for (const member of members) {
      const key = String(member.peerId)
      const item = items.get(key) ?? fromTemplate('member-template')
      items.set(key, item)
      item.dataset.state = member.state
      find('.name', item).textContent = nameOf(node, member.peerId)
      find('.note', item).textContent = describe(member)
    }

    const itemsOf = (members: Member[]): HTMLElement[] => members.map(({ peerId }) => items.get(String(peerId)) as HTMLElement)
    const gone = members.filter(isGone)
    fill(find('#members'), itemsOf(members.filter(member => !isGone(member))))
    fill(find('#gone-members'), itemsOf(gone))
    find('#gone').hidden = gone.length === 0
    find('#gone-count').textContent = String(gone.length)
    find('#members-count').textContent = String(members.filter(({ state, roles }) => state === 'alive' && !roles.includes('hub')).length)
  }

  CHANGES.forEach(change => { node.addEventListener(change, show) })
  show()
}

/** Puts items into a list, in this order; what is in its place already is not touched. */
function fill (list: HTMLElement, items: HTMLElement[]): void {
  items.forEach((item, i) => {
    if (list.children[i] !== item) {
      list.insertBefore(item, list.children[i] ?? null)
    }
  })
}

function isGone ({ state }: Member): boolean {
  return state === 'down' || state === 'left'
}

function describe ({ self, roles, state, hidden }: Member): string {
  return [self ? 'you' : '', roles.includes('hub') ? 'introduces newcomers' : '', STATES[state], state === 'alive' && hidden && !self ? 'in the background' : '']
    .filter(text => text !== '')
    .join(', ')
}

/** First this node, then the others, and the hub. */
function rank ({ self, roles }: Member): number {
  return self ? 0 : roles.includes('hub') ? 2 : 1
}
