/**
 * Makes `dist/vendor/`: our copy of `@libp2p/webrtc`.
 *
 * The package depends on react-native, 250 MB that only React Native needs, and
 * what we say about the dependencies of a dependency does not count where
 * Formicary is installed. So what we use of it is bundled, once for Node and
 * once for browsers, with the changes of `patches.ts`. The packages it imports
 * are not: they stay imports, and are dependencies of ours.
 *
 * @module
 */

import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { patched, PATCHES } from './patches.ts'
import type { Plugin } from 'esbuild'

const VERSION = '6.0.33'

/** What a patch imports to have what is in a file here. */
const OWN = 'formicary:'

const here = dirname(fileURLToPath(import.meta.url))
const entry = fileURLToPath(import.meta.resolve('@libp2p/webrtc'))
const root = join(dirname(entry), '../..')

const banner = `/*! @libp2p/webrtc ${VERSION}, changed: see LICENSE beside this file. */`

/**
 * Bundles both copies into a folder.
 *
 * @throws {Error} the package is not the one that the patches were made for
 */
async function buildVendor (folder: string): Promise<void> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }

  if (version !== VERSION) {
    throw new Error(`The patches are for @libp2p/webrtc ${VERSION}; ${version} is installed`)
  }

  await mkdir(folder, { recursive: true })
  await Promise.all([
    bundle('node', join(folder, 'webrtc.js')),
    bundle('browser', join(folder, 'webrtc.browser.js')),
    copyFile(join(here, 'webrtc.d.ts'), join(folder, 'webrtc.d.ts')),
    copyFile(join(here, 'LICENSE'), join(folder, 'LICENSE'))
  ])
}

async function bundle (platform: 'node' | 'browser', outfile: string): Promise<void> {
  const unused = new Set(Object.keys(PATCHES))

  await build({
    entryPoints: [entry],
    outfile,
    platform,
    banner: { js: banner },
    bundle: true,
    format: 'esm',
    target: 'es2024',
    mainFields: platform === 'browser' ? ['browser', 'module', 'main'] : ['module', 'main'],
    logLevel: 'warning',
    plugins: [external, patch(unused)]
  })

  // browsers have other files for what is about certificates
  if (platform === 'node' && unused.size > 0) {
    throw new Error(`Nothing imports ${[...unused].join(', ')}`)
  }
}

/** Leaves packages where they are; an import of which nothing is used goes. */
const external: Plugin = {
  name: 'external',
  setup (build) {
    build.onResolve({ filter: /^[^./]/ }, ({ kind, path }) => {
      if (kind === 'entry-point') {
        return undefined
      }

      return path.startsWith(OWN) ? { path: join(here, `${path.slice(OWN.length)}.ts`) } : { path, external: true, sideEffects: false }
    })
  }
}

function patch (unused: Set<string>): Plugin {
  return {
    name: 'patch',
    setup (build) {
      build.onLoad({ filter: /\.js$/ }, async ({ path }) => {
        const file = path.slice(root.length + 1).replaceAll('\\', '/')

        if (!Object.hasOwn(PATCHES, file)) {
          return undefined
        }

        unused.delete(file)

        return { contents: patched(await readFile(path, 'utf8'), PATCHES[file]) }
      })
    }
  }
}

await buildVendor(join(here, '../../dist/vendor'))
