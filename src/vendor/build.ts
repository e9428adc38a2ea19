/**
 * Makes `dist/vendor/`: our copies of packages that are large to install for
 * what we use of them.
 *
 * What we say about the dependencies of a dependency does not count where
 * Formicary is installed, and a package cannot be installed in part. So what
 * we use of these packages is bundled, once for Node and, where pages use it,
 * once for browsers. What they import and we depend on stays an import; what
 * only they use comes along. Some of our dependencies are there for this alone:
 * libp2p has them too, and nobody should load them twice.
 *
 * @module
 */

import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { patched, PATCHES, VERSION } from './patches.ts'
import type { Metafile, Plugin } from 'esbuild'

/** What is made, under `#name`: a module that exports this. */
const VENDORED = [
  // Drags in react-native, 250 MB that only React Native needs.
  { name: 'webrtc', platforms: ['node', 'browser'], exports: 'export { webRTC, webRTCDirect } from \'@libp2p/webrtc\'' },
  // 5 MB, of which 0.2 are needed to run.
  { name: 'kad-dht', platforms: ['node', 'browser'], exports: 'export { kadDHT, passthroughMapper } from \'@libp2p/kad-dht\'' },
  // 5 MB, most of it a library of trees with its tests, and an interface for tracing.
  { name: 'prometheus', platforms: ['node'], exports: 'export { prometheusMetrics } from \'@libp2p/prometheus-metrics\'\nexport { Gauge, Registry } from \'prom-client\'' }
] as const

type Vendored = typeof VENDORED[number]

/** What a patch imports to have what is in a file here. */
const OWN = 'formicary:'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../..')
const packages = join(root, 'node_modules')
const target = join(root, 'dist/vendor')
const { dependencies } = await manifest(root)

/** Bundles one of them for one platform; gives the packages that are in it. */
async function bundle ({ name, exports }: Vendored, platform: 'node' | 'browser'): Promise<string[]> {
  const unused = new Set(name === 'webrtc' ? Object.keys(PATCHES) : [])
  const { metafile } = await build({
    stdin: { contents: exports, resolveDir: root },
    outfile: join(target, platform === 'node' ? `${name}.js` : `${name}.browser.js`),
    platform,
    banner: { js: bannerOf(name) },
    bundle: true,
    // the DHT has a list of 10,000 numbers, each on a line of its own
    minifyWhitespace: true,
    format: 'esm',
    target: 'es2024',
    mainFields: platform === 'browser' ? ['browser', 'module', 'main'] : ['module', 'main'],
    metafile: true,
    logLevel: 'warning',
    plugins: [external, patch(unused)]
  })

  // browsers have other files for what is about certificates
  if (platform === 'node' && unused.size > 0) {
    throw new Error(`Nothing imports ${[...unused].join(', ')}`)
  }

  return bundledIn(metafile)
}

/** CommonJS modules load those of Node by `require`. */
function bannerOf (name: Vendored['name']): string {
  const banner = '/*! Parts of other packages: see LICENSE beside this file. */'

  return name === 'prometheus' ? `${banner}\nimport { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)` : banner
}

/** Leaves our dependencies where they are; an import of which nothing is used goes. */
const external: Plugin = {
  name: 'external',
  setup (build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path }) => {
      if (path.startsWith(OWN)) {
        return { path: join(here, `${path.slice(OWN.length)}.ts`) }
      }

      return Object.hasOwn(dependencies, packageOf(path)) ? { path, external: true, sideEffects: false } : undefined
    })
  }
}

/** Changes `@libp2p/webrtc`, and takes what was changed from a list. */
function patch (unused: Set<string>): Plugin {
  return {
    name: 'patch',
    setup (build) {
      build.onLoad({ filter: /[/\\]@libp2p[/\\]webrtc[/\\].*\.js$/ }, async ({ path }) => {
        const file = relative(join(packages, '@libp2p/webrtc'), path).replaceAll(sep, '/')

        if (!Object.hasOwn(PATCHES, file)) {
          return undefined
        }

        unused.delete(file)

        return { contents: patched(await readFile(path, 'utf8'), PATCHES[file]) }
      })
    }
  }
}

/** Packages of which anything is left. */
function bundledIn ({ outputs }: Metafile): string[] {
  return Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([input, { bytesInOutput }]) => bytesInOutput > 0 && input.includes('node_modules/'))
    .map(([input]) => packageOf(input.slice(input.lastIndexOf('node_modules/') + 'node_modules/'.length)))
}

function packageOf (path: string): string {
  return path.split('/').slice(0, path.startsWith('@') ? 2 : 1).join('/')
}

/** The licences of all that was bundled; packages of libp2p have no file for theirs, but the same. */
async function licences (names: string[]): Promise<string> {
  const parts = names.map(async name => {
    const { version, license } = await manifest(join(packages, name))
    const file = (await readdir(join(packages, name))).find(file => /^licen[cs]e/i.test(file))

    if (file == null && license !== 'Apache-2.0 OR MIT') {
      throw new Error(`${name} has no licence`)
    }

    const text = file == null ? 'See above.' : await readFile(join(packages, name, file), 'utf8')

    return `${'='.repeat(78)}\n${name} ${version} (${license})\n\n${text.trim()}\n`
  })

  return [await readFile(join(here, 'LICENSE'), 'utf8'), ...await Promise.all(parts)].join('\n')
}

async function manifest (folder: string): Promise<{ version: string, license: string, dependencies: Record<string, string> }> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string, license: string, dependencies: Record<string, string> }
}

const { version } = await manifest(join(packages, '@libp2p/webrtc'))

if (version !== VERSION) {
  throw new Error(`The patches are for @libp2p/webrtc ${VERSION}; ${version} is installed`)
}

await mkdir(target, { recursive: true })
const bundled = await Promise.all(VENDORED.flatMap(vendored => vendored.platforms.map(async platform => bundle(vendored, platform))))
await Promise.all(VENDORED.map(async ({ name }) => copyFile(join(here, `${name}.d.ts`), join(target, `${name}.d.ts`))))
await writeFile(join(target, 'LICENSE'), await licences([...new Set(bundled.flat())].sort()))
