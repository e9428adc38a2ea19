/**
 * Who is in the colony: a table of members that each node keeps, without a
 * server. One says goodbye, one is killed, and the others find out.
 *
 * Each member is a process of its own: this program, started again with a name.
 */

import { fork } from 'node:child_process'
import { createNode } from 'formicary'

const [name = 'ada', ...bootstrap] = process.argv.slice(2)
const node = await createNode({ name, bootstrap, listen: ['/ip4/127.0.0.1/tcp/0'] })

if (name === 'ada') {
  await watch()
} else {
  process.send?.('here')
  process.once('message', () => { void node.stop().then(() => { process.exit() }) })
}

async function watch (): Promise<void> {
  let shown = ''

  const show = (): void => {
    const table = [...node.members()].map(({ name, state }) => `${name}: ${state}`).sort().join(', ')

    if (table !== shown) {
      console.log(table)
      shown = table
    }
  }

  for (const change of ['member:joined', 'member:suspected', 'member:recovered', 'member:down', 'member:left'] as const) {
    node.addEventListener(change, show)
  }

  show()
  const address = String(node.addresses[0])
  const [ben, cleo] = [await start('ben', address), await start('cleo', address)]

  console.log('ben says goodbye')
  const left = event('member:left')
  ben.send('stop')
  await left

  console.log('cleo is killed')
  const down = event('member:down')
  cleo.kill('SIGKILL')
  await down
  await node.stop()
}

/** Starts a member, and resolves when it is known here. */
async function start (name: string, address: string): Promise<ReturnType<typeof fork>> {
  const joined = event('member:joined')
  const child = fork(import.meta.filename, [name, address])
  await joined
  await new Promise(resolve => { child.once('message', resolve) })

  return child
}

async function event (type: 'member:joined' | 'member:left' | 'member:down'): Promise<void> {
  await new Promise(resolve => { node.addEventListener(type, resolve, { once: true }) })
}
