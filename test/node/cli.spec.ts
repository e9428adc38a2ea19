import { expect } from 'chai'
import { packageJson } from '../lint/project.ts'
import { FormicaryProcess } from '../fixtures/hub-process.ts'

describe('the command formicary', () => {
  const cases: Array<[string, string[], number, 'stdout' | 'stderr', RegExp]> = [
    ['says what it can do', ['--help'], 0, 'stdout', /^Usage: formicary <command>\n[^]*\n {2}hub /],
    ['says what a hub can be told', ['hub', '--help'], 0, 'stdout', /^Usage: formicary hub \[options\]\n[^]*--listen/],
    ['says its version', ['--version'], 0, 'stdout', new RegExp(`^${packageJson.version.replaceAll('.', '\\.')}\\n$`)],
    ['refuses to guess', [], 2, 'stderr', /^What to do\?\nTry: formicary --help\n$/],
    ['refuses a command that is none', ['nest'], 2, 'stderr', /^There is no command nest\n/],
    ['refuses an option that is none', ['--verbose'], 2, 'stderr', /^There is no option --verbose\n/],
    ['refuses an option that a hub does not have', ['hub', '--port', '4001'], 2, 'stderr', /^Unknown option '--port'\nTry: formicary hub --help\n$/],
    ['refuses a value that cannot be used', ['hub', '--listen', 'localhost:4001'], 2, 'stderr', /^localhost:4001 is not a multiaddr\nTry/]
  ]

  for (const [what, args, code, stream, text] of cases) {
    it(what, async () => {
      const ended = await new FormicaryProcess(args).ended

      expect(ended.code).to.equal(code)
      expect(ended[stream]).to.match(text)
      expect(ended[stream === 'stdout' ? 'stderr' : 'stdout']).to.equal('')
    })
  }
})
