/**
 * The rules of the house that are about imports, for ESLint.
 *
 * @module
 */

import { dirname, relative, resolve, sep } from 'node:path'
import { findCycle, importsOf, resolveImport } from './imports.ts'
import { importFault } from './layers.ts'
import type { ESLint, Rule } from 'eslint'

type Declaration = Parameters<NonNullable<Rule.RuleListener['ImportDeclaration']>>[0]
type Imported = { source?: Declaration['source'] | null } & Rule.Node

/** Reports imports that point up or sideways; see `layers.ts`. */
const layers: Rule.RuleModule = {
  meta: { type: 'problem', schema: [{ type: 'string' }] },
  create: context => onImport((node, specifier) => {
    const root = resolve(context.cwd, context.options[0])
    const inside = (file: string): string => relative(root, file).split(sep).join('/')
    const target = resolveImport(context.filename, specifier)
    const fault = importFault(inside(context.filename), target == null ? specifier : inside(target))

    if (fault != null) {
      context.report({ node, message: `Import: ${fault}` })
    }
  })
}

/** Reports the import that closes a circle. */
const noCycle: Rule.RuleModule = {
  meta: { type: 'problem', schema: [] },
  create: context => {
    const { filename } = context
    const cycle = findCycle(filename)

    return onImport((node, specifier) => {
      if (cycle != null && resolveImport(filename, specifier) === cycle[1] && importsOf(filename).some(found => found.specifier === specifier && !found.typeOnly)) {
        const files = cycle.map(file => relative(dirname(filename), file).split(sep).join('/'))
        context.report({ node, message: `Imports in a circle: ${files.join(' → ')}` })
      }
    })
  }
}

/** Calls back for everything that names another module. */
function onImport (found: (node: Rule.Node, specifier: string) => void): Rule.RuleListener {
  const visit = (node: Rule.Node): void => {
    const { source } = node as Imported

    if (typeof source?.value === 'string') {
      found(node, source.value)
    }
  }

  return {
    ImportDeclaration: visit,
    ImportExpression: visit,
    ExportAllDeclaration: visit,
    ExportNamedDeclaration: visit
  }
}

/** The plugin. */
export const house: ESLint.Plugin = {
  meta: { name: 'house' },
  rules: { layers, 'no-cycle': noCycle }
}
