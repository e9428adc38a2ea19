import { execFile } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))

/** What `npm install formicary` may take on disk, in MiB. */
const MAX_INSTALLED = 60

const PROGRAM = `
import { createNode } from 'formicary'
import { createHub } from 'formicary/hub'
import { storeTests } from 'formicary/store/tests'

const listen = ['/ip4/127.0.0.1/tcp/0']
const hub = await createHub({ listen, http: '127.0.0.1:0', dataDir: './hub' })
const ada = await createNode({ listen, bootstrap: hub.addresses })
const ben = await createNode({ listen, bootstrap: hub.addresses, dataDir: './ben' })
for await (const { name } of ada.share({ name: 'film about ants.txt', content: new Uint8Array(3_000_000) })) console.log(name)
for await (const hit of ben.search('ants')) console.log((await ben.download(hit)).size, typeof storeTests)
await ada.stop()
await ben.stop()
console.log((await hub.health()).status)
await hub.stop()
`

const CONSUMER = `
import { createNode } from 'formicary'
import type { ContingencyStatus, Entry, Hit, Node, TransferProgress, Vault } from 'formicary'
import { catalog } from 'formicary/catalog'
import { Manifest } from 'formicary/content'
import { contingency } from 'formicary/contingency'
import type { Contingency } from 'formicary/contingency'
import { createHub } from 'formicary/hub'
import type { Health, Hub, HubInit } from 'formicary/hub'
import { search } from 'formicary/search'
import { memoryStore } from 'formicary/store'
import type { Store } from 'formicary/store'
import { diskStore } from 'formicary/store/disk'
import { transfer } from 'formicary/transfer'

const node: Node = await createNode({ network: 'films' })
const stores: Store[] = [memoryStore(), diskStore({ downloads: 'a', parts: 'b' })]
const hits: Hit[] = await Array.fromAsync(node.search('x', { limit: 3 }))
const entry: Entry = await node.download(hits[0], { onProgress: event => { if (event.type === 'transfer:progress') { const progress: TransferProgress = event.detail; console.log(progress.bytes) } } })
node.addEventListener('transfer:done', ({ detail }) => { console.log(detail.name.length) })
console.log(entry.size, stores.length, catalog, contingency, search, transfer, Manifest)
const safety: Contingency = node.contingency
const status: ContingencyStatus = safety.status()
const vault: Vault = node.vault
node.addEventListener('contingency:at-risk', ({ detail }) => { console.log(detail.wards.length, status.atRisk.bytes, vault) })
const init: HubInit = { network: 'films', http: false }
const hub: Hub = await createHub(init)
const health: Health = await hub.health()
hub.addEventListener('disk:full', ({ detail }) => { console.log(detail.free, health.members.length) })
// @ts-expect-error there is no such option
await createNode({ netwrok: 'films' })
`

describe('package', function () {
  this.timeout(300_000)

  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-package-'))
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: root })
    const [{ filename }] = JSON.parse(stdout) as Array<{ filename: string }>
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }))
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, filename)], { cwd: folder })
  })

  after(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('has a file and types for each of its exports and imports', async () => {
    const installed = join(folder, 'node_modules/formicary')
    const { exports, imports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Record<'exports' | 'imports', Record<string, Record<string, string>>>

    for (const targets of [...Object.values(exports), ...Object.values(imports)]) {
      for (const target of Object.values(targets)) {
        await access(join(installed, target))
      }
    }
  })

  it('takes at most 60 MB to install', async () => {
    const { stdout } = await run('du', ['-sm', 'node_modules'], { cwd: folder })

    expect(Number.parseInt(stdout, 10)).to.be.within(20, MAX_INSTALLED)
  })

  it('installs nothing of React Native', async () => {
    const { packages } = JSON.parse(await readFile(join(folder, 'node_modules/.package-lock.json'), 'utf8')) as { packages: Record<string, unknown> }

    expect(Object.keys(packages)).to.include('node_modules/node-datachannel')
    expect(Object.keys(packages).filter(name => /react-native|libp2p\/webrtc|keychain/.test(name))).to.deep.equal([])
  })

  it('names the licence of everything that it has copied', async () => {
    const licence = await readFile(join(folder, 'node_modules/formicary/dist/vendor/LICENSE'), 'utf8')

    for (const name of ['@libp2p/webrtc 6', '@libp2p/kad-dht 16', 'prom-client 15', 'bintrees 1']) {
      expect(licence).to.include(`\n${name}`)
    }
  })

  it('works where it is installed', async () => {
    await writeFile(join(folder, 'program.js'), PROGRAM)
    const { stdout } = await run(process.execPath, ['program.js'], { cwd: folder })

    expect(stdout.trim().split('\n')).to.deep.equal(['film about ants.txt', '3000000 function', 'ok'])
  })

  it('has a command', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    const { stdout } = await run('npx', ['--no-install', 'formicary', '--version'], { cwd: folder })

    expect(stdout).to.equal(`${version}\n`)
  })

  it('runs a hub by npx, which leaves when npx is told to', async () => {
    const child = execFile('npx', ['--no-install', 'formicary', 'hub', '--listen', '/ip4/127.0.0.1/tcp/0', '--http', 'off'], { cwd: folder })
    const closed = new Promise<number | null>(resolve => { child.once('close', resolve) })
    let log = ''
    child.stderr?.on('data', data => { log += String(data) })
    await new Promise(resolve => { child.stdout?.once('data', resolve) })
    child.kill('SIGTERM')
    await closed

    // it says so if that took less than 5 s
    expect(log).to.include('"msg":"stopped"')
  })

  it('has types that a strict program can be compiled with', async () => {
    await writeFile(join(folder, 'consumer.ts'), CONSUMER)
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const options = ['--strict', '--noEmit', '--skipLibCheck', '--target', 'es2024', '--lib', 'esnext,dom,dom.iterable,dom.asynciterable', '--module', 'nodenext', '--moduleResolution', 'nodenext']
    const { stdout } = await run(process.execPath, [tsc, ...options, 'consumer.ts'], { cwd: folder }).catch((err: { stdout: string }) => err)

    expect(stdout).to.equal('')
  })
})
