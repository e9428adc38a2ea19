import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { anyPort, udpMux } from '../../src/vendor/udp-mux.ts'
import { freePort } from '../fixtures/free-port.ts'

const PROGRAM = fileURLToPath(new URL('../fixtures/udp-mux-program.ts', import.meta.url))

describe('udp ports of WebRTC direct', () => {
  it('are used again by whoever wants any, each by one at a time', async () => {
    const host = '127.0.0.1'
    const first = await anyPort(host, freePort)
    udpMux(first, host).stop()
    const again = await anyPort(host, freePort)
    const other = await anyPort(host, freePort)

    expect(again).to.equal(first)
    expect(other).to.not.equal(first)
  })

  it('that were asked for by number are left to who asks for them', async () => {
    const host = '127.0.0.1'
    const port = await freePort()
    udpMux(port, host).stop()

    expect(await anyPort(host, freePort)).to.not.equal(port)
  })

  it('survive packets that come when nobody owns them, can be taken again, and let the process end', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], { timeout: 50_000 })

    expect(stdout.trim().split('\n')).to.deep.equal(['round 1', 'round 2', 'round 3'])
  })
})
