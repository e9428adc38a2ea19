/**
 * Where the time of a download goes: 512 MiB from one holder, once, with a CPU
 * profile of both processes while the clock runs. Not a goal, but the means to
 * reach it.
 *
 * @module
 */

import path from 'node:path'
import { MIB, randomFile } from './fixtures.ts'
import { prepareHolders, transferRun } from './transfer-run.ts'
import type { TransferRun } from './transfer-run.ts'

const SIZE = 512 * MIB

/** Functions to be printed, of those that took most. */
const FUNCTIONS = 30

/** Modules to be printed, likewise. */
const MODULES = 15

interface ProfileNode {
  id: number
  callFrame: { functionName: string, url: string, lineNumber: number }
  children?: number[]
}

/** The parts of V8's CPU profile that we use. */
export interface CpuProfile {
  nodes: ProfileNode[]

  /** Node ids, and µs since the sample before. */
  samples: number[]
  timeDeltas: number[]
}

/** Where time was spent, in ms, largest first. */
export interface SelfTimes {
  total: number

  /** By function, without what it calls; one of V8 or Node itself with who of us called it. */
  functions: Array<[name: string, ms: number]>

  /** By module, with what it calls of V8 and Node itself. */
  modules: Array<[name: string, ms: number]>
}

/** Prints the profile of our download, and of the raw stream for comparison. */
export async function profile (folder: string): Promise<void> {
  const source = await randomFile(path.join(folder, 'source.bin'), SIZE)

  for (const program of ['programs/formicary.ts', 'programs/raw-stream.ts']) {
    await profileDownload({ program, source, folder: path.join(folder, path.parse(program).name), verify: false })
  }
}

async function profileDownload (run: TransferRun): Promise<void> {
  const profiles: CpuProfile[] = []
  await prepareHolders(run)
  const { ms } = await transferRun({
    ...run,
    around: async players => {
      await Promise.all(players.map(async player => player.startProfile()))

      return async () => { profiles.push(...await Promise.all(players.map(async player => player.stopProfile()))) }
    }
  })

  console.log(`\n${run.program}: ${(SIZE / 1e3 / ms).toFixed(0)} MB/s, while profiled`)
  print('downloader', selfTimes(profiles[0]))
  print('holder', selfTimes(profiles[1]))
}

/** Adds up the samples of a profile. */
export function selfTimes ({ nodes, samples, timeDeltas }: CpuProfile): SelfTimes {
  const byNode = new Map<number, number>()
  const functions = new Map<string, number>()
  const modules = new Map<string, number>()
  const callers = callersOf(nodes)
  let total = 0

  samples.forEach((id, i) => { add(byNode, id, timeDeltas[i] / 1000) })

  for (const node of nodes) {
    const ms = byNode.get(node.id) ?? 0
    let caller: ProfileNode | undefined = node

    while (caller != null && isBuiltIn(caller)) {
      caller = callers.get(caller.id)
    }

    add(functions, caller == null || caller === node ? nameOf(node) : `${nameOf(node)} < ${nameOf(caller)}`, ms)
    add(modules, caller == null ? nameOf(node) : packageOf(caller), ms)
    total += ms
  }

  return { total, functions: largestFirst(functions), modules: largestFirst(modules) }
}

function callersOf (nodes: ProfileNode[]): Map<number, ProfileNode> {
  return new Map(nodes.flatMap(node => (node.children ?? []).map(child => [child, node] as const)))
}

function isBuiltIn ({ callFrame: { url } }: ProfileNode): boolean {
  return url === '' || url.startsWith('node:')
}

/** A function, and where it is if it is not one of V8 or Node itself. */
function nameOf (node: ProfileNode): string {
  const { functionName, lineNumber } = node.callFrame
  const name = functionName === '' ? '(anonymous)' : functionName

  return isBuiltIn(node) ? name : `${name} ${pathOf(node)}:${lineNumber + 1}`
}

/** Where a function is, without what lies before the project or `node_modules`. */
function pathOf ({ callFrame: { url } }: ProfileNode): string {
  return url.replace(/^.*\/node_modules\//, '').replace(/^file:.*\/((?:src|test)\/)/, '$1')
}

function packageOf (node: ProfileNode): string {
  const path = pathOf(node)

  return path.startsWith('src/') || path.startsWith('test/')
    ? path
    : path.split('/').slice(0, path.startsWith('@') ? 2 : 1).join('/')
}

function add<Key> (times: Map<Key, number>, key: Key, ms: number): void {
  times.set(key, (times.get(key) ?? 0) + ms)
}

function largestFirst (times: Map<string, number>): Array<[string, number]> {
  return [...times].filter(([, ms]) => ms > 0).sort(([, a], [, b]) => b - a)
}

function print (title: string, { total, functions, modules }: SelfTimes): void {
  const line = ([name, ms]: [string, number]): string => `${ms.toFixed(0).padStart(7)} ${(100 * ms / total).toFixed(1).padStart(5)}  ${name}`

  console.log(`\n  ${title}, self time: ms, %, function < its caller`)
  console.log(functions.slice(0, FUNCTIONS).map(line).join('\n'))
  console.log(`\n  ${title}, with what it calls of Node: ms, %, module`)
  console.log(modules.slice(0, MODULES).map(line).join('\n'))
}
