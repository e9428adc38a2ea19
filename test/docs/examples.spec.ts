import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Runs an example as a reader would, with a folder of its own for what is temporary; resolves with what it printed. */
async function run (path: string, TMPDIR: string): Promise<string> {
  const child = spawn(process.execPath, [path], { cwd: root, env: { ...process.env, TMPDIR } })
  let output = ''
  child.stdout.on('data', data => { output += String(data) })
  child.stderr.on('data', data => { output += String(data) })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  expect(code, output).to.equal(0)

  return output
}

const expected: Record<string, string[]> = {
  '01-share-search-download.ts': ['ada shares Notes on ants.txt 17 bytes', 'ben found Notes on ants.txt held by ada', 'it says: They never hurry.'],
  '02-progress-and-cancelling.ts': ['ada shares film.mkv', 'ben stopped: I changed my mind', 'ben went on where he was and has 16 MiB'],
  '03-read-while-it-arrives.ts': ['ben read 2 MiB, of minutes 15 and 16'],
  '04-your-own-libp2p-node.ts': ['ada shares hello.txt', 'ben has hello.txt 100000'],
  '05-who-is-here.ts': [
    'ada: alive',
    'ada: alive, ben: alive',
    'ada: alive, ben: alive, cleo: alive',
    'ben says goodbye',
    'ada: alive, ben: left, cleo: alive',
    'cleo is killed',
    'ada: alive, ben: left, cleo: suspected',
    'ada: alive, ben: left, cleo: down'
  ],
  '06-nothing-is-lost.ts': [
    'ada shares Notes on ants.txt, and puts a secret into her vault',
    '  her contingent, who keeps both: ben',
    '1. ben leaves',
    '  ada hears of it, and names the next, who fetches everything, verifies it, and signs: cleo',
    '  ben hears of that, and deletes what he kept; it is now with cleo',
    '  ben is gone',
    '2. cleo is killed',
    '  ada notices, and misses cleo',
    '  ada names the next, who fetches everything, verifies it, and signs: dora',
    '3. ada is killed',
    '  dora notices, and answers for ada',
    '  eli searches for ants, and finds Notes on ants.txt',
    '  it is at dora, who keeps it for ada',
    '  eli downloads it; it says: They never hurry.',
    '  dora names another contingent, who has everything of ada',
    '4. ada is back, with an empty disk and her key',
    '  she recovers 1 entry, Notes on ants.txt, and 1 value, I am afraid of ants.',
    '5. fay is new, and connected with nobody but her contingent',
    '  fay searches the colony for ants, and finds Notes on ants.txt'
  ]
}

describe('examples', function () {
  this.timeout(120_000)

  let temporary: string

  beforeEach(async () => { temporary = await mkdtemp(join(tmpdir(), 'formicary-examples-')) })
  afterEach(async () => { await rm(temporary, { recursive: true }) })

  it('are all run here', async () => {
    const names = (await readdir(new URL('../../examples', import.meta.url))).filter(name => /^\d/.test(name))

    expect(names.sort()).to.deep.equal(Object.keys(expected))
  })

  for (const [name, lines] of Object.entries(expected)) {
    it(`${name} prints what it says`, async () => {
      expect((await run(`examples/${name}`, temporary)).trim().split('\n')).to.deep.equal(lines)
      expect(await readdir(temporary)).to.deep.equal([])
    })
  }

  it('the tour goes all the way, and leaves nothing behind', async () => {
    const output = await run('examples/tour.ts', temporary)

    expect(output).to.match(/cleo has .* the same as that of the original/)
    expect(output).to.match(/bea was killed; the download goes on/)
    expect(output).to.match(/cleo's node says: bea is suspected/)
    expect(output).to.match(/ada alive, bea down, cleo alive/)
    expect(output).to.match(/here, on her own disk/)
    expect(output).to.match(/dora has "Exped.* the same as that of the original/)
    expect(output).to.match(/100 % {2}256 MiB/)
    expect(output).to.match(/2 others keep the documents of each/)
    expect(output).to.match(/at (ada|cleo), who keeps it for bea/)
    expect(output).to.match(/dora has "Carta .* the same as that of the original/)
    expect(await readdir(temporary)).to.deep.equal([])
  })
})
