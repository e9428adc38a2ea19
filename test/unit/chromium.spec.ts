import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { chromiumPath } from '../browser/chromium.ts'
import { failure } from '../fixtures/colony.ts'

const INSTALL = '--quiet install --yes --no-install-recommends chromium (noninteractive)'
const UPDATE = '--quiet update (noninteractive)'

/** Puts a Chromium beside itself, once it has lists of packages; uses nothing but the shell, since the PATH has nothing else. */
const APT_GET = `#!/bin/sh
here="\${0%/*}"
echo "$* ($DEBIAN_FRONTEND)" >> "$here/calls"
if [ "$2" = update ]; then
  : > "$here/lists"
else
  [ -e "$here/lists" ] && : > "$here/chromium"
fi
`

describe('Chromium for the tests', () => {
  let folder: string

  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'formicary-')) })

  afterEach(async () => { await rm(folder, { recursive: true }) })

  async function find (init: { CHROME_PATH?: string, mayInstall?: boolean } = {}): Promise<string> {
    return chromiumPath({ places: [], env: { PATH: folder, CHROME_PATH: init.CHROME_PATH }, mayInstall: init.mayInstall ?? true })
  }

  async function calls (): Promise<string[]> {
    return (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n')
  }

  it('is found in the PATH, in the usual places and where CHROME_PATH says', async () => {
    const [inPath, elsewhere] = [join(folder, 'chromium'), join(folder, 'elsewhere')]
    await Promise.all([inPath, elsewhere].map(async path => writeFile(path, '')))

    expect(await find()).to.equal(inPath)
    expect(await chromiumPath({ places: [join(folder, 'missing'), elsewhere], env: { PATH: folder } })).to.equal(elsewhere)
    expect(await find({ CHROME_PATH: elsewhere })).to.equal(elsewhere)
    expect(await failure(find({ CHROME_PATH: join(folder, 'missing') }))).to.have.property('message').that.includes('where nothing is')
  })

  it('is installed without questions', async () => {
    await writeFile(join(folder, 'apt-get'), APT_GET, { mode: 0o755 })
    await writeFile(join(folder, 'lists'), '')

    expect(await find()).to.equal(join(folder, 'chromium'))
    expect(await calls()).to.deep.equal([INSTALL])
  })

  it('is installed after the lists of packages, where there are none', async () => {
    await writeFile(join(folder, 'apt-get'), APT_GET, { mode: 0o755 })

    expect(await find()).to.equal(join(folder, 'chromium'))
    expect(await calls()).to.deep.equal([INSTALL, UPDATE, INSTALL])
  })

  it('is asked for where it cannot be installed', async () => {
    expect(await failure(find())).to.have.property('message').that.includes('set CHROME_PATH')
    await writeFile(join(folder, 'apt-get'), '#!/bin/sh\nexit 100\n', { mode: 0o755 })
    expect(await failure(find())).to.have.property('message').that.includes('ended with 100')
    await writeFile(join(folder, 'apt-get'), APT_GET, { mode: 0o755 })
    expect(await failure(find({ mayInstall: false }))).to.have.property('message').that.includes('set CHROME_PATH')
    expect(await failure(access(join(folder, 'calls')))).to.have.property('code', 'ENOENT')
  })
})
