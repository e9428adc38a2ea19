/**
 * Names that are there in Node without being imported.
 *
 * @module
 */

import ts from 'typescript'
import { sourceOf } from '../lint/imports.ts'

const NAMES = new Set(['Buffer', 'process', 'global', 'setImmediate', 'clearImmediate', 'require', '__dirname', '__filename'])
const OF_MODULES = new Set(['dirname', 'filename', 'main'])

/**
 * Those of Node's globals that a file uses. A file that looks first whether
 * there is such a thing, with `typeof`, can do without it.
 */
export function nodeGlobalsIn (file: string): string[] {
  const used = new Set<string>()
  const lookedFor = new Set<string>()

  function visit (node: ts.Node): void {
    if (ts.isTypeNode(node)) {
      return
    }

    if (ts.isIdentifier(node) && NAMES.has(node.text) && isReference(node)) {
      (ts.isTypeOfExpression(node.parent) ? lookedFor : used).add(node.text)
    } else if (ts.isPropertyAccessExpression(node) && ts.isMetaProperty(node.expression) && OF_MODULES.has(node.name.text)) {
      used.add(`import.meta.${node.name.text}`)
    }

    ts.forEachChild(node, visit)
  }

  visit(sourceOf(file))

  return [...used].filter(name => !lookedFor.has(name))
}

/** Whether it stands for the thing, and is no name that somebody gave to something else. */
function isReference ({ parent, text }: ts.Identifier): boolean {
  if (ts.isPropertyAccessExpression(parent)) {
    return !ts.isIdentifier(parent.name) || parent.name.text !== text || (ts.isIdentifier(parent.expression) && parent.expression.text === text)
  }

  const { name } = parent as ts.Node & { name?: ts.Node }

  return name == null || !ts.isIdentifier(name) || name.text !== text || ts.isShorthandPropertyAssignment(parent)
}
