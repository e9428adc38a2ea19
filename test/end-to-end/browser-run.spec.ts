import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { serve } from '../browser/server.ts'
import { packageJson, ROOT } from '../lint/project.ts'

const PROGRAM = fileURLToPath(new URL('../browser/run.ts', import.meta.url))

interface Outcome {
  code: number
  output: string
}

/** Runs a fixture that stands for a spec. */
async function run (name: string, ...args: string[]): Promise<Outcome> {
  return await new Promise(resolve => {
    execFile(process.execPath, [PROGRAM, ...args, `test/fixtures/specs/${name}.ts`], { cwd: ROOT }, (err, stdout, stderr) => {
      resolve({ code: err == null ? 0 : Number(err.code), output: stdout + stderr })
    })
  })
}

/** An origin that nobody uses now. */
async function freePort (): Promise<{ url: string }> {
  await using server = await serve({ files: new Map() })

  return { url: server.url }
}

describe('specs in a browser', () => {
  it('pass', async () => {
    const { code, output } = await run('fails', '--grep', 'passes first')

    expect(output).to.include('a spec that fails').and.match(/^ {2}1 passing/m).and.not.include('failing')
    expect(code).to.equal(0)
  })

  it('fail with what was compared, where in the source, and why', async () => {
    const { code, output } = await run('fails')

    expect(output).to.match(/^ {2}1 passing/m).and.match(/^ {2}3 failing/m)
    expect(output).to.match(/-\s+"bees": 2\s+\+\s+"bees": 3/)
    expect(output).to.include('test/fixtures/specs/fails.ts:7:')
    expect(output).to.include('Error: nobody waits for me')
    expect(output).to.include('Caused by: Error: The inner')
    expect(code).to.equal(1)
  })

  const FAULTS = [
    ['a spec without tests', 'empty', 'It has no tests'],
    ['a spec that cannot be loaded', 'throws', 'Error: It cannot be loaded'],
    ['a test that stands alone', 'only', 'only'],
    ['a test that is left out', 'pending', 'Pending test forbidden'],
    ['a page that has gone elsewhere', 'leaves', 'The page went to about:blank'],
    ['a page that hangs', 'hangs', 'The page says nothing any more', '--silence', '500', '--timeout', '500']
  ]

  for (const [what, name, message, ...args] of FAULTS) {
    it(`fail for ${what}`, async () => {
      const { code, output } = await run(name, ...args)

      expect(output).to.include(message).and.match(/^ +[1-9]\d* failing/m)
      expect(code).to.equal(1)
    })
  }

  it('fail for what happens after their tests', async () => {
    const { code, output } = await run('fails-late')

    expect(output).to.include('Error: thrown after the end').and.include('Error: rejected at the end')
    expect(output).to.match(/^ +1 passing/m).and.match(/^ +1 failing/m)
    expect(code).to.equal(1)
  })

  it('are not run if they reach Node', async () => {
    const { code, output } = await run('reaches-node')

    expect(output).to.include('node:fs (test/fixtures/specs/reaches-node.ts)')
    expect(code).to.equal(1)
  })

  it('are stored for at the port that was asked for', async () => {
    const { url } = await freePort()
    const { output } = await run('says-origin', '--port', new URL(url).port)

    expect(output).to.include(`is at ${url}`)
  })

  it('are run by the package under mocha\'s own settings', () => {
    expect(packageJson).to.have.deep.nested.property('mocha', { timeout: 60_000, exit: true, forbidOnly: true, forbidPending: true })
  })
})
