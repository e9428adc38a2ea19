/**
 * The processes of a benchmark, as the parent sees them.
 *
 * @module
 */

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

/** What a role of a program gives: a program exports one function for each role, `(setting) => Promise<Part>`. */
export interface Part<Input = any> {
  /** What the others must know, such as addresses; must survive JSON. */
  info?: unknown

  /** What is measured. */
  run? (input: Input): Promise<unknown>

  /** Called before the process ends. */
  stop? (): Promise<void>
}

/** One `run` of a part. */
export interface Measured {
  ms: number
  result: any

  /** User and system time of all threads during the run. */
  cpuSeconds: number

  /** Most memory the process ever had in RAM (VmHWM), since it began. */
  peakMiB: number
}

export type Request =
  | { type: 'load', program: string, role: string, setting: object }
  | { type: 'run', input: unknown }
  | { type: 'profile' | 'report' | 'stop' }

export type Answer = { value?: unknown, error?: undefined } | { error: string }

/** Nothing takes longer than this, in ms; a process that does is killed. */
const LIMIT = 240_000

/** How long a process may take to stop, in ms. */
const STOP_LIMIT = 10_000

/** How much of the end of a process' stderr is kept for the error message, in characters. */
const MAX_COMPLAINT = 2000

const running = new Set<ChildProcess>()

/** Kills what is still running, at once. */
export function killAll (): void {
  running.forEach(child => { child.kill('SIGKILL') })
}

/** A process that plays one role. Dispose of it to end it. */
export class Player implements AsyncDisposable {
  /** What its part said others must know. */
  info: any

  readonly #child: ChildProcess
  readonly #title: string
  #complaint = ''

  constructor (title: string) {
    this.#title = title
    this.#child = fork(new URL('child.ts', import.meta.url), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#child.stderr?.on('data', (text: Buffer) => { this.#complaint = `${this.#complaint}${text}`.slice(-MAX_COMPLAINT) })
    this.#child.once('exit', () => { running.delete(this.#child) })
    running.add(this.#child)
  }

  /** Does what the part does, with the clock running. */
  async run (input?: unknown): Promise<Measured> {
    return await this.#ask({ type: 'run', input }) as Measured
  }

  /** Begins a CPU profile. */
  async startProfile (): Promise<void> {
    await this.#ask({ type: 'profile' })
  }

  /** Ends the profile. */
  async stopProfile (): Promise<any> {
    return this.#ask({ type: 'report' })
  }

  async load (program: string, role: string, setting: object): Promise<void> {
    this.info = await this.#ask({ type: 'load', program, role, setting })
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    if (!running.has(this.#child)) {
      return
    }

    const exited = new Promise(resolve => { this.#child.once('exit', resolve) })
    await this.#ask({ type: 'stop' }, STOP_LIMIT).catch(() => { this.#child.kill('SIGKILL') })
    await exited
  }

  async #ask (request: Request, limit = LIMIT): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const fail = (why: string): void => { reject(new Error(`${this.#title}: ${why} ${this.#complaint}`.trim())) }
    const onMessage = (answer: Answer): void => { answer.error == null ? resolve(answer.value) : fail(answer.error) }
    const onExit = (code: number | null, signal: string | null): void => { fail(`ended with ${signal ?? code} instead of an answer to "${request.type}"`) }
    const timer = setTimeout(() => {
      this.#child.kill('SIGKILL')
      fail(`no answer to "${request.type}" in ${limit / 1000} s`)
    }, limit)

    this.#child.once('message', onMessage).once('exit', onExit)

    try {
      this.#child.send(request)

      return await promise
    } finally {
      clearTimeout(timer)
      this.#child.off('message', onMessage).off('exit', onExit)
    }
  }
}

/**
 * Starts a process that plays a role of a program.
 *
 * @param program - relative to this folder
 */
export async function launch (program: string, role: string, setting: object): Promise<Player> {
  const player = new Player(`${program} ${role}`)

  try {
    await player.load(program, role, setting)

    return player
  } catch (err) {
    await player[Symbol.asyncDispose]()
    throw err
  }
}
