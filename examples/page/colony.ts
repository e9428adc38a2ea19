/**
 * The way into the colony, and back into it.
 *
 * @module
 */

import { createNode } from 'formicary'
import { find } from './page.ts'
import type { Node } from 'formicary'

/** What the server of the page says about its hub. */
interface Entrance {
  network: string
  bootstrap: string[]
  iceServers: Array<{ urls: string }>
}

/** Windows of one browser that may be open at once; each is a member of its own, and keeps its own files. */
const MAX_WINDOWS = 20

/** How often a hub that is away is looked for, in ms. */
const RETRY_INTERVAL = 5_000

/** A node that has come in, and the name of what it keeps. */
export interface Joined {
  node: Node
  dataDir: string
}

/**
 * Makes a node, with what the first window keeps that is not in use.
 *
 * @throws {TypeError} the server of the page does not answer
 */
export async function join (name: string): Promise<Joined> {
  const init = await entrance()

  for (let number = 1; ; number++) {
    const dataDir = `formicary-page-${number}`

    try {
      return { node: await createNode({ ...init, name, dataDir }), dataDir }
    } catch (err) {
      if ((err as Error).name !== 'DataDirInUseError' || number === MAX_WINDOWS) {
        throw err
      }
    }
  }
}

/** Says whether the hub is there, and comes back to it, or to one that was started anew, when it is. */
export function watchHub (node: Node): void {
  const show = (): boolean => {
    const connected = hubs(node).length > 0
    const others = [...node.members({ state: 'alive' })].filter(({ self, roles }) => !self && !roles.includes('hub')).length
    const hub = find('#hub')
    const text = connected ? 'Connected' : others > 0 ? 'The hub is away. You and those who are here go on without it.' : 'The hub cannot be reached. Trying again …'
    hub.hidden = false
    hub.classList.toggle('away', !connected)

    if (hub.textContent !== text) {
      hub.textContent = text
    }

    return connected
  }

  const look = async (): Promise<void> => {
    if (!show()) {
      const { bootstrap } = await entrance()

      // one after another: a browser can use some of them only, and dials to one peer at a time are taken for one
      for (const address of bootstrap) {
        if (await node.join(address).then(() => true, () => false)) {
          return
        }
      }
    }
  }

  for (const change of ['peer:identify', 'peer:disconnect'] as const) {
    node.libp2p.addEventListener(change, show)
  }

  for (const change of ['member:joined', 'member:down', 'member:left'] as const) {
    node.addEventListener(change, show)
  }

  show()
  const lookAgain = (): void => { setTimeout(() => { void look().catch(() => {}).finally(lookAgain) }, RETRY_INTERVAL) }
  lookAgain()
}

/** Hubs that the node is connected with. */
function hubs (node: Node): unknown[] {
  return node.libp2p.getPeers().filter(peer => node.membership.get(peer)?.roles.includes('hub') === true)
}

/** @throws {TypeError} there is no answer, or not the right one */
async function entrance (): Promise<Entrance> {
  const response = await fetch('hub.json', { cache: 'no-store', signal: AbortSignal.timeout(RETRY_INTERVAL) })

  if (!response.ok) {
    throw new TypeError(`hub.json: ${response.status}`)
  }

  return await response.json() as Entrance
}
