/**
 * The code blocks of the documentation, and what the compiler says of them.
 *
 * A block marked `ts` or `js` is code. In a Markdown file, one that imports
 * something is complete and gets nothing but what it imports. All others are
 * fragments: they may also use the names of `names.ts`, and, in a doc comment,
 * what the file and the `index.ts` beside it export.
 *
 * @module
 */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { declaredBy, exportsOf, importsOf } from '../lint/imports.ts'
import { entries, ROOT } from '../lint/project.ts'

/** A piece of code in a text. */
export interface Block {
  /** Path from the top of the project. */
  file: string

  /** Line of the file that the code begins after; the first is 1. */
  line: number

  code: string
}

const FENCED = /^( *)```(?:ts|js|typescript|javascript)\b[^\n]*\n(.*?)^ *```/gms
const DOC_COMMENT = /\/\*\*.*?\*\//gs

/** Finds the blocks of a Markdown or TypeScript file, in order. */
export function blocksIn (file: string, text: string): Block[] {
  const prose = file.endsWith('.md') ? text : onlyDocs(text)

  return [...prose.matchAll(FENCED)].map(({ 0: whole, 1: indent, 2: code, index }) => ({
    file,
    line: prose.slice(0, index + whole.indexOf('```')).split('\n').length,
    code: code.split('\n').map(line => line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()).join('\n')
  }))
}

/** Doc comments without their stars, each on its own line; all else blank. */
function onlyDocs (text: string): string {
  let docs = ''
  let end = 0

  for (const { 0: comment, index } of text.matchAll(DOC_COMMENT)) {
    docs += blank(text.slice(end, index)) + comment.slice(3, -2).replace(/^ *\* ?/gm, '')
    end = index + comment.length
  }

  return docs
}

function blank (text: string): string {
  return text.replace(/[^\n]/g, '')
}

/** Says where blocks do not compile, and why: `README.md:12: Cannot find name 'x'.` */
export function faultsOf (blocks: Block[]): string[] {
  const compile = compiler()
  const complete = blocks.filter(isComplete)
  const fragments = blocks.filter(block => !isComplete(block))

  return [
    ...compile(complete, []),
    ...compile(fragments, [join(ROOT, 'test/docs/names.ts')])
  ]
}

function isComplete ({ file, code }: Block): boolean {
  return file.endsWith('.md') && /^import /m.test(code)
}

/** Compiles blocks, beside files that are compiled anyway. */
type Compile = (blocks: Block[], others: string[]) => string[]

/** The project's settings, but for what is about emitting and tidiness. */
function settings (): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile) as { config: { compilerOptions: object } }

  return ts.convertCompilerOptionsFromJson({
    ...config.compilerOptions,
    noEmit: true,
    rewriteRelativeImportExtensions: false,
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: false,
    noUnusedLocals: false,
    noUnusedParameters: false
  }, ROOT).options
}

function compiler (): Compile {
  const options = settings()
  const host = ts.createCompilerHost(options)
  const ways = entries()
  const sources = new Map<string, ts.SourceFile | undefined>()
  const { getSourceFile } = host

  host.resolveModuleNameLiterals = (literals, from, _redirected, resolveOptions) => literals.map(({ text }) => {
    const own = ways.get(text)
    const name = own == null ? text : join(ROOT, own)

    return ts.resolveModuleName(name, from, resolveOptions, host, undefined, undefined, ts.ModuleKind.ESNext)
  })

  return (blocks, others) => {
    const texts = new Map(blocks.map((block, i) => [join(ROOT, dirname(block.file), `block-${i}.ts`), block]))
    host.fileExists = name => texts.has(name) || ts.sys.fileExists(name)
    host.getSourceFile = (name, version, ...rest) => {
      const block = texts.get(name)

      if (block != null) {
        return ts.createSourceFile(name, moduleOf(block), version)
      }

      if (!sources.has(name)) {
        sources.set(name, getSourceFile(name, version, ...rest))
      }

      return sources.get(name)
    }

    const program = ts.createProgram([...texts.keys(), ...others], options, host)

    return [...texts].flatMap(([name, { file, line }]) => {
      const source = program.getSourceFile(name)

      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(fault => {
        const below = source?.getLineAndCharacterOfPosition(fault.start ?? 0).line ?? 0

        return `${file}:${line + below}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n')}`
      })
    })
  }
}

/** A block as a module, with what it may use imported on a line before the first. */
function moduleOf (block: Block): string {
  return `${isComplete(block) ? '' : importsFor(block)}\n${block.code}\nexport {}`
}

/** Everything that the module of a doc comment and its service export, but what the block itself declares. */
function importsFor ({ file, code }: Block): string {
  const index = `${dirname(file)}/index.ts`
  const taken = new Set(ts.createSourceFile('block.ts', code, ts.ScriptTarget.Latest).statements.flatMap(declaredBy))

  return [...new Set([file, index])]
    .filter(name => name.endsWith('.ts') && existsSync(join(ROOT, name)))
    .map(name => {
      const passedOn = importsOf(join(ROOT, name)).filter(found => found.passedOn).flatMap(found => found.names)
      const names = [...exportsOf(join(ROOT, name)), ...passedOn].filter(each => each !== '*' && !taken.has(each))
      names.forEach(each => taken.add(each))

      return `import { ${names.join(', ')} } from './${name.slice(dirname(name).length + 1)}'`
    })
    .join('; ')
}

/** All blocks of some files. */
export function blocksOf (paths: string[]): Block[] {
  return paths.flatMap(path => blocksIn(path, readFileSync(join(ROOT, path), 'utf8')))
}
