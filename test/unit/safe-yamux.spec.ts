import { multiaddrConnectionPair } from '@libp2p/utils'
import { expect } from 'chai'
import { safeYamux } from '../../src/node/safe-yamux.ts'

async function pause (): Promise<void> {
  await new Promise(resolve => { setTimeout(resolve, 20) })
}

describe('node: muxer', () => {
  it('carries streams', async () => {
    const [outbound, inbound] = multiaddrConnectionPair()
    const client = safeYamux()().createStreamMuxer(outbound)
    const server = safeYamux()().createStreamMuxer(inbound)
    const heard = new Promise<string>(resolve => {
      server.addEventListener('stream', ({ detail }) => {
        detail.addEventListener('message', ({ data }) => { resolve(new TextDecoder().decode(data.subarray())) })
      })
    })
    const stream = await client.createStream()
    stream.send(new TextEncoder().encode('hello'))
    expect(await heard).to.equal('hello')
    await Promise.all([client.close(), server.close()])
  })

  it('takes its connection with it when it breaks off', async () => {
    const [outbound, inbound] = multiaddrConnectionPair()
    const muxer = safeYamux()().createStreamMuxer(outbound)
    muxer.abort(new Error('Too many streams'))
    expect(muxer.status).to.equal('closed')
    expect(outbound.status).to.equal('aborted')
    inbound.abort(new Error('The test is over'))
  })

  it('ends with a connection that closes while a stream is opened', async () => {
    const [outbound] = multiaddrConnectionPair()
    const muxer = safeYamux()().createStreamMuxer(outbound)
    await pause()
    outbound.send = () => { throw new Error('Cannot write to a stream that is closed') }
    const opening = muxer.createStream()
    // thrown from a microtask it would end this process
    await pause()
    await opening.catch(() => {})
    expect(muxer.status).to.equal('closed')
  })
})
