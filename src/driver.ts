/**
 * What every service needs to run a core: a clock, timers, and a place where
 * its outputs are carried out.
 *
 * @module
 */

import type { Core } from './core.ts'
import type { CoreMetrics, Step } from './metrics.ts'

/** An output that the driver sees to by itself. */
interface TimerOutput {
  type: 'timer'
  id: string
  after: number
}

/** What a {@link Driver} runs, and with what. */
export interface DriverInit<Input, Output> {
  core: Core<Input | { type: 'timer', id: string }, Output>

  /** Carries out what the core answered to one input, timers aside, in order. */
  carryOut (outputs: Array<Exclude<Output, TimerOutput>>): void

  /** Counts every input, and every output but timers. */
  metrics?: CoreMetrics

  /**
   * The clock, in ms, which never goes back.
   *
   * @default performance.now
   */
  now? (): number
}

/** Feeds a core its inputs, one at a time, and keeps its timers. */
export class Driver<Input extends Step, Output extends Step> {
  readonly #init: DriverInit<Input, Output>
  readonly #inputs: Array<Input | { type: 'timer', id: string }> = []
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  #busy = false
  #stopped = false

  constructor (init: DriverInit<Input, Output>) {
    this.#init = init
  }

  /**
   * Tells the core something. What is told while outputs are carried out waits
   * for its turn; after `stop` nothing is told any more.
   */
  handle (input: Input | { type: 'timer', id: string }): void {
    this.#inputs.push(input)

    if (this.#busy) {
      return
    }

    this.#busy = true

    try {
      for (let next = this.#inputs.shift(); next != null && !this.#stopped; next = this.#inputs.shift()) {
        this.#init.metrics?.input(next)
        this.#carryOut(this.#init.core.handle(next, this.#init.now?.() ?? performance.now()))
      }
    } finally {
      this.#busy = false
    }
  }

  /** Clears the timers; the core is not asked again. */
  stop (): void {
    this.#stopped = true
    this.#inputs.length = 0

    for (const timer of this.#timers.values()) {
      clearTimeout(timer)
    }

    this.#timers.clear()
  }

  #carryOut (outputs: Output[]): void {
    const rest: Array<Exclude<Output, TimerOutput>> = []

    for (const output of outputs) {
      if (isTimer(output)) {
        this.#setTimer(output)
      } else {
        this.#init.metrics?.output?.(output)
        rest.push(output as Exclude<Output, TimerOutput>)
      }
    }

    if (rest.length > 0) {
      this.#init.carryOut(rest)
    }
  }

  #setTimer ({ id, after }: TimerOutput): void {
    clearTimeout(this.#timers.get(id))
    this.#timers.set(id, setTimeout(() => {
      this.#timers.delete(id)
      this.handle({ type: 'timer', id })
    }, after))
  }
}

function isTimer (output: { type: string }): output is TimerOutput {
  return output.type === 'timer'
}
