import { setTimeout as delay } from 'node:timers/promises'
import { createHub } from '../node/hub.ts'
import { errorFields, jsonLog } from './log.ts'
import type { HubCommand } from './hub-options.ts'
import type { Log } from './log.ts'
import type { Hub } from '../node/hub.ts'

/** How long leaving may take, in ms; the hub itself takes 4 s at most for libp2p. */
const STOP_TIMEOUT = 4_800

/** Signals that mean: leave. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Runs a hub until a signal comes; resolves with whether all went well. */
export async function runHub ({ init, level }: HubCommand): Promise<boolean> {
  const log = jsonLog(level, line => { process.stderr.write(line) })
  const told = signalled(log)
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

/** Resolves with the first signal; the second ends the process at once. */
async function signalled (log: Log): Promise<string> {
  return new Promise(resolve => {
    let first = true
    const onSignal = (signal: string): void => {
      if (!first) {
        log('warn', 'told twice to stop, so it did not leave properly', { signal })
        process.exit(1)
      }

      first = false
      resolve(signal)
    }

    SIGNALS.forEach(signal => { process.on(signal, onSignal) })
  })
}

async function leave (hub: Hub, signal: string, log: Log): Promise<boolean> {
  log('info', 'stopping', { signal })
  const began = Date.now()
  const left = await Promise.race([hub.stop().then(() => true), delay(STOP_TIMEOUT, false)])
  log(left ? 'info' : 'warn', left ? 'stopped' : 'did not stop in time', { ms: Date.now() - began })

  return left
}

/** Writes down what happens to a hub. */
function report (hub: Hub, log: Log): void {
  hub.addEventListener('disk:full', ({ detail }) => { log('error', 'there is no room left: records are kept in memory only', { ...detail }) })
  hub.addEventListener('disk:room', ({ detail }) => { log('info', 'there is room again', { ...detail }) })
  hub.libp2p.addEventListener('peer:connect', ({ detail }) => { log('debug', 'peer connected', { peer: String(detail) }) })
  hub.libp2p.addEventListener('peer:disconnect', ({ detail }) => { log('debug', 'peer disconnected', { peer: String(detail) }) })
}
