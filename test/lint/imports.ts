/**
 * What a module imports and exports, read from its syntax.
 *
 * @module
 */

import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import ts from 'typescript'

/** One `import` or `export … from`. */
export interface Import {
  /** As written. */
  specifier: string

  /** The names that are taken; `*` for all, none for `import 'x'`. */
  names: string[]

  /** Erased by the compiler, so it loads nothing. */
  typeOnly: boolean

  /** It is exported again at once. */
  passedOn: boolean
}

const parsed = new Map<string, { changed: number, source: ts.SourceFile, imports: Import[] }>()

/** Imports of a file; parsed once, until the file changes. */
export function importsOf (file: string): Import[] {
  return parse(file).imports
}

/** The syntax tree of a file. */
export function sourceOf (file: string): ts.SourceFile {
  return parse(file).source
}

/** Names that a file itself declares and exports; what it passes on from others is among its imports. */
export function exportsOf (file: string): string[] {
  return sourceOf(file).statements.flatMap(statement => {
    if (ts.isExportDeclaration(statement) && statement.moduleSpecifier == null && statement.exportClause != null && ts.isNamedExports(statement.exportClause)) {
      return statement.exportClause.elements.map(element => element.name.text)
    }

    const exported = ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true

    return exported ? declaredBy(statement) : []
  })
}

/** Names that a statement adds to its scope. */
export function declaredBy (statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => namesIn(name))
  }

  if (ts.isImportDeclaration(statement)) {
    const { name, namedBindings } = statement.importClause ?? {}
    const named = namedBindings == null ? [] : ts.isNamespaceImport(namedBindings) ? [namedBindings] : [...namedBindings.elements]

    return [name, ...named.map(({ name }) => name)].flatMap(name => name?.text ?? [])
  }

  const { name } = statement as Partial<ts.DeclarationStatement>

  return name == null ? [] : [name.text]
}

function namesIn (name: ts.BindingName): string[] {
  return ts.isIdentifier(name)
    ? [name.text]
    : name.elements.flatMap(element => ts.isOmittedExpression(element) ? [] : namesIn(element.name))
}

/** The file that a relative specifier names; `undefined` for a package. */
export function resolveImport (file: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? resolve(dirname(file), specifier) : undefined
}

/**
 * The shortest chain of imports that leads from a file back to itself, both
 * ends included. Types do not count: they are gone when modules load.
 */
export function findCycle (file: string): string[] | undefined {
  const cameFrom = new Map<string, string>()
  const queue = [file]

  for (const current of queue) {
    for (const next of loadedBy(current)) {
      if (next === file) {
        return [...chain(cameFrom, file, current), file]
      }

      if (!cameFrom.has(next)) {
        cameFrom.set(next, current)
        queue.push(next)
      }
    }
  }

  return undefined
}

function chain (cameFrom: Map<string, string>, first: string, last: string): string[] {
  const files = [last]

  while (files[0] !== first) {
    files.unshift(cameFrom.get(files[0]) as string)
  }

  return files
}

function loadedBy (file: string): string[] {
  return importsOf(file)
    .filter(found => !found.typeOnly)
    .map(found => resolveImport(file, found.specifier))
    .filter(target => target != null && statSync(target, { throwIfNoEntry: false })?.isFile() === true) as string[]
}

function parse (file: string): { source: ts.SourceFile, imports: Import[] } {
  const changed = statSync(file).mtimeMs
  const known = parsed.get(file)

  if (known?.changed === changed) {
    return known
  }

  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  const found = { changed, source, imports: [...declared(source), ...dynamic(source)] }
  parsed.set(file, found)

  return found
}

function declared (source: ts.SourceFile): Import[] {
  return source.statements.flatMap((statement): Import[] => {
    if (ts.isImportDeclaration(statement)) {
      return [{
        specifier: (statement.moduleSpecifier as ts.StringLiteral).text,
        names: importedNames(statement.importClause),
        typeOnly: statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
        passedOn: false
      }]
    }

    if (ts.isExportDeclaration(statement) && statement.moduleSpecifier != null) {
      return [{
        specifier: (statement.moduleSpecifier as ts.StringLiteral).text,
        names: exportedNames(statement.exportClause),
        typeOnly: statement.isTypeOnly,
        passedOn: true
      }]
    }

    return []
  })
}

/** `import('x')`, as an expression or a type. */
function dynamic (source: ts.SourceFile): Import[] {
  const found: Import[] = []

  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && ts.isStringLiteralLike(node.arguments[0])) {
      // loaded later, so it closes no cycle
      found.push({ specifier: node.arguments[0].text, names: ['*'], typeOnly: true, passedOn: false })
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      found.push({ specifier: node.argument.literal.text, names: ['*'], typeOnly: true, passedOn: false })
    }

    ts.forEachChild(node, visit)
  }

  visit(source)

  return found
}

function importedNames (clause: ts.ImportClause | undefined): string[] {
  const bindings = clause?.namedBindings
  const names = clause?.name == null ? [] : ['default']

  if (bindings == null) {
    return names
  }

  return ts.isNamespaceImport(bindings) ? [...names, '*'] : [...names, ...bindings.elements.map(nameBefore)]
}

function exportedNames (clause: ts.NamedExportBindings | undefined): string[] {
  return clause == null || ts.isNamespaceExport(clause) ? ['*'] : clause.elements.map(nameBefore)
}

/** `a` of `a as b`. */
function nameBefore (element: ts.ImportSpecifier | ts.ExportSpecifier): string {
  return (element.propertyName ?? element.name).text
}
