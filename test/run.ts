/**
 * Runs all tests: in Node, and beside that in a browser, whose report follows.
 * Most of them wait for something most of the time, so both take hardly longer
 * than one.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { buffer } from 'node:stream/consumers'
import type { ChildProcess } from 'node:child_process'

const SPECS = 'test/{unit,service,vectors,integration,simulation,node,docs,end-to-end}/**/*.spec.ts'
const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')

/** The exit code; 1 if a signal ended it. */
async function end (child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => { resolve(code ?? 1) })
  })
}

const inNode = spawn(process.execPath, [MOCHA, SPECS], { stdio: 'inherit' })
const inBrowser = spawn(process.execPath, ['test/browser/run.ts'], { stdio: ['ignore', 'pipe', 'pipe'] })
const said = Promise.all([buffer(inBrowser.stdout), buffer(inBrowser.stderr)])
process.once('SIGINT', () => { inBrowser.kill() })
process.once('SIGTERM', () => {
  inNode.kill()
  inBrowser.kill()
})

const codes = await Promise.all([end(inNode), end(inBrowser)])
const [out, err] = await said
process.stdout.write(out)
process.stderr.write(err)
process.exitCode = codes.some(code => code !== 0) ? 1 : 0
