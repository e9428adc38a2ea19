/** One member, in a process of its own: does what the story asks for, and tells what happens. */

import { setTimeout } from 'node:timers/promises'
import { createNode, importIdentity } from 'formicary'
import type { Hit } from 'formicary'
import type { PeerId } from '@libp2p/interface'

export type Task = 'fill' | 'export' | 'search' | 'holder' | 'download' | 'ward' | 'recover' | 'retreat' | 'leave'

/** What happened, and something to say of it. */
export interface News {
  type: Task | 'here' | 'protected' | 'at-risk' | 'handed-over' | 'serving' | 'failed'
  text: string
}

const PASSPHRASE = 'they never hurry'
const [name, bootstrap, key] = process.argv.slice(2)

/** The only one to be connected with, once there is one. */
let only: PeerId | undefined
let hits: Hit[] = []

function isStranger (peer: PeerId): boolean {
  return only != null && !only.equals(peer)
}

const node = await createNode({
  name,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  bootstrap: bootstrap === '' ? [] : [bootstrap],
  identity: key === '' ? undefined : await importIdentity(key, PASSPHRASE),
  contingency: { copies: 1, grace: 2_000 },
  libp2p: {
    connectionGater: {
      denyDialPeer: isStranger,
      denyInboundEncryptedConnection: isStranger,
      denyOutboundEncryptedConnection: isStranger
    }
  }
})

const tell = (type: News['type'], text = ''): void => { process.send?.({ type, text }) }
const nameOf = (peer: PeerId): string => node.membership.get(peer)?.name ?? String(peer)

node.addEventListener('contingency:protected', ({ detail }) => { tell('protected', detail.contingents.map(nameOf).join(', ')) })
node.addEventListener('contingency:at-risk', ({ detail }) => { tell('at-risk', detail.peer && nameOf(detail.peer)) })
node.addEventListener('contingency:handed-over', ({ detail }) => { tell('handed-over', detail.contingents.map(nameOf).join(', ')) })
node.addEventListener('contingency:serving', ({ detail }) => { tell('serving', nameOf(detail.ward)) })

const tasks: Record<Task, () => Promise<string>> = {
  async fill () {
    await Array.fromAsync(node.share({ name: 'Notes on ants.txt', content: new TextEncoder().encode('They never hurry.') }))
    await node.vault.put('secret', new TextEncoder().encode('I am afraid of ants.'))
    await node.contingency.settled()

    return node.contingency.status().contingents.map(({ peerId }) => nameOf(peerId)).join(', ')
  },

  async export () {
    return node.exportIdentity(PASSPHRASE)
  },

  async search () {
    hits = await Array.fromAsync(node.search('ants'))

    return [...new Set(hits.map(({ name }) => name))].join()
  },

  /** Who has what was found. */
  async holder () {
    return hits.map(({ holder, ward }) => `${nameOf(holder)}, ${ward == null ? 'who shares it' : `who keeps it for ${nameOf(ward)}`}`).join(' and ')
  },

  async download () {
    await node.download(hits[0])
    const [bytes] = await Array.fromAsync(node.read(hits[0]))

    return new TextDecoder().decode(bytes)
  },

  /** For whom this node keeps everything, once it does. */
  async ward () {
    for (;;) {
      const ward = node.contingency.status().wards.find(({ complete }) => complete)

      if (ward != null) {
        return nameOf(ward.peerId)
      }

      await setTimeout(50)
    }
  },

  async recover () {
    const { entries, values } = await node.contingency.recover()
    const names = Array.from(node.entries(), ({ name }) => name)
    const secret = new TextDecoder().decode(await node.vault.get('secret'))

    return `${entries} entry, ${names.join()}, and ${values} value, ${secret}`
  },

  /** Leaves all connections but that with the contingent. */
  async retreat () {
    await node.vault.put('secret', new TextEncoder().encode('So am I.'))
    await node.contingency.settled()
    const [{ peerId }] = node.contingency.status().contingents
    only = peerId
    await Promise.all(node.libp2p.getConnections().filter(({ remotePeer }) => isStranger(remotePeer)).map(async connection => connection.close()))

    return [...new Set(node.libp2p.getConnections().map(({ remotePeer }) => remotePeer.equals(peerId) ? 'her contingent' : nameOf(remotePeer)))].join(' and ')
  },

  async leave () {
    await node.stop()
    process.exit()
  }
}

process.on('message', (task: Task) => {
  tasks[task]().then(text => { tell(task, text) }, (err: Error) => { tell('failed', `${name} could not ${task}: ${err.message}`) })
})

// the story is over, however it ended
process.on('disconnect', () => { process.exit() })
tell('here', String(node.addresses[0]))
