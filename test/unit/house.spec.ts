import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { ESLint } from 'eslint'
import ts from 'typescript'
import { candidates } from '../browser/specs.ts'
import { exportsOf, findCycle, importsOf } from '../lint/imports.ts'
import { importFault, packageOf } from '../lint/layers.ts'
import { entries, files, packageJson, read, ROOT } from '../lint/project.ts'

describe('house: layers', () => {
  const ALLOWED = [
    ['search/core/query.ts', 'search/core/budget.ts'],
    ['search/core/query.ts', 'search/constants.ts'],
    ['search/core/query.ts', 'core.ts'],
    ['search/core/query.ts', 'random.ts'],
    ['search/core/query.ts', 'wire/parse.ts'],
    ['search/core/query.ts', 'content/constants.ts'],
    ['search/core/query.ts', 'multiformats/cid'],
    ['search/core/query.ts', '@noble/hashes/sha2.js'],
    ['search/search.ts', 'search/core/query.ts'],
    ['search/search.ts', 'wire/channel.ts'],
    ['search/search.ts', 'store/index.ts'],
    ['search/search.ts', 'errors.ts'],
    ['search/search.ts', '@libp2p/interface'],
    ['store/disk.ts', 'content/constants.ts'],
    ['store/disk.ts', 'node:fs'],
    ['node/index.ts', 'search/index.ts'],
    ['index.ts', 'transfer/index.ts'],
    ['cli/hub.ts', 'node/hub.ts']
  ]

  const FORBIDDEN = [
    ['search/core/query.ts', 'search/index.ts'],
    ['search/core/query.ts', 'transfer/core/picker.ts'],
    ['search/core/query.ts', 'wire/channel.ts'],
    ['search/core/query.ts', 'errors.ts'],
    ['search/core/query.ts', '@libp2p/interface'],
    ['search/core/query.ts', 'node:crypto'],
    ['content/manifest.ts', 'store/index.ts'],
    ['search/search.ts', 'transfer/index.ts'],
    ['membership/swim.ts', 'chat/room.ts'],
    ['search/search.ts', 'node/create-node.ts'],
    ['search/search.ts', 'index.ts'],
    ['search/search.ts', 'cli/log.ts'],
    ['wire/channel.ts', 'search/index.ts'],
    ['store/disk.ts', 'catalog/index.ts'],
    ['errors.ts', 'search/index.ts']
  ]

  for (const [from, to] of ALLOWED) {
    it(`${from} may import ${to}`, () => {
      expect(importFault(from, to)).to.equal(undefined)
    })
  }

  for (const [from, to] of FORBIDDEN) {
    it(`${from} may not import ${to}`, () => {
      expect(importFault(from, to)).to.be.a('string')
    })
  }
})

describe('house: circles', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formicary-house-'))
  })

  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  async function cycleFrom (modules: Record<string, string>): Promise<string[] | undefined> {
    for (const [name, text] of Object.entries(modules)) {
      await writeFile(join(folder, name), text)
    }

    return findCycle(join(folder, Object.keys(modules)[0]))?.map(file => basename(file))
  }

  it('are found through several modules', async () => {
    const cycle = await cycleFrom({
      'a.ts': 'import { b } from \'./b.ts\'\nimport \'missing\'',
      'b.ts': 'export * from \'./c.ts\'',
      'c.ts': 'import \'./a.ts\''
    })

    expect(cycle).to.deep.equal(['a.ts', 'b.ts', 'c.ts', 'a.ts'])
  })

  it('are blamed on their own modules only', async () => {
    const cycle = await cycleFrom({
      'a.ts': 'import \'./b.ts\'',
      'b.ts': 'import \'./c.ts\'',
      'c.ts': 'import \'./b.ts\''
    })

    expect(cycle).to.equal(undefined)
  })

  it('are not made by types', async () => {
    const cycle = await cycleFrom({
      'a.ts': 'import type { B } from \'./b.ts\'\nimport \'./c.ts\'',
      'b.ts': 'import \'./a.ts\'',
      'c.ts': 'export type { A } from \'./a.ts\''
    })

    expect(cycle).to.equal(undefined)
  })
})

