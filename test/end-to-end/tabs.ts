/**
 * Chromium without Playwright, which keeps every page it knows visible: here a
 * tab is hidden when another is in front, as on a user's screen, and its timers
 * are slow.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ARGS, chromiumPath } from '../browser/chromium.ts'
import type { Page } from 'playwright-core'
import type { Readable } from 'node:stream'

/** How long Chromium may take to answer anything but an evaluation, in ms. */
const PATIENCE = 30_000

/** Ms that it has to end by itself; then it is killed. */
const CLOSE_PATIENCE = 5_000

/** As much of a Playwright page as the members of a colony need. */
export type Evaluating = Pick<Page, 'evaluate'>

/** Chromium with one window. */
export interface Tabs extends AsyncDisposable {
  /** Opens a page in a tab, which is in front then. */
  open (url: string): Promise<Tab>
}

export interface Tab extends Evaluating {
  /** Brings it to the front, which hides all others. */
  show (): Promise<void>
}

/** @param folder - where Chromium keeps what it keeps */
export async function startTabs (folder: string): Promise<Tabs> {
  const child = spawn(await chromiumPath(), [
    ...ARGS, ...process.getuid?.() === 0 ? ['--no-sandbox'] : [], '--headless', '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank'
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const closed = once(child, 'close')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await closed
  }

  // all that it writes is written when it ends by itself
  const close = async (send: Send): Promise<void> => {
    const timer = setTimeout(() => { child.kill('SIGKILL') }, CLOSE_PATIENCE)
    await send('Browser.close', {}).catch(() => {})
    await closed
    clearTimeout(timer)
  }

  try {
    const send = await connect(await addressOf(child.stderr))

    return {
      async open (url) {
        const { targetId } = await send('Target.createTarget', { url })
        const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })

        return {
          evaluate: async (task: unknown, argument?: unknown) => evaluate(send, sessionId, `(${String(task)})(${JSON.stringify(argument)})`),
          show: async () => { await send('Target.activateTarget', { targetId }) }
        }
      },
      [Symbol.asyncDispose]: async () => { await close(send) }
    }
  } catch (err) {
    await kill()
    throw err
  }
}

type Send = (method: string, params: object, sessionId?: string, patience?: number) => Promise<Record<string, any>>

/** Where it listens, which Chromium writes to its standard error. */
async function addressOf (stderr: Readable): Promise<string> {
  let text = ''

  for await (const chunk of stderr.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    const [address] = /ws:\/\/\S+/.exec(text) ?? []

    if (address != null) {
      stderr.resume()

      return address
    }
  }

  throw new Error(`Chromium did not start: ${text}`)
}

/** Speaks the DevTools protocol. */
async function connect (address: string): Promise<Send> {
  const socket = new WebSocket(address)
  const waiting = new Map<number, PromiseWithResolvers<Record<string, any>>>()
  let last = 0
  await once(socket, 'open')
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(data)
    const answer = waiting.get(id)
    waiting.delete(id)

    if (error == null) {
      answer?.resolve(result)
    } else {
      answer?.reject(new Error(error.message))
    }
  })
  socket.addEventListener('close', () => { waiting.forEach(({ reject }) => { reject(new Error('Chromium is gone')) }) })

  return async (method, params, sessionId, patience = PATIENCE) => {
    const answer = Promise.withResolvers<Record<string, any>>()
    const id = ++last
    waiting.set(id, answer)
    const timer = setTimeout(() => { answer.reject(new Error(`${method} was not answered in time`)) }, patience)
    socket.send(JSON.stringify({ id, method, params, sessionId }))

    return answer.promise.finally(() => {
      clearTimeout(timer)
      waiting.delete(id)
    })
  }
}

/** What an expression gives in a page, or throws. */
async function evaluate (send: Send, sessionId: string, expression: string): Promise<unknown> {
  const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId, 5 * PATIENCE)

  if (exceptionDetails != null) {
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  }

  return result.value
}
