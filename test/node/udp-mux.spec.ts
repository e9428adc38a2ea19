import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'

const PROGRAM = fileURLToPath(new URL('../fixtures/udp-mux-program.ts', import.meta.url))

describe('udp ports of WebRTC direct', () => {
  it('survive packets that come when nobody owns them, can be taken again, and let the process end', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], { timeout: 50_000 })

    expect(stdout.trim().split('\n')).to.deep.equal(['round 1', 'round 2', 'round 3'])
  })
})
