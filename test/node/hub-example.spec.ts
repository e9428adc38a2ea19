import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { parseHubCommand } from '../../src/cli/hub-options.ts'
import { freePort } from '../fixtures/free-port.ts'
import { startHub } from '../fixtures/hub-process.ts'
import { read, ROOT } from '../lint/project.ts'
import type { FormicaryProcess } from '../fixtures/hub-process.ts'

interface Service {
  build: { context: string, dockerfile: string }
  command?: string[]
  entrypoint?: string[]
  ports?: string[]
  volumes?: string[]
}

const FOLDER = 'examples/hub'
const { services, volumes } = parse(read(`${FOLDER}/compose.yaml`), { merge: true }) as { services: Record<string, Service>, volumes: object }
const hubs = Object.entries(services).filter(([name]) => name.startsWith('hub-'))
const nodes = Object.entries(services).filter(([name]) => !name.startsWith('hub-'))

/** Instructions of the Dockerfile; none of them goes over more than a line. */
const instructions = read(`${FOLDER}/Dockerfile`)
  .split('\n')
  .filter(line => /^[A-Z]/.test(line))
  .map(line => ({ name: line.split(' ')[0], rest: line.slice(line.indexOf(' ') + 1) }))

function instruction (name: string): string {
  return String(instructions.findLast(each => each.name === name)?.rest)
}

describe('the Dockerfile of the hub', () => {
  it('copies what is there, and what its ignore file lets through', () => {
    const ignored = read(`${FOLDER}/Dockerfile.dockerignore`).split('\n').filter(line => line.startsWith('!')).map(line => line.slice(1))
    const copied = instructions
      .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
      .flatMap(({ rest }) => rest.split(' ').slice(0, -1).map(path => path.replace('./', '')))

    expect(copied).to.have.members(ignored)
    expect(copied.filter(path => !existsSync(join(ROOT, path)))).to.deep.equal([])
  })

  it('runs the command of the package, with options that it has', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: { formicary: string } }

    expect(JSON.parse(instruction('ENTRYPOINT'))).to.deep.equal(['node', bin.formicary])
    expect(parseHubCommand(JSON.parse(instruction('CMD')).slice(1))).to.deep.equal(parseHubCommand(['--data', instruction('VOLUME')]))
  })

  it('runs a version of Node that the package wants', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }

    for (const { rest } of instructions.filter(({ name }) => name === 'FROM')) {
      expect(Number(/^node:(\d+)/.exec(rest)?.[1])).to.be.at.least(Number(/\d+/.exec(engines.node)?.[0]))
    }
  })
})

describe('the colony of compose.yaml', function () {
  this.timeout(90_000)

  it('is two hubs and three nodes, built alike, with ports and folders of their own', () => {
    const published = Object.values(services).flatMap(({ ports = [] }) => ports.map(port => `${port.split(':').at(-2)}/${port.split('/')[1] ?? 'tcp'}`))
    const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes.map(volume => volume.split(':')[0]))

    expect([hubs.length, nodes.length]).to.deep.equal([2, 3])
    expect(new Set(published).size).to.equal(published.length)
    expect(mounted).to.have.members(Object.keys(volumes))
    expect(new Set(mounted).size).to.equal(mounted.length)

    for (const { build } of Object.values(services)) {
      expect(existsSync(join(ROOT, FOLDER, build.context, build.dockerfile))).to.equal(true)
    }
  })

  it('shares notes among all of its nodes, which all leave when they are told', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'formicary-compose-'))
    stack.defer(async () => rm(folder, { recursive: true, force: true }))
    const ports = new Map<string, number>()

    for (const [name] of hubs) {
      ports.set(name, await freePort())
    }

    /** A word of a command, on this machine. */
    const here = (word: string): string => word.replace(/^\/dns4\/(hub-\w+)\/tcp\/4001$/, (_, name: string) => `/dns4/localhost/tcp/${String(ports.get(name))}`)
    const processes = await Promise.all(hubs.map(async ([name, { command = [] }]): Promise<FormicaryProcess> => {
      expect(command[0]).to.equal('hub')
      const local = ['--listen', `/ip4/127.0.0.1/tcp/${String(ports.get(name))}`, '--data', join(folder, name), '--http', '127.0.0.1:0']

      return stack.use(await startHub([...command.slice(1).map(here), ...local]))
    }))
    const outputs = new Map<string, string>()
    const children = nodes.map(([name, { entrypoint = [] }]) => {
      const child = spawn(process.execPath, entrypoint.slice(1).map(here), { cwd: ROOT })
      const closed = new Promise<number | null>(resolve => { child.once('close', resolve) })
      stack.defer(async () => { child.kill('SIGKILL'); await closed })
      const onData = (data: unknown): void => { outputs.set(name, (outputs.get(name) ?? '') + String(data)) }
      child.stdout.on('data', onData)
      child.stderr.on('data', onData)

      return { child, closed }
    })
    const wanted = nodes.flatMap(([name]) => nodes.map(([other]) => [name, `${name} ${name === other ? 'shares' : 'has'} Notes of ${other}.txt\n`]))

    while (!wanted.every(([name, line]) => outputs.get(name)?.includes(line) === true)) {
      await new Promise(resolve => { setTimeout(resolve, 100) })
    }

    expect((await processes[0].health()).status).to.equal('ok')
    processes.forEach(hub => { hub.signal('SIGTERM') })
    expect((await Promise.all(processes.map(async hub => hub.ended))).map(({ code }) => code)).to.deep.equal([0, 0])
    children.forEach(({ child }) => { child.kill('SIGTERM') })
    expect(await Promise.all(children.map(async ({ closed }) => closed)), [...outputs.values()].join()).to.deep.equal([0, 0, 0])
  })
})
