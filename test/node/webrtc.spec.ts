import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { WebRTC } from '@multiformats/multiaddr-matcher'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { webRTC, webRTCDirect } from '#webrtc'
import { loadCertificate } from '../../src/node/certificate.ts'
import type { TransportCertificate } from '#webrtc'
import type { Libp2p } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'
import type { Multiaddr } from '@multiformats/multiaddr'

type Pinger = Libp2p<{ ping: Ping }>

const rtcConfiguration = { iceServers: [] }

describe('WebRTC in Node', () => {
  const nodes: Libp2p[] = []

  async function start (listen: string[], certificate?: () => Promise<TransportCertificate>): Promise<Pinger> {
    const node = await createLibp2p({
      addresses: { listen },
      transports: [webSockets(), circuitRelayTransport(), webRTC({ rtcConfiguration }), webRTCDirect({ rtcConfiguration, certificate })],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), ping: ping(), relay: circuitRelayServer() }
    })
    nodes.push(node)

    return node
  }

  async function addressOf (node: Libp2p, matches: (address: Multiaddr) => boolean): Promise<Multiaddr> {
    return new Promise(resolve => {
      const look = (): void => {
        const address = node.getMultiaddrs().find(matches)

        if (address != null) {
          node.removeEventListener('self:peer:update', look)
          resolve(address)
        }
      }

      node.addEventListener('self:peer:update', look)
      look()
    })
  }

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(async node => node.stop()))
  })

  it('connects to an address with a hash', async () => {
    const listener = await start(['/ip4/127.0.0.1/udp/0/webrtc-direct'])
    const dialler = await start([])
    const [address] = listener.getMultiaddrs()

    expect(await dialler.services.ping.ping(address)).to.be.a('number')
    expect(dialler.getConnections()[0].remotePeer.equals(listener.peerId)).to.equal(true)
    expect(address.toString()).to.match(/\/webrtc-direct\/certhash\/u/)
  })

  it('has the same address after a restart when its certificate is kept', async () => {
    const datastore = new MemoryDatastore()
    const hashOf = async (): Promise<string> => {
      const listener = await start(['/ip4/127.0.0.1/udp/0/webrtc-direct'], async () => loadCertificate(datastore))

      return String(listener.getMultiaddrs()[0]).split('/certhash/')[1].split('/')[0]
    }

    expect(await hashOf()).to.equal((await loadCertificate(datastore)).certhash)
    expect(await hashOf()).to.equal((await loadCertificate(datastore)).certhash)
  })

  it('connects directly to a node that only a relay can reach', async () => {
    const relay = await start(['/ip4/127.0.0.1/tcp/0/ws'])
    const [listener, dialler] = await Promise.all([start(['/p2p-circuit', '/webrtc']), start([])])
    await listener.dial(relay.getMultiaddrs())
    const connection = await dialler.dial(await addressOf(listener, address => WebRTC.matches(address)))

    expect(connection.limits).to.equal(undefined)
    expect(connection.remotePeer.equals(listener.peerId)).to.equal(true)
  })

  it('is reached again after a stop and a start', async () => {
    const relay = await start(['/ip4/127.0.0.1/tcp/0/ws'])
    const [listener, dialler] = await Promise.all([start(['/p2p-circuit', '/webrtc']), start([])])
    await listener.stop()
    await listener.start()
    await listener.dial(relay.getMultiaddrs())
    const connection = await dialler.dial(await addressOf(listener, address => WebRTC.matches(address)))

    expect(connection.limits).to.equal(undefined)
  })
})
