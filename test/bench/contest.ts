/**
 * Runs of several variants of the same work, and what they say together.
 *
 * @module
 */

/** Where a benchmark works, and how often. */
export interface Context {
  /** Runs of each variant. */
  runs: number

  /** A folder of its own, removed afterwards. */
  folder: string

  /** Says what is going on. */
  log (line: string): void
}

/** What the runs of one variant gave; no more runs after the first that fails. */
export interface Outcome {
  samples: number[]
  error?: Error
}

/** One line of the result. */
export interface Row {
  what: string
  ours: string
  reference: string
  result: string
  goal: string

  /** `undefined` if there is no goal, only a number to be printed. */
  met?: boolean
}

/** A benchmark: one goal, or several that are measured together. */
export interface Benchmark {
  title: string

  /** `true` if it compares with what is installed in `references/`. */
  needsReferences?: boolean
  run (context: Context): Promise<Row[]>
}

/** Measures one variant once; in the unit of the variant. */
export type Variant = () => Promise<number>

/**
 * Runs the variants one after another, round by round, so that a slow spell of
 * the machine hits all alike; every other round in the opposite order, so that
 * none is always the one that follows another.
 */
export async function contest<Name extends string> (variants: Record<Name, Variant>, { runs, log }: Context): Promise<Record<Name, Outcome>> {
  const names = Object.keys(variants) as Name[]
  const outcomes = Object.fromEntries(names.map(name => [name, { samples: [] }])) as unknown as Record<Name, Outcome>

  for (let round = 0; round < runs; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const outcome = outcomes[name]

      if (outcome.error != null) {
        continue
      }

      try {
        const sample = await variants[name]()
        outcome.samples.push(sample)
        log(`round ${round + 1} of ${runs}, ${name}: ${format(sample)}`)
      } catch (err: any) {
        outcome.error = err
        log(`round ${round + 1} of ${runs}, ${name} failed: ${err.message.split('\n')[0]}`)
      }
    }
  }

  return outcomes
}

/** Runs one thing that gives several numbers at once, and collects each of them. Throws if a run does. */
export async function repeat<Name extends string> (measure: () => Promise<Record<Name, number>>, { runs, log }: Context): Promise<Record<Name, Outcome>> {
  const outcomes: Partial<Record<Name, Outcome>> = {}

  for (let round = 0; round < runs; round++) {
    const measured = Object.entries<number>(await measure()) as Array<[Name, number]>
    measured.forEach(([name, sample]) => { (outcomes[name] ??= { samples: [] }).samples.push(sample) })
    log(`round ${round + 1} of ${runs}, ${measured.map(([name, sample]) => `${name}: ${format(sample)}`).join(', ')}`)
  }

  return outcomes as Record<Name, Outcome>
}

/** The middle of the samples, or the mean of the two in the middle; `NaN` if a run failed. */
export function median ({ samples, error }: Outcome): number {
  if (error != null || samples.length === 0) {
    return NaN
  }

  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1

  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The value that a share of the samples is not above; `share` is from 0 to 1. */
export function percentile (samples: number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)

  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

/** Three digits, or as many as a whole number has. */
export function format (value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

/** `median (min–max) unit`, or why there is none. */
export function spread (outcome: Outcome, unit: string): string {
  if (outcome.error != null || outcome.samples.length === 0) {
    return 'failed'
  }

  return `${format(median(outcome))} (${format(Math.min(...outcome.samples))}–${format(Math.max(...outcome.samples))}) ${unit}`
}

/** A row whose result is ours divided by the reference. */
export function ratioRow (init: { what: string, ours: Outcome, reference: Outcome, unit: string } & ({ atLeast: number } | { atMost: number })): Row {
  const ratio = median(init.ours) / median(init.reference)

  return {
    what: init.what,
    ours: spread(init.ours, init.unit),
    reference: spread(init.reference, init.unit),
    result: Number.isNaN(ratio) ? '-' : `× ${ratio.toFixed(2)}`,
    goal: 'atLeast' in init ? `≥ × ${init.atLeast.toFixed(2)}` : `≤ × ${init.atMost.toFixed(2)}`,
    met: 'atLeast' in init ? ratio >= init.atLeast : ratio <= init.atMost
  }
}

/** The rows as a Markdown table that is aligned for reading as it is. */
export function table (rows: Row[]): string {
  const header = ['what', 'ours', 'reference', 'result', 'goal', 'met']
  const cells = rows.map(({ what, ours, reference, result, goal, met }) => [what, ours, reference, result, goal, met == null ? '-' : met ? 'yes' : 'NO'])
  const widths = header.map((title, i) => Math.max(...[title, ...cells.map(row => row[i])].map(cell => cell.length)))
  const line = (row: string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`

  return [line(header), line(widths.map(width => '-'.repeat(width))), ...cells.map(line)].join('\n')
}
