import { setTimeout as delay } from 'node:timers/promises'
import { createHub } from '../node/hub.ts'
import { errorFields, jsonLog } from './log.ts'
import type { HubCommand } from './hub-options.ts'
import type { Log } from './log.ts'
import type { Hub } from '../node/hub.ts'

/** How long leaving may take, in ms; the hub itself takes 4 s at most for libp2p. */
const STOP_TIMEOUT = 4_800

/** How often to look whether npm is still there, in ms. */
const PARENT_INTERVAL = 250

/** Signals that mean: leave. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** What of the colony is written down. */
const MEMBER_EVENTS = ['member:joined', 'member:left', 'member:suspected', 'member:recovered', 'member:down'] as const

/** Runs a hub until a signal comes; resolves with whether all went well. */
export async function runHub ({ init, level }: HubCommand): Promise<boolean> {
  const log = jsonLog(level, line => { process.stderr.write(line) })
  const told = signalled()
  // a task in the background of libp2p that fails is no reason to leave everybody alone
  process.on('unhandledRejection', reason => { log('error', 'something failed in the background', errorFields(reason)) })

  try {
    const hub = await createHub({ ...init, start: false })
    report(hub, log)
    await hub.start()
    hub.addresses.forEach(address => { process.stdout.write(`${String(address)}\n`) })
    log('info', 'started', { peerId: String(hub.peerId), addresses: hub.addresses.map(String), http: hub.http, data: init.dataDir })

    return await leave(hub, await told, log)
  } catch (err) {
    log('error', `the hub cannot run: ${(err as Error).message}`, errorFields(err))

    return false
  }
}

/**
 * Resolves with the first signal. More of them change nothing: a terminal and
 * npx both pass on the same one, and leaving takes a few seconds at most.
 *
 * npm (as of 11.19) runs a command in a shell and ends only that when it is told
 * to stop, so a hub that npm started takes the end of its parent for a signal.
 */
async function signalled (): Promise<string> {
  return new Promise(resolve => {
    SIGNALS.forEach(signal => { process.on(signal, resolve) })

    if (process.env.npm_command != null) {
      const parent = process.ppid
      setInterval(() => { if (process.ppid !== parent) { resolve('end of npm') } }, PARENT_INTERVAL).unref()
    }
  })
}

async function leave (hub: Hub, signal: string, log: Log): Promise<boolean> {
  log('info', 'stopping', { signal })
  const began = Date.now()
  const fault = await Promise.race([
    hub.stop().then(() => undefined, errorFields),
    delay(STOP_TIMEOUT, { error: 'TimeoutError' })
  ])
  log(fault == null ? 'info' : 'error', fault == null ? 'stopped' : 'did not stop properly', { ms: Date.now() - began, ...fault })

  return fault == null
}

/** Writes down what happens to a hub. */
function report (hub: Hub, log: Log): void {
  hub.addEventListener('disk:full', ({ detail }) => { log('error', 'there is no room left: records are kept in memory only', { ...detail }) })
  hub.addEventListener('disk:room', ({ detail }) => { log('info', 'there is room again', { ...detail }) })
  const { membership } = hub.libp2p.services
  MEMBER_EVENTS.forEach(type => {
    membership.addEventListener(type, ({ detail: { member } }) => { log('debug', type, { peer: String(member.peerId), name: member.name }) })
  })
  hub.libp2p.addEventListener('peer:connect', ({ detail }) => { log('debug', 'peer connected', { peer: String(detail) }) })
  hub.libp2p.addEventListener('peer:disconnect', ({ detail }) => { log('debug', 'peer disconnected', { peer: String(detail) }) })
}
