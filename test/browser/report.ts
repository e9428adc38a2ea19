/**
 * Prints what happens in the page as mocha prints what happens in Node.
 *
 * @module
 */

import { EventEmitter } from 'node:events'
import Mocha from 'mocha'
import type { ErrorReport, PageEvent, TestReport } from './events.ts'

/** Counts, and prints. */
export class Report {
  /** Tests and hooks that failed, and what failed outside of them. */
  failures = 0

  /** Tests that ran. */
  passes = 0

  /** Ms by folder of specs. */
  readonly times = new Map<string, number>()

  readonly #runner = new EventEmitter()
  readonly #stats = { suites: 0, tests: 0, passes: 0, pending: 0, failures: 0, duration: 0 }
  readonly #remap: (stack: string) => string
  readonly #started = performance.now()
  readonly #failed = new Set<string>()
  #depth = 0
  #folder = ''
  #entered = 0

  /** @param remap - gives a stack the places in the sources */
  constructor (remap: (stack: string) => string) {
    this.#remap = remap
    new Mocha.reporters.Spec(Object.assign(this.#runner, { stats: this.#stats }) as unknown as Mocha.Runner)
  }

  take (event: PageEvent): void {
    switch (event.type) {
      case 'start':
        this.#runner.emit('start')
        break
      case 'suite':
        this.#enter(event.spec)
        this.#runner.emit('suite', event)
        break
      case 'suite end':
        this.#runner.emit('suite end', event)
        this.#leave()
        break
      case 'pass':
        this.passes++
        this.#stats.passes++
        this.#runner.emit('pass', testOf(event.test))
        break
      case 'pending':
        this.#stats.pending++
        this.#runner.emit('pending', testOf(event.test))
        break
      case 'fail':
        this.failures++
        this.#stats.failures++
        this.#runner.emit('fail', testOf(event.test), this.#errorOf(event.error))
        break
      case 'end':
        this.#stats.duration = Math.round(performance.now() - this.#started)
        this.#runner.emit('end')
        break
    }
  }

  /** Something failed that belongs to no test. */
  fail (what: string, stack: string): void {
    const text = this.#remap(stack).split('\n').filter(line => !line.includes('/mocha.js:')).join('\n      ')

    // mocha throws again what it cannot blame on a test
    if (!this.#failed.has(text)) {
      this.#failed.add(text)
      this.failures++
      console.log(`\n  1 failing (${what}):\n\n      ${text}\n`)
    }
  }

  #enter (spec?: string): void {
    if (this.#depth++ === 1) {
      this.#folder = spec?.split('/').slice(0, -1).join('/') ?? ''
      this.#entered = performance.now()
    }
  }

  #leave (): void {
    if (--this.#depth === 1) {
      this.times.set(this.#folder, (this.times.get(this.#folder) ?? 0) + performance.now() - this.#entered)
    }
  }

  #errorOf ({ name, message, stack, actual, expected, cause }: ErrorReport): Error {
    const error = new Error(message, cause == null ? {} : { cause: this.#errorOf(cause) })

    return Object.assign(error, { name, stack: this.#remap(stack), actual, expected, showDiff: expected != null })
  }
}

/** With the methods that mocha's reporter calls. */
function testOf (test: TestReport): object {
  return { ...test, fullTitle: () => test.titlePath.join(' '), titlePath: () => test.titlePath, slow: () => 75 }
}
