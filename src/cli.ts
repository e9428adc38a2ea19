#!/usr/bin/env node
/**
 * The command `formicary`.
 *
 * @module
 */

import { readFileSync } from 'node:fs'
import { main } from './cli/main.ts'

/** This module is one folder deeper once it is compiled. */
function version (): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version
    } catch {}
  }

  return 'unknown'
}

// whoever reads may be gone, and the disk that holds what is printed may be full: neither ends a hub
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
process.exitCode = await main(process.argv.slice(2), version())
// what hangs is not waited for
process.exit()
