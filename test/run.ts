/**
 * Runs all tests: those of the parts, and beside them those of the whole, and
 * those that run in a browser. Most of them wait for something most of the
 * time, so all three take hardly longer than the longest. Colonies of many
 * processes have the machine for themselves after that: who gets no time of it
 * is taken for dead.
 *
 * What the first says is shown as it comes; the others follow in the end.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { buffer } from 'node:stream/consumers'
import type { ChildProcess } from 'node:child_process'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')

/** What runs by itself. */
const COLONIES = 'test/node/{contingency-churn,membership}*.spec.ts'

const RUNS = [
  [MOCHA, '--ignore', COLONIES, 'test/{unit,service,vectors,integration,simulation}/**/*.spec.ts', 'test/node/*.spec.ts'],
  [MOCHA, 'test/{docs,end-to-end}/**/*.spec.ts'],
  ['test/browser/run.ts']
]

/** The exit code; 1 if a signal ended it. */
async function end (child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => { resolve(code ?? 1) })
  })
}

const [first, ...others] = RUNS
const shown = spawn(process.execPath, first, { stdio: 'inherit' })
const heard = others.map(args => spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }))
const said = Promise.all(heard.map(async ({ stdout, stderr }) => Promise.all([buffer(stdout), buffer(stderr)])))
process.once('SIGINT', () => { heard.forEach(child => { child.kill() }) })
process.once('SIGTERM', () => { [shown, ...heard].forEach(child => { child.kill() }) })

const codes = await Promise.all([shown, ...heard].map(end))
const colonies = spawn(process.execPath, [MOCHA, COLONIES], { stdio: 'inherit' })
process.once('SIGTERM', () => { colonies.kill() })
codes.push(await end(colonies))

for (const [out, err] of await said) {
  process.stdout.write(out)
  process.stderr.write(err)
}

process.exitCode = codes.some(code => code !== 0) ? 1 : 0
