/**
 * Modules of this project, and all that they import, as a browser can load
 * them. Nothing of Node is replaced by something that looks like it: what a
 * module reaches of Node is told instead.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { builtinModules, SourceMap } from 'node:module'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import { build } from 'esbuild'
import { packageJson, ROOT } from '../lint/project.ts'
import { nodeGlobalsIn } from './node-globals.ts'
import type { Metafile, Plugin } from 'esbuild'

/** Something that only Node has. */
export interface NodeUse {
  /** Such as `node:fs` or `process`. */
  what: string

  /** How it is reached: files from the entry to the one that uses it, by their paths from the top. */
  through: string[]
}

/** Modules for a browser. */
export interface Bundle {
  /** What the server has to give, by path from its top, such as `/test/unit/wire.spec.js`. */
  files: Map<string, Uint8Array>

  /** Of each entry, by its path from the top, what it reaches of Node; an entry that does cannot be loaded. */
  nodeUses: Map<string, NodeUse[]>

  /** A stack with the places in the sources. */
  remap: (stack: string) => string
}

/** Never written: only names begin with it. */
const OUT = 'bundle'

/** Where in the bundle an entry is served. */
export function servedAs (entry: string): string {
  return `/${entry.replace(/\.ts$/, '.js')}`
}

/**
 * @param entries - paths from the top, with `/` between folders
 * @param packages - `external` to leave out what was installed, and know sooner what the project itself uses of Node
 * @throws {Error} a module does not exist, or cannot be read
 */
export async function bundle (entries: string[], packages: 'bundle' | 'external' = 'bundle'): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: entries,
    outbase: '.',
    outdir: OUT,
    write: false,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    packages,
    logLevel: 'silent',
    plugins: [platforms, builtins]
  })
  const served = (path: string): string => `/${relative(join(ROOT, OUT), path).split(sep).join('/')}`
  const files = new Map(outputFiles.map(({ path, contents }) => [served(path), contents]))

  return { files, nodeUses: nodeUses(metafile), remap: remapper(files) }
}

/**
 * Of a pair of files that differ by platform, the one for browsers. Those of
 * `src/` stand in package.json, by the names of what is made of them; fixtures
 * are `x.ts` and `x.browser.ts`.
 */
const platforms: Plugin = {
  name: 'platforms',
  setup ({ onResolve }) {
    const source = (emitted: string): string => join(ROOT, emitted.replace('./dist/', '').replace(/\.js$/, '.ts'))
    const pairs = new Map(Object.entries(packageJson.browser ?? {}).map(([other, browser]) => [source(other), source(browser)]))

    onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path)
      const fixture = file.replace(/\.ts$/, '.browser.ts')
      const other = pairs.get(file) ?? (file.startsWith(join(ROOT, 'test')) && existsSync(fixture) ? fixture : undefined)

      return other == null ? undefined : { path: other }
    })
  }
}

const BUILTIN = new RegExp(`^(node:.*|(${builtinModules.join('|')})(/.*)?)$`)
const ASKED = Symbol('asked')

/** Leaves what is built into Node out of the bundle, but not if a package has something of its own for browsers instead. */
const builtins: Plugin = {
  name: 'builtins',
  setup (build) {
    build.onResolve({ filter: BUILTIN }, async ({ path, pluginData, importer, resolveDir, kind }) => {
      if (pluginData === ASKED) {
        return undefined
      }

      const found = await build.resolve(path, { importer, resolveDir, kind, pluginData: ASKED })
      const polyfill = found.path.split(sep).join('/').includes(`/node_modules/${path.replace(/\/$/, '')}/`)

      return found.errors.length === 0 && !polyfill ? undefined : { path: path.startsWith('node:') ? path : `node:${path}`, external: true }
    })
  }
}

function nodeUses ({ inputs, outputs }: Metafile): Map<string, NodeUse[]> {
  return new Map(Object.entries(outputs).flatMap(([output, { entryPoint }]) => {
    if (entryPoint == null) {
      return []
    }

    const loaded = [...loadedWith(outputs, output)].map(name => outputs[name])
    const modules = loaded.flatMap(({ imports }) => imports).filter(({ path, external }) => external === true && path.startsWith('node:')).map(({ path }) => path)
    const own = loaded.flatMap(({ inputs }) => Object.keys(inputs)).filter(file => /^(src|test)\//.test(file) && file.endsWith('.ts'))
    const imported = [...new Set(modules)].map(what => ({ what, through: pathTo(inputs, entryPoint, file => inputs[file].imports.some(({ path }) => path === what)) }))
    const globals = own.flatMap(file => nodeGlobalsIn(join(ROOT, file)).map(what => ({ what, through: pathTo(inputs, entryPoint, other => other === file) })))

    return [[entryPoint, [...imported, ...globals]] as const]
  }))
}

/** An output and all that it imports. */
function loadedWith (outputs: Metafile['outputs'], first: string): Set<string> {
  const found = new Set([first])

  for (const output of found) {
    outputs[output].imports.filter(({ external }) => external !== true).forEach(({ path }) => { found.add(path) })
  }

  return found
}

/** The shortest chain of imports from a file to one that is sought. */
function pathTo (inputs: Metafile['inputs'], first: string, sought: (file: string) => boolean): string[] {
  const chains = new Map([[first, [first]]])

  for (const [file, chain] of chains) {
    if (sought(file)) {
      return chain
    }

    for (const { path } of inputs[file].imports.filter(({ external }) => external !== true)) {
      if (!chains.has(path) && path in inputs) {
        chains.set(path, [...chain, path])
      }
    }
  }

  return [first]
}

function remapper (files: Map<string, Uint8Array>): (stack: string) => string {
  const maps = new Map<string, SourceMap>()

  function mapOf (file: string): SourceMap | undefined {
    const bytes = files.get(`${file}.map`)

    if (bytes != null && !maps.has(file)) {
      maps.set(file, new SourceMap(JSON.parse(new TextDecoder().decode(bytes))))
    }

    return maps.get(file)
  }

  // mocha leaves the origin out
  return stack => stack.replace(/(?:https?:\/\/localhost:\d+\/)?([\w@./-]+\.js):(\d+):(\d+)/g, (place, file: string, line: string, column: string) => {
    const entry = mapOf(`/${file}`)?.findEntry(Number(line) - 1, Number(column) - 1)

    if (entry == null || !('originalSource' in entry)) {
      return place
    }

    return `${posix.join(dirname(`/${OUT}/${file}`), entry.originalSource).slice(1)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  })
}