describe('house: compiler', () => {
  /** What the compiler says about a core that consists of this text. */
  function errorsOf (text: string): string[] {
    const project = join(ROOT, 'test/lint/tsconfig.core.json')
    const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(project, ts.sys.readFile).config, ts.sys, join(ROOT, 'test/lint'))
    const file = join(ROOT, 'src/search/core/virtual.ts')
    const host = ts.createCompilerHost(options)
    const { fileExists, readFile } = host
    host.fileExists = name => name === file || fileExists(name)
    host.readFile = name => name === file ? text : readFile(name)
    host.getSourceFile = (name, version) => ts.createSourceFile(name, host.readFile(name) ?? '', version)

    return ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  }

  const CASES = [
    ['a timer', 'setTimeout(() => {}, 5)', 'setTimeout'],
    ['a request', 'await fetch(\'http://192.0.2.1\')', 'fetch'],
    ['the platform\'s cryptography', 'crypto.getRandomValues(new Uint8Array(1))', 'crypto'],
    ['a signal', 'new AbortController().abort()', 'AbortController'],
    ['the process', 'process.exit()', 'process'],
    ['Node\'s modules', 'await import(\'node:fs\')', 'node:fs']
  ]

  it('lets a core be made of the language alone', () => {
    expect(errorsOf('import { seededRandom } from \'../../random.ts\'\nimport { CID } from \'multiformats/cid\'\nexport const names = [seededRandom(1), CID]')).to.deep.equal([])
  })

  for (const [what, text, name] of CASES) {
    it(`lets no core use ${what}`, () => {
      expect(errorsOf(`${text}\nexport {}`).join('\n')).to.include(name)
    })
  }
})

describe('house: linter', () => {
  const CORE = 'src/transfer/core/picker.ts'
  const SERVICE = 'src/transfer/index.ts'
  const TEST = 'test/unit/house.spec.ts'
  const eslint = new ESLint({
    cwd: ROOT,
    overrideConfigFile: join(ROOT, 'test/lint/eslint.config.js'),
    // with CI=true the parser would take the file on disk for the text it is given
    overrideConfig: { languageOptions: { parserOptions: { disallowAutomaticSingleRunInference: true } } }
  })

  async function rulesBroken (file: string, text: string): Promise<Array<string | null>> {
    const [{ messages }] = await eslint.lintText(text, { filePath: join(ROOT, file) })

    return messages.map(({ ruleId }) => ruleId)
  }

  const CASES = [
    ['the clock in a core', CORE, 'export const now = Date.now()', 'no-restricted-globals'],
    ['a date in a core', CORE, 'export const now = new Date()', 'no-restricted-globals'],
    ['chance in a core', CORE, 'export const chance = Math.random()', 'no-restricted-properties'],
    ['a core that knows its service', CORE, 'export type { Transfer } from \'../index.ts\'', 'house/layers'],
    ['a service that knows another', SERVICE, 'export type { Hit } from \'../search/index.ts\'', 'house/layers'],
    ['a service that loads another later', SERVICE, 'export const other = import(\'../search/index.ts\')', 'house/layers'],
    ['a promise nobody waits for', SERVICE, 'Promise.resolve(1)', '@typescript-eslint/no-floating-promises'],
    ['any', SERVICE, 'export const value: any = 1', '@typescript-eslint/no-explicit-any'],
    ['a semicolon', SERVICE, 'export const value = 1;', '@stylistic/semi'],
    ['a function name that clings', SERVICE, 'export function clings(): void {}', '@stylistic/space-before-function-paren'],
    ['a test alone', TEST, 'it.only(\'is alone\', () => {})', 'no-restricted-properties'],
    ['a test left out', TEST, 'describe.skip(\'is left out\', () => {})', 'no-restricted-properties']
  ]

  for (const [what, file, text, rule] of CASES) {
    it(`reports ${what}`, async () => {
      expect(await rulesBroken(file, `${text}\n`)).to.include(rule)
    })
  }

  it('reports nothing else', async () => {
    expect(await rulesBroken(CORE, 'export const one = 1\n')).to.deep.equal([])
  })
})

