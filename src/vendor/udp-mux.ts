/**
 * UDP ports of WebRTC direct, which outlive their listeners.
 *
 * node-datachannel 0.33.4 cannot give a port back: whether a listener that is
 * stopped lets go of it depends on memory that was never set (`mStopped` of
 * libdatachannel's `IceUdpMuxListener`), and most often it does not. The port
 * stays bound, and the next packet that comes to it is given to an object that
 * is gone, which ends the process. So none is stopped: a port without an owner
 * drops what comes, and is there for the next one who wants it. It would keep
 * the process alive, so it is stopped when nothing else does.
 *
 * @module
 */

import { IceUdpMuxListener } from 'node-datachannel'

/** Somebody dials. */
type OnRequest = Parameters<IceUdpMuxListener['onUnhandledStunRequest']>[0]

/** A port with an owner. */
export interface UdpMux {
  onUnhandledStunRequest (listener: OnRequest): void

  /** Leaves the port to the next owner. */
  stop (): void
}

/** How often to look whether anything else keeps the process alive, in ms, and how many times in a row nothing does. */
const IDLE_INTERVAL = 100
const IDLE_TIMES = 2

/** What is said to be active in a process with nothing to do: its own input and output, and reads of blobs that Node keeps to use them again. */
const INACTIVE = ['PipeWrap', 'TTYWrap', 'FileHandleReadWrap']

/** A port without an owner. */
interface Parked {
  host: string
  port: number
  listener: IceUdpMuxListener

  /** `true` if somebody is about to take it. */
  promised: boolean
}

const parked = new Map<string, Parked>()

/** Ports that nobody asked for by number. */
const anyPorts = new Set<number>()
let timer: ReturnType<typeof setInterval> | undefined

/** A port for who wants any: one without an owner, so that there are never more than were in use at once, or else a free one. */
export async function anyPort (host: string, findFree: () => Promise<number>): Promise<number> {
  const spare = [...parked.values()].find(other => other.host === host && anyPorts.has(other.port) && !other.promised)

  if (spare != null) {
    spare.promised = true

    return spare.port
  }

  const port = await findFree()
  anyPorts.add(port)

  return port
}

/**
 * Takes a port.
 *
 * @throws {Error} somebody else has it
 */
export function udpMux (port: number, host: string): UdpMux {
  const key = `${host}:${port}`
  const listener = parked.get(key)?.listener ?? new IceUdpMuxListener(port, host)
  parked.delete(key)
  watch()

  return {
    onUnhandledStunRequest: onRequest => { listener.onUnhandledStunRequest(onRequest) },
    stop: () => {
      listener.onUnhandledStunRequest(() => {})
      parked.set(key, { host, port, listener, promised: false })
      watch()
    }
  }
}

/** Looks whether the process could end, as long as there is something parked. */
function watch (): void {
  clearInterval(timer)
  timer = undefined
  let idle = 0

  if (parked.size > 0) {
    timer = setInterval(() => {
      idle = isIdle() ? idle + 1 : 0

      if (idle === IDLE_TIMES) {
        parked.forEach(({ listener }) => { listener.stop() })
        parked.clear()
        watch()
      }
    }, IDLE_INTERVAL)
    timer.unref()
  }
}

function isIdle (): boolean {
  return process.getActiveResourcesInfo().every(type => INACTIVE.includes(type))
}
