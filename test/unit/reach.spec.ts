import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { reachable } from '../../src/node/reach.ts'

const HUB = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'
const OTHER = '12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust'

function through (address: string, relay = HUB): { circuit: string, webrtc: string } {
  const circuit = `${address}/p2p/${relay}/p2p-circuit`

  return { circuit, webrtc: `${circuit}/webrtc` }
}

function told (...addresses: string[]): string[] {
  return reachable(addresses.map(address => multiaddr(address))).map(String)
}

describe('addresses that others are told', () => {
  const tcp = through('/ip4/192.0.2.7/tcp/4001')
  const ws = through('/ip4/192.0.2.7/tcp/4002/ws')
  const wss = through('/dns4/hub.example.org/tcp/443/tls/ws')
  const own = ['/ip4/192.0.2.9/tcp/4001', '/ip4/192.0.2.9/udp/4001/webrtc-direct']

  it('are all of those of its own', () => {
    expect(told(...own)).to.deep.equal(own)
  })

  it('are not those through a relay for data, which would not get far', () => {
    expect(told(own[0], ws.circuit, ws.webrtc)).to.deep.equal([own[0], ws.webrtc])
  })

  it('are two through each relay, those first that pages can dial', () => {
    expect(told(tcp.webrtc, ws.webrtc, wss.webrtc)).to.deep.equal([wss.webrtc, ws.webrtc])
  })

  it('are as many for a second relay', () => {
    const second = through('/ip4/192.0.2.8/tcp/4001', OTHER)

    expect(told(tcp.webrtc, second.webrtc, ws.webrtc, wss.webrtc)).to.have.members([wss.webrtc, ws.webrtc, second.webrtc])
  })
})