describe('house: package', () => {
  const packagesIn = (...patterns: string[]): Set<string> => new Set(files(...patterns)
    .flatMap(file => importsOf(join(ROOT, file)))
    .map(({ specifier }) => specifier)
    .filter(specifier => !/^[.#]|^node:/.test(specifier))
    .map(packageOf)
    .filter(name => name !== packageJson.name))

  const BUILD = ['src/vendor/build.ts', 'src/vendor/patches.ts']
  const inSource = packagesIn(...files('src/**/*.ts').filter(file => !BUILD.includes(file)), 'dist/vendor/*.js')
  const inTests = packagesIn('test/**/*.ts', 'test/lint/*.js', 'examples/**/*.ts', ...BUILD)
  const dependencies = Object.keys(packageJson.dependencies)
  const devDependencies = Object.keys(packageJson.devDependencies)

  it('depends on nothing that it does not use', () => {
    expect(dependencies.filter(name => !inSource.has(name))).to.deep.equal([])
  })

  it('uses nothing that it does not depend on', () => {
    expect([...inSource].filter(name => !dependencies.includes(name))).to.deep.equal([])
    expect([...inTests].filter(name => ![...dependencies, ...devDependencies].includes(name))).to.deep.equal([])
  })

  it('is developed with nothing that is not used', () => {
    const commands = Object.values(packageJson.scripts).join(' ').replace('tsc', 'typescript').split(' ')
    const used = (name: string): boolean => inTests.has(name) || commands.includes(name)

    // types are used where their package is
    expect(devDependencies.filter(name => !used(name.replace('@types/', '')))).to.deep.equal([])
  })

  it('names files that exist, and all of them in the reference', () => {
    const sources = [...entries().values()]
    const { entryPoints } = JSON.parse(read('typedoc.json')) as { entryPoints: string[] }

    expect(sources.filter(file => !existsSync(join(ROOT, file)))).to.deep.equal([])
    expect(entryPoints).to.have.members(sources)
  })

  it('gives every way in its types', () => {
    for (const [path, target] of Object.entries(packageJson.exports)) {
      expect(target.types, path).to.equal(target.import.replace(/\.js$/, '.d.ts'))
    }
  })

  it('runs every test there is', () => {
    const { test, 'test:browser': inBrowser } = packageJson.scripts
    const program = read('test/run.ts')
    const inNode = [...program.matchAll(/'(test\/.+?\.spec\.ts)'/g)].map(([, pattern]) => pattern)

    expect(test).to.match(/ && node test\/run\.ts$/)
    expect(program).to.include('[\'test/browser/run.ts\']')
    expect(inBrowser).to.equal('node test/browser/run.ts')
    expect([...new Set(files(...inNode)), ...files('test/browser/**/*.spec.ts')].sort()).to.deep.equal(files('test/**/*.spec.ts'))
    expect(candidates()).to.include.members(files('test/browser/**/*.spec.ts'))
  })
})

describe('house: platforms', () => {
  const pairs = files('src/**/*.browser.ts').map(browser => ({ browser, other: browser.replace('.browser.ts', '.ts') }))

  it('differ in the defaults of the node alone', () => {
    expect(pairs.map(({ browser }) => browser)).to.deep.equal(['src/node/defaults.browser.ts'])
  })

  it('export the same names', () => {
    for (const { browser, other } of pairs) {
      expect(exportsOf(join(ROOT, browser)), browser).to.have.members(exportsOf(join(ROOT, other)))
    }
  })

  it('are told apart by package.json', () => {
    const emitted = (file: string): string => `./dist/${file.replace(/\.ts$/, '.js')}`

    expect(packageJson.browser ?? {}).to.deep.equal(Object.fromEntries(pairs.map(({ browser, other }) => [emitted(other), emitted(browser)])))
  })
})

describe('house: map', () => {
  it('shows every folder of src', () => {
    const folders = new Set(files('src/*/**/*.ts').map(file => file.split('/')[1]))
    const map = read('src/README.md')

    expect([...folders].filter(folder => !map.includes(`\`${folder}/\``))).to.deep.equal([])
  })
})
