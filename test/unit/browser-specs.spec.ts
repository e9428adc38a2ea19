import { expect } from 'chai'
import { bundleSpecs, candidates, describeUse } from '../browser/specs.ts'

/** Specs of what only Node has; all others run in a browser too. */
const NODE_ONLY: Record<string, string> = {
  'test/unit/browser-specs.spec.ts': 'bundles',
  'test/unit/chromium.spec.ts': 'looks for a program in the file system',
  'test/unit/cli.spec.ts': 'reads the options of the command line',
  'test/unit/fast-noise.spec.ts': 'compares with the cryptography of Node',
  'test/unit/house.spec.ts': 'reads the files of the project',
  'test/unit/hub-parts.spec.ts': 'looks at parts of a hub, which has files and sockets',
  'test/unit/vendor.spec.ts': 'reads the files of packages'
}

describe('specs', () => {
  it('run in a browser unless they are about Node', async () => {
    const { specs, nodeOnly } = await bundleSpecs(candidates())
    const told = [...nodeOnly].map(([spec, uses]) => `${spec}: ${uses.map(describeUse).join(', ')}`).join('\n')
    console.log(`    ${specs.length} specs run in a browser, and not:\n${told}`)

    expect([...nodeOnly.keys()]).to.have.members(Object.keys(NODE_ONLY))
  })
})
