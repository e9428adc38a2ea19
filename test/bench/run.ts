/**
 * `npm run bench`: what the library reaches, each number beside a reference
 * that was measured in the same run. See the README here.
 *
 * @module
 */

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { background } from './background.ts'
import { backup } from './backup.ts'
import { bundle } from './bundle.ts'
import { churn } from './churn.ts'
import { table } from './contest.ts'
import { contingency } from './contingency.ts'
import { contingencyScale } from './contingency-scale.ts'
import { download } from './download.ts'
import { holders } from './holders.ts'
import { localSearch } from './local-search.ts'
import { membership } from './membership.ts'
import { memory } from './memory.ts'
import { pageMemory } from './page-memory.ts'
import { pageStart } from './page-start.ts'
import { pages } from './pages.ts'
import { partition } from './partition.ts'
import { killAll } from './processes.ts'
import { profile } from './profile.ts'
import { search } from './search.ts'
import { share } from './share.ts'
import { smallFiles } from './small-files.ts'
import type { Benchmark, Row } from './contest.ts'

const BENCHMARKS: Record<string, Benchmark> = {
  download,
  memory,
  'small-files': smallFiles,
  share,
  search,
  'local-search': localSearch,
  holders,
  background,
  backup,
  churn,
  'contingency-scale': contingencyScale,
  membership,
  partition,
  contingency,
  bundle,
  pages,
  'page-start': pageStart,
  'page-memory': pageMemory
}

const REFERENCES = fileURLToPath(new URL('references', import.meta.url))

/** `npm run bench -- [name …] [--runs 5]`, and `npm run bench -- profile`. */
async function main (): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { runs: { type: 'string', default: '5' } } })
  const names = positionals.length === 0 ? Object.keys(BENCHMARKS) : positionals
  const unknown = names.filter(name => name !== 'profile' && !Object.hasOwn(BENCHMARKS, name))
  const runs = Number(values.runs)

  if (unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
    console.error(`Usage: npm run bench -- [${[...Object.keys(BENCHMARKS), 'profile'].join('] [')}] [--runs 5]`)
    process.exit(2)
  }

  console.log(`${os.availableParallelism()} cores (${os.cpus()[0].model}), ${os.platform()} ${os.release()}, node ${process.version}; medians of ${runs}, with (min–max); MB = 10^6 bytes`)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'formicary-bench-'))

  // also runs when a benchmark throws and on Ctrl+C
  process.once('exit', () => {
    killAll()
    fs.rmSync(folder, { recursive: true, force: true })
  })
  process.once('SIGINT', () => { process.exit(130) })
  process.once('SIGTERM', () => { process.exit(143) })

  for (const name of names) {
    if (name === 'profile') {
      await profile(path.join(folder, name))
    } else {
      await runBenchmark(name, path.join(folder, name), runs)
    }
  }
}

async function runBenchmark (name: string, folder: string, runs: number): Promise<void> {
  const benchmark = BENCHMARKS[name]
  console.log(`\n${benchmark.title} (${name})`)

  if (benchmark.needsReferences === true) {
    installReferences()
  }

  fs.mkdirSync(folder)
  const start = performance.now()
  const rows = await benchmark.run({ runs, folder, log })
    .catch((err): Row[] => {
      process.exitCode = 1

      return [{ what: err.message.split('\n')[0], ours: 'failed', reference: '', result: '', goal: '', met: false }]
    })
  fs.rmSync(folder, { recursive: true, force: true })
  log(`took ${((performance.now() - start) / 1000).toFixed(0)} s`)
  console.log(`\n${table(rows)}`)

  if (rows.some(({ met }) => met === false)) {
    process.exitCode = 1
  }
}

function log (line: string): void {
  console.log(`  ${line}`)
}

/** The programs we compare with are heavy, so they are not installed with the project but when they are first needed. */
function installReferences (): void {
  if (fs.existsSync(path.join(REFERENCES, 'node_modules/.package-lock.json'))) {
    return
  }

  log('installing the references (once)')
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: REFERENCES, stdio: ['ignore', 'ignore', 'inherit'] })

  if (status !== 0) {
    throw new Error('Could not install the references')
  }
}

await main()
