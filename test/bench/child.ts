/**
 * One process of a benchmark: plays a role of a program, and measures it.
 *
 * The parent asks, one thing at a time, and gets one answer to each: `load`,
 * then `run` as often as it likes, then `stop`. `profile` begins a CPU profile,
 * which comes with the answer to `report`.
 *
 * @module
 */

import fs from 'node:fs'
import { Session } from 'node:inspector/promises'
import type { Answer, Measured, Part, Request } from './processes.ts'

const MIB = 1024 * 1024
const session = new Session()
let part: Part = {}

/** Most memory this process ever had in RAM, in MiB. */
function peakMemory (): number {
  try {
    // not `process.resourceUsage().maxRSS`: that of a forked process begins with what its parent had
    return Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  } catch {
    return process.memoryUsage().rss / MIB
  }
}

async function measure (input: unknown): Promise<Measured> {
  if (part.run == null) {
    throw new Error('This role has nothing to run')
  }

  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const result = await part.run(input)
  const ms = performance.now() - start
  const cpu = process.cpuUsage(cpuBefore)

  return { ms, result, cpuSeconds: (cpu.user + cpu.system) / 1e6, peakMiB: peakMemory() }
}

async function startProfile (): Promise<void> {
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 500 })
  await session.post('Profiler.start')
}

async function answer (request: Request): Promise<unknown> {
  switch (request.type) {
    case 'load': {
      const program = await import(new URL(request.program, import.meta.url).href)
      part = await program[request.role](request.setting) ?? {}

      return part.info
    }
    case 'run': return measure(request.input)
    case 'profile': return startProfile()
    case 'report': return (await session.post('Profiler.stop')).profile
    case 'stop': return part.stop?.()
  }
}

process.on('message', (request: Request) => {
  void answer(request)
    .then((value): Answer => ({ value }), (err): Answer => ({ error: String(err?.stack ?? err) }))
    .then(answer => { process.send?.(answer, () => { if (request.type === 'stop') process.exit() }) })
})

// never outlive the parent
process.on('disconnect', () => { process.exit() })
