import { expect } from 'chai'
import { files } from '../lint/project.ts'
import { blocksIn, blocksOf, faultsOf } from './blocks.ts'

describe('docs: finding code blocks', () => {
  it('takes code from Markdown, and nothing else', () => {
    const text = 'Say:\n\n```ts\nconst a = 1\n\nconst b = 2\n```\n\n```sh\nnpm ci\n```\n'

    expect(blocksIn('a.md', text)).to.deep.equal([{ file: 'a.md', line: 3, code: 'const a = 1\n\nconst b = 2\n' }])
  })

  it('takes code from doc comments without their stars', () => {
    const text = 'const x = 1\n\n/**\n * Say:\n *\n * ```ts\n * if (a) {\n *   b()\n * }\n * ```\n */\nexport const y = `\n```ts\nno\n```\n`\n'

    expect(blocksIn('a.ts', text)).to.deep.equal([{ file: 'a.ts', line: 6, code: 'if (a) {\n  b()\n}\n' }])
  })
})

describe('docs: compiling code blocks', () => {
  it('says what is wrong, and where', () => {
    const faults = faultsOf([{ file: 'README.md', line: 40, code: 'import { CID } from \'multiformats/cid\'\n\nconst size: number = CID.parse(\'x\')\n' }])

    expect(faults).to.have.lengthOf(1)
    expect(faults[0]).to.match(/^README\.md:43: .*not assignable to type 'number'/)
  })

  it('gives a complete program nothing that it does not import', () => {
    const faults = faultsOf([{ file: 'README.md', line: 1, code: 'import \'multiformats/cid\'\nconsole.log(cid)\n' }])

    expect(faults).to.deep.equal(['README.md:3: Cannot find name \'cid\'.'])
  })

  it('gives a fragment the names it stands among', () => {
    const block = { file: 'src/content/manifest.ts', line: 1, code: 'new ManifestBuilder().add(await hashPiece(bytes), bytes.byteLength)\n' }

    expect(faultsOf([block]).filter(fault => fault.startsWith('src'))).to.deep.equal([])
  })
})

describe('docs: code blocks', () => {
  const markdown = files('*.md', 'src/**/*.md', 'examples/**/*.md')
  const sources = files('src/**/*.ts')

  it('are there', () => {
    expect(blocksOf(['README.md'])).to.not.have.lengthOf(0)
    expect(blocksOf(sources)).to.not.have.lengthOf(0)
  })

  it('compile', () => {
    expect(faultsOf(blocksOf([...markdown, ...sources]))).to.deep.equal([])
  })
})
