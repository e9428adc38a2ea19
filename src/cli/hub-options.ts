import { parseArgs } from 'node:util'
import { InvalidParametersError } from '../errors.ts'
import { checkHubInit, HUB_DEFAULTS } from '../node/check-hub-init.ts'
import { LEVELS } from './log.ts'
import type { Level } from './log.ts'
import type { HubInit } from '../node/hub.ts'

/** Where the hub of the command line keeps its identity and its records. */
const DATA = './formicary-hub'

const OPTIONS = {
  listen: { type: 'string', multiple: true },
  announce: { type: 'string', multiple: true },
  bootstrap: { type: 'string', multiple: true },
  data: { type: 'string' },
  network: { type: 'string' },
  name: { type: 'string' },
  http: { type: 'string' },
  'max-connections': { type: 'string' },
  'max-reservations': { type: 'string' },
  log: { type: 'string' },
  help: { type: 'boolean', short: 'h' }
} as const

/** What `formicary hub --help` prints. */
export const USAGE_HUB = `Usage: formicary hub [options]

Runs a hub until it is told to stop (SIGTERM, SIGINT). Prints the addresses that
lead to it on stdout, one a line, and its log on stderr, one JSON object a line.

Options:
  --listen <multiaddr>      listen here; can be given more than once
                            (default ${HUB_DEFAULTS.listen.join('\n                            and ')})
  --announce <multiaddr>    tell others this address and no other; more than once
  --bootstrap <multiaddr>   the address of another hub; more than once
  --data <folder>           identity and records (default ${DATA})
  --network <name>          name of the colony (default ${HUB_DEFAULTS.network})
  --name <name>             shown to other members (default ${HUB_DEFAULTS.name})
  --http <host:port>        /health and /metrics, or "off" (default ${HUB_DEFAULTS.http})
  --max-connections <n>     connections at once (default ${HUB_DEFAULTS.maxConnections})
  --max-reservations <n>    reservations at the relay at once (default ${HUB_DEFAULTS.maxReservations})
  --log <level>             least level to log: ${LEVELS.join(', ')} (default info)
  --help                    print this

Exit codes: 0 it stopped as it was told, 1 it could not run, 2 the options are wrong.
`

/** What the command line asks for. */
export interface HubCommand {
  init: HubInit
  level: Level
}

/**
 * Reads the options of `formicary hub`.
 *
 * @throws {InvalidParametersError} there is no such option, or its value cannot be used
 */
export function parseHubCommand (args: string[]): HubCommand | 'help' {
  const { help, data, log = 'info', http, 'max-connections': maxConnections, 'max-reservations': maxReservations, ...init } = read(args)

  if (help === true) {
    return 'help'
  }

  if (!isLevel(log)) {
    throw new InvalidParametersError(`--log should be one of ${LEVELS.join(', ')}, not ${log}`)
  }

  const command: HubCommand = {
    init: {
      ...init,
      dataDir: data ?? DATA,
      http: http === 'off' ? false : http,
      maxConnections: count('max-connections', maxConnections),
      maxReservations: count('max-reservations', maxReservations)
    },
    level: log
  }
  checkHubInit(command.init)

  return command
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

function read (args: string[]): Values {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: false }).values
  } catch (err) {
    // the rest is about positional arguments, of which there are none
    throw new InvalidParametersError((err as Error).message.split(/\.\s/)[0], { cause: err })
  }
}

function isLevel (text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text)
}

function count (option: string, text: string | undefined): number | undefined {
  if (text != null && !/^\d{1,9}$/.test(text)) {
    throw new InvalidParametersError(`--${option} should be a whole number, not ${text}`)
  }

  return text == null ? undefined : Number(text)
}
