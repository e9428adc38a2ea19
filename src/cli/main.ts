import { InvalidParametersError } from '../errors.ts'
import { parseHubCommand, USAGE_HUB } from './hub-options.ts'
import { runHub } from './hub.ts'

/** Exit codes: it ended as it should, it could not do what was asked, it was asked wrongly. */
const EXIT = { ok: 0, failed: 1, usage: 2 }

const USAGE = `Usage: formicary <command>

Commands:
  hub         run a hub: the entrance of a colony

Options:
  --help      print this; after a command, what it can do
  --version   print the version
`

/** Does what the command line says; resolves with the exit code. */
export async function main (args: string[], version: string): Promise<number> {
  const [command, ...rest] = args

  switch (command) {
    case 'hub': return hub(rest)
    case '--help': case '-h': case 'help': return print(USAGE)
    case '--version': case '-v': return print(`${version}\n`)
    case undefined: return misused('What to do?', 'formicary')
    default: return misused(`There is no ${command.startsWith('-') ? 'option' : 'command'} ${command}`, 'formicary')
  }
}

async function hub (args: string[]): Promise<number> {
  try {
    const command = parseHubCommand(args)

    return command === 'help' ? print(USAGE_HUB) : await runHub(command) ? EXIT.ok : EXIT.failed
  } catch (err) {
    if (err instanceof InvalidParametersError) {
      return misused(err.message, 'formicary hub')
    }

    throw err
  }
}

function print (text: string): number {
  process.stdout.write(text)

  return EXIT.ok
}

function misused (fault: string, command: string): number {
  process.stderr.write(`${fault}\nTry: ${command} --help\n`)

  return EXIT.usage
}
