/**
 * Runs mocha in the page, and tells what happens.
 *
 * @module
 */

import type { ErrorReport, PageEvent, Settings, TestReport } from './events.ts'

/** Errors that are named with what they were caused by, and so on. */
const MAX_CAUSES = 5

const tell = (globalThis as unknown as { tell: (event: PageEvent) => Promise<void> }).tell

/** What mocha's build for browsers adds to its types. */
const { process } = Mocha as unknown as { process: { listeners: (name: string) => Array<(err: unknown) => void> } }
const { Base } = Mocha.reporters as unknown as { Base: typeof Mocha.reporters.Base & { showDiff: (err: unknown) => boolean } }

/** Of the outermost suites, the spec that made them. */
const specs = new Map<Mocha.Suite, string>()

/** Tells all that happens; its base makes texts of what an assertion compared. */
class Teller extends Base {
  constructor (runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const on = (name: string, told: (of: any, error: unknown) => PageEvent): void => {
      runner.on(name, (of: any, error: unknown) => { void tell(told(of, error)) })
    }

    on('start', () => ({ type: 'start' }))
    on('suite', (suite: Mocha.Suite) => ({ type: 'suite', title: suite.title, root: suite.root, spec: specs.get(suite) }))
    on('suite end', (suite: Mocha.Suite) => ({ type: 'suite end', root: suite.root }))
    on('test', (test: Mocha.Test) => ({ type: 'test', timeout: test.timeout() }))
    on('hook', (hook: Mocha.Hook) => ({ type: 'hook', timeout: hook.timeout() }))
    on('test end', () => ({ type: 'test end' }))
    on('pass', (test: Mocha.Test) => ({ type: 'pass', test: reportOf(test) }))
    on('pending', (test: Mocha.Test) => ({ type: 'pending', test: reportOf(test) }))
    on('fail', (test: Mocha.Test, error) => ({ type: 'fail', test: reportOf(test), error: errorReport(error) }))
    on('end', () => ({ type: 'end' }))
  }
}

function reportOf (test: Mocha.Test): TestReport {
  return { title: test.title, titlePath: test.titlePath(), duration: test.duration, speed: test.speed }
}

function errorReport (err: any, depth = 0): ErrorReport {
  const message = String(err?.message ?? err)

  return {
    name: String(err?.name ?? 'Error'),
    message,
    stack: String(err?.stack ?? message),
    ...Base.showDiff(err) ? { actual: String(err.actual), expected: String(err.expected) } : {},
    ...err?.cause == null || depth === MAX_CAUSES ? {} : { cause: errorReport(err.cause, depth + 1) }
  }
}

/** A rejection nobody waits for fails the test that runs, as it does in Node; outside of tests it fails the whole. */
function failOnRejections (): void {
  globalThis.addEventListener('unhandledrejection', event => {
    const listeners = process.listeners('uncaughtException')

    if (listeners.length > 0) {
      event.preventDefault()
      listeners.forEach(listener => { listener(event.reason) })
    }
  })
}

async function load ([spec, path]: [string, string]): Promise<boolean> {
  const known = mocha.suite.suites.length
  const tests = mocha.suite.total()

  try {
    await import(path)

    if (mocha.suite.total() === tests) {
      throw new Error('It has no tests')
    }
  } catch (err) {
    await tell({ type: 'broken', spec, error: errorReport(err) })

    return false
  }

  mocha.suite.suites.slice(known).forEach(suite => { specs.set(suite, spec) })

  return true
}

const settings = await (await fetch('/settings.json')).json() as Settings
mocha.setup({ ui: 'bdd', timeout: settings.timeout, reporter: Teller })

if (settings.grep != null) {
  mocha.grep(new RegExp(settings.grep))
}

if (settings.forbidOnly === true) {
  mocha.forbidOnly()
}

if (settings.forbidPending === true) {
  mocha.forbidPending()
}

let loaded = true

for (const spec of settings.specs) {
  loaded = loaded && await load(spec)
}

if (loaded) {
  failOnRejections()
  mocha.run()
}
