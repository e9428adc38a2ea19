/**
 * Who may import whom in `src/`: rules 1 and 2 of the house, as one pure
 * function. The linter asks it about every import.
 *
 * | from | may import |
 * | --- | --- |
 * | `<service>/core/` | its own folder, its service's `constants.ts`, `budget.ts`, `core.ts`, `random.ts`, `wire/parse.ts`, `content/`, pure libraries |
 * | `<service>/` | itself, `content/`, `store/`, `wire/`, files at the top of `src/` |
 * | `content/`, `store/`, `wire/`, files at the top of `src/` | one another |
 * | `node/`, `index.ts`, `cli/`, `cli.ts` | everything |
 *
 * @module
 */

/** Folders that any service may use, and that know no service. */
const BASE = ['content', 'store', 'wire']

/** What puts the services together. */
const TOP = ['node', 'index.ts', 'cli', 'cli.ts']

/** Modules with neither IO nor a clock, for cores. */
const PURE_FILES = ['budget.ts', 'core.ts', 'random.ts', 'wire/parse.ts']

/** Packages that run the same anywhere, with nothing but ECMAScript. */
const PURE_PACKAGES = ['@ipld/dag-pb', '@noble/hashes', 'multiformats', 'uint8arraylist']

/**
 * Says what is wrong with an import, or `undefined` if nothing is.
 *
 * @param from - the importing file, relative to `src/`, with `/` between folders
 * @param to - the imported file likewise, or the name of a package
 */
export function importFault (from: string, to: string): string | undefined {
  const { folder, core } = place(from)

  if (TOP.includes(folder)) {
    return undefined
  }

  if (core || folder === 'content') {
    return pureFault(folder, to)
  }

  return layerFault(folder, to)
}

/** The rule for what is pure: cores, and contents. */
function pureFault (folder: string, to: string): string | undefined {
  const own = folder === 'content' ? 'errors.ts' : `${folder}/constants.ts`
  const target = place(to)

  if (isFile(to)) {
    const pure = PURE_FILES.includes(to) || to === own || target.folder === 'content' || (target.folder === folder && target.core)

    return pure ? undefined : `what is pure may not import ${to}`
  }

  return PURE_PACKAGES.includes(packageOf(to)) ? undefined : `what is pure may not import the package ${to}`
}

/** The rule for services and what lies below them. */
function layerFault (folder: string, to: string): string | undefined {
  const target = place(to).folder

  if (!isFile(to) || target === folder || BASE.includes(target)) {
    return undefined
  }

  if (TOP.includes(target)) {
    return `${to} puts the services together and is imported by none of them`
  }

  return target.endsWith('.ts') ? undefined : `${folder} may not import ${target}: they meet through libp2p components`
}

/** The package that a bare specifier belongs to: `@a/b` of `@a/b/c.js`. */
export function packageOf (specifier: string): string {
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

function isFile (to: string): boolean {
  return to.endsWith('.ts')
}

/** A file at the top of `src/` counts as a folder of its own. */
function place (file: string): { folder: string, core: boolean } {
  const [folder, second] = file.split('/')

  return { folder, core: second === 'core' }
}
