import { webRTC, webRTCDirect } from '#webrtc'
import { relayTransport } from './relays.ts'
import type { WebRTCDirectInit } from '#webrtc'
import type { IceServer } from './platform.ts'
import type { Libp2pInit } from 'libp2p'

/**
 * The transports that need nobody to be dialled at a port of his own: WebRTC,
 * whose handshake goes through a relay, and WebRTC direct, whose handshake is
 * in the address.
 *
 * @param iceServers - default: public STUN servers that libp2p names
 * @param certificate - what is shown to those who dial over WebRTC direct
 */
export function webRtcTransports (iceServers?: IceServer[], certificate?: WebRTCDirectInit['certificate']): NonNullable<Libp2pInit['transports']> {
  const settings = iceServers == null ? {} : { rtcConfiguration: { iceServers } }

  return [relayTransport(), webRTC(settings), webRTCDirect({ ...settings, certificate })]
}
