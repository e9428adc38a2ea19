/**
 * The project as the tests of the house see it: its files and its manifest.
 *
 * @module
 */

import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The fields of package.json that are looked at. */
export interface PackageJson {
  name: string
  version: string
  exports: Record<string, { types: string, import: string }>
  browser?: Record<string, string>
  scripts: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

/** The top of the project. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What package.json says. */
export const packageJson = JSON.parse(read('package.json')) as PackageJson

/** The text of a file, by its path from the top. */
export function read (file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

/** Paths from the top, with `/` between folders, in order; nothing that was installed. */
export function files (...patterns: string[]): string[] {
  return globSync(patterns, { cwd: ROOT, exclude: path => path.split(sep).includes('node_modules') })
    .map(file => file.split(sep).join('/'))
    .sort()
}

/** Of each way into the package, such as `formicary/search`, the file in `src/`. */
export function entries (): Map<string, string> {
  return new Map(Object.entries(packageJson.exports).map(([path, target]) => [
    path.replace('.', packageJson.name),
    target.import.replace('./dist/', '').replace(/\.js$/, '.ts')
  ]))
}
