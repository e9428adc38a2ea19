/** From what nobody needs to what somebody has to do something about. */
export const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** How much a line of the log matters. */
export type Level = typeof LEVELS[number]

/** Writes one line of a log; `fields` say more, and are never secret. */
export type Log = (level: Level, msg: string, fields?: Record<string, unknown>) => void

/** A log of JSON objects, one a line: `{ level, time, msg, …fields }`. */
export function jsonLog (least: Level, write: (line: string) => void): Log {
  return (level, msg, fields) => {
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) {
      write(`${JSON.stringify({ level, time: new Date().toISOString(), msg, ...fields })}\n`)
    }
  }
}

/** What is said of an error: its name, its message, and that of its cause. */
export function errorFields (err: unknown): Record<string, unknown> {
  const { name, message, cause } = err instanceof Error ? err : new Error(String(err))

  return { error: name, detail: message, ...cause == null ? {} : { cause: (cause as Error).message } }
}
