import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { build } from 'vite'
import { BARE_NODE, bundleForBrowser, FORMICARY } from '../fixtures/browser-bundle.ts'
import { ROOT } from '../lint/project.ts'

/** What Formicary may add to a node with the same transports and DHT, in KiB after gzip, contingency included; it should be 64 (`npm run bench -- bundle`). */
const MAX_ADDED = 111

/** The same of what is loaded before `createNode()` runs: contingency comes later, if it is wanted, as the DHT does. */
const MAX_FIRST = 15.2

/**
 * What only Node has, or what a page may forbid. Properties of `globalThis` and
 * `window` are none of that: libraries look there to find out where they run.
 */
const UNWANTED: Array<[string, RegExp]> = [
  ['modules of Node', /["'`]node:\w+["'`]|\brequire\(/],
  ['the process of Node', /(?<![.\w$])process\.[a-z]+/],
  ['the buffers of Node', /(?<![.\w$])Buffer\./],
  ['text that becomes code', /\beval\(|new Function\b|\bFunction\(["'`]/]
]

function expectClean (text: string): void {
  expect(text).to.include('/formicary/')

  for (const [what, pattern] of UNWANTED) {
    expect(excerpts(text, pattern), what).to.deep.equal([])
  }
}

function excerpts (text: string, pattern: RegExp): string[] {
  return [...text.matchAll(new RegExp(pattern, 'g'))].map(({ index }) => text.slice(Math.max(0, index - 60), index + 60))
}

describe('bundle for pages', function () {
  this.timeout(120_000)

  it('adds little to a libp2p node', async () => {
    const [ours, bare] = await Promise.all([bundleForBrowser(FORMICARY), bundleForBrowser(BARE_NODE)])

    expect(bare.size / 1024).to.be.above(100)
    expect((ours.size - bare.size) / 1024).to.be.within(10, MAX_ADDED)
    expect((ours.first - bare.first) / 1024).to.be.below(MAX_FIRST)
  })

  it('loads the DHT later', async () => {
    const { first, size } = await bundleForBrowser(FORMICARY)

    expect(size - first).to.be.above(50 * 1024)
  })

  it('would be found to use what only Node has', () => {
    const bad = ['import("node:fs")', 'a=require("fs")', 'x=process.env.Y', 'Buffer.from(1)', 'eval("1")', 'new Function("1")']

    expect(bad.map(text => UNWANTED.filter(([, pattern]) => pattern.test(text)).length)).to.deep.equal([1, 1, 1, 1, 1, 1])
  })

  it('is made by esbuild without a complaint, of nothing that only Node has', async () => {
    const { text, complaints } = await bundleForBrowser(FORMICARY)

    expect(complaints).to.deep.equal([])
    expectClean(text)
  })

  it('is made by vite without a complaint, of nothing that only Node has', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'formicary-vite-'))
    const complaints: string[] = []
    const complain = (message: string): number => complaints.push(message)

    try {
      await writeFile(join(folder, 'page.js'), 'import { createNode } from \'formicary\'\nglobalThis.createNode = createNode')
      await build({
        root: folder,
        configFile: false,
        logLevel: 'warn',
        customLogger: { info () {}, warn: complain, warnOnce: complain, error: complain, clearScreen () {}, hasErrorLogged: () => false, hasWarned: false },
        resolve: { alias: { formicary: join(ROOT, 'dist/src/index.js') } },
        build: { rollupOptions: { input: join(folder, 'page.js') }, outDir: 'out', chunkSizeWarningLimit: 2_000 }
      })
      const files = (await readdir(join(folder, 'out'), { recursive: true })).filter(file => file.endsWith('.js'))

      expect(complaints).to.deep.equal([])
      expectClean((await Promise.all(files.map(async file => readFile(join(folder, 'out', file), 'utf8')))).join('\n'))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
